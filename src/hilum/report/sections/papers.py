"""What lies beside the report for a paper: the model card and the reporting checklists."""

from __future__ import annotations

from hilum.report.card import CARD_FILE
from hilum.report.sections.section import Section, render
from hilum.report.study_folder import Study

CHECKLIST = "checklist.html"


def make_papers(study: Study) -> Section | None:
    """Links to the card of the chosen run and to the checklists; nothing where no run was chosen."""
    if study.chosen is None:
        return None
    return Section("For a paper", render("papers.html", card=f"{study.chosen.name}/{CARD_FILE}", checklist=CHECKLIST))
