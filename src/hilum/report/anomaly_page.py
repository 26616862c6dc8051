"""The page of `hilum anomaly`: the section of a report by itself."""

from __future__ import annotations

from pathlib import Path

from hilum.errors import DataError
from hilum.report.page import Chapter, render_document
from hilum.report.sections.anomaly import Found, describe_result, render_found
from hilum.report.sections.headline import NOT_FOR
from hilum.report.sections.section import Section, render
from hilum.report.study_folder import StudyFacts
from hilum.report.writing import write_text

PAGE = "anomaly.html"


class _About:
    """What frames a page."""

    def __init__(self, facts: StudyFacts) -> None:
        self.facts = facts


def write_anomaly_page(folder: Path) -> Path:
    """Reads what `hilum anomaly` wrote into a folder and writes its `anomaly.html`, renamed into place.

    Raises:
        DataError: nothing of the kind there.
    """
    found = Found.read(Path(folder))
    if found is None:
        raise DataError(str(folder), expected="an anomaly.json written by `hilum anomaly`", found="none")
    facts = StudyFacts(hilum=found.document["hilum"], name=folder.resolve().name, started=found.document["made"])
    title = "Anomalies"
    head = render("anomaly_head.html", title=title, sentence=describe_result(found), not_for=NOT_FOR)
    chapter = Chapter("anomaly", "What looks unlike the normal images", ())
    body = [(chapter, [Section("", render_found(found, result=False))])]
    return write_text(Path(folder) / PAGE, render_document(_About(facts), title, head, body))
