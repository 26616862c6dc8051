"""The comparison of runs on the page."""

from __future__ import annotations

import json

from hilum.data.predictions import read_predictions
from hilum.evaluation import compare
from hilum.report import write_report


def test_the_page_says_which_runs_cannot_be_told_apart(make_study) -> None:
    study = make_study(
        labels=("normal", "viral"), runs=(("a", "done"), ("b", "done")), images={"train": 8, "val": 40, "test": 14}
    )
    compared = compare({run: read_predictions(study / run / "predictions-val.parquet") for run in "ab"})
    (study / "comparison.json").write_text(json.dumps(compared.to_json()))
    lines = (study / "leaderboard.csv").read_text().splitlines()
    (study / "leaderboard.csv").write_text("\n".join([lines[0] + ",group", *(f"{line},1" for line in lines[1:])]))
    page = write_report(study).read_text()
    assert "Can the runs be told apart?" in page and compared.sentence in page
    assert '<span class="tag">not told apart</span>' in page and "Tested in pairs, b cannot be told apart" in page


def test_without_a_comparison_the_page_is_as_before(make_study) -> None:
    assert "Can the runs be told apart?" not in write_report(make_study()).read_text()
