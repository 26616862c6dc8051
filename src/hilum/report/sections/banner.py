"""The place for findings: what a reader must know before any figure."""

from __future__ import annotations

from markupsafe import Markup

from hilum.report.sections.section import evaluated, render
from hilum.report.study_folder import Study
from hilum.report.words import end_sentence


def render_banner(study: Study) -> Markup:
    """Warnings of the study, its data and the evaluation, each once; nothing when there are none."""
    evaluation = evaluated(study)
    verdicts = (
        [verdict.sentence for verdict in evaluation.verdicts if verdict.severity != "error"] if evaluation else []
    )
    found = [*verdicts, *study.facts.warnings, *map(str, study.manifest.facts.get("warnings", ()))]
    warnings = list(dict.fromkeys(map(end_sentence, found)))
    return render("banner.html", warnings=warnings) if warnings else Markup()
