"""Each run beside the best one, on the same validation images."""

from __future__ import annotations

import json

from hilum.evaluation.comparison import Comparison, Pair
from hilum.report.sections.section import Section, render
from hilum.report.study_folder import Study
from hilum.report.words import render_p

METHOD = (
    "Both runs of a row answered the same images. Difference: best run minus this one, with a 95 % interval from "
    "redraws of whole patients. P-values: DeLong's test of the AUROC by patient, corrected (Holm) over all {pairs} "
    "pairs of runs, for the best was picked by looking; McNemar's test (mid-p, by patient) of right and wrong calls, "
    "uncorrected."
)


def make_comparison(study: Study) -> Section | None:
    """A table of differences to the best run, where there are two runs or more."""
    path = study.folder / "comparison.json"
    if not path.exists():
        return None
    document = json.loads(path.read_text(encoding="utf-8"))
    compared = Comparison.from_json(document)
    if len(compared.runs) < 2:
        return None
    rows = [(run, pair, _verdict(pair)) for run in compared.runs[1:] if (pair := compared.against_best(run))]
    return Section(
        "Can the runs be told apart?",
        render(
            "comparison.html",
            best=compared.runs[0],
            rows=rows,
            p=render_p,
            sentence=compared.sentence,
            settings=[each["sentence"] for each in document.get("settings", {}).values()],
            method=METHOD.format(pairs=len(compared.pairs)),
        ),
    )


def _verdict(pair: Pair) -> str:
    return "worse than the best" if pair.apart else "not told apart"
