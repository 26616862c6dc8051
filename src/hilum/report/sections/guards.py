"""What the guards found, as `guards.json` of a study folder says it."""

from __future__ import annotations

import json
from dataclasses import dataclass

from hilum.report.study_folder import Study

FILE = "guards.json"


@dataclass(frozen=True)
class Finding:
    """One thing that a guard found; `run` is empty where it is about the data."""

    run: str
    code: str
    severity: str
    sentence: str


def read_guards(study: Study) -> tuple[Finding, ...] | None:
    """Findings about the data and about the chosen run, errors first; None where no guard was run."""
    path = study.folder / FILE
    if not path.exists():
        return None
    document = json.loads(path.read_text(encoding="utf-8"))
    every = [Finding(**each) for each in document["findings"]]
    about = ("", study.facts.chosen_run)
    return tuple(sorted((each for each in every if each.run in about), key=lambda each: each.severity != "error"))


def find_errors(study: Study) -> list[str]:
    """Sentences of the findings that make the figures worthless."""
    return [finding.sentence for finding in read_guards(study) or () if finding.severity == "error"]
