"""The rows that are anomaly detectors: trained both ways, a threshold by eye beside one by rule."""

import json

import numpy as np
import pandas as pd
import pytest

from hilum.cli import main
from hilum.inspection.anomaly import read_scores


@pytest.fixture
def replayed(small_recipes, kermany, tmp_path):
    def run(system, row):
        with pytest.raises(SystemExit):
            main(["replay", system, str(kermany), "--only", row, "--out", str(tmp_path / "out"), "--json"])
        table = pd.read_csv(tmp_path / "out/replay.csv", keep_default_na=False).set_index("row")
        return table.loc[row], tmp_path / "out"

    return run


def test_the_reported_threshold_is_tried_and_another_is_set_by_rule(replayed):
    row, out = replayed("C", "c-anomaly")
    assert row["followed_text"].startswith("0.01: ") and row["corrected_text"].startswith("error 0.")
    scores = read_scores(out / row["followed_source"]).split("val")
    called = scores.of("error") > 0.01
    share = f"{100 * called[~scores.is_normal].mean():.1f} %"
    assert f"0.01: {share} [" in row["followed_text"] and "false alarms" in row["corrected_text"]
    document = json.loads((out / row["corrected_source"]).with_name("anomaly.json").read_text())
    corrected = read_scores(out / row["corrected_source"]).split("val")
    normal = np.sort(corrected.of("error")[corrected.is_normal])
    assert document["detectors"][0]["rule"]["thresholds"][0] in normal and document["own_rule"] == "error"


def test_thresholds_that_were_not_reported_are_said_to_be_ours(replayed):
    row, _ = replayed("E", "e-anomaly")
    assert "halfway between the classes' means" in row["followed_note"] and " or log density " in row["corrected_text"]
    assert "From normal validation images at 40 % false alarms" in row["corrected_note"]
