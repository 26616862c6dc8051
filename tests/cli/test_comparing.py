"""`hilum compare` as its users call it."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hilum.cli.main import main
from hilum.data.predictions import Predictions
from hilum.labels import LabelSet


@pytest.fixture
def runs(tmp_path):
    """Three runs on the same drawn images: a good one, its twin, and one that knows nothing."""
    generator, labels = np.random.default_rng(0), LabelSet(("normal", "viral"))
    target = np.arange(200) % 2
    rows = pd.DataFrame(
        {
            "image_path": [f"{i}.png" for i in range(200)],
            "patient_id": [f"p{i // 2}" for i in range(200)],
            "split": "val",
            "label": [labels.names[i] for i in target],
        }
    )
    good = 2.0 * np.eye(2)[target] + generator.normal(size=(200, 2))
    for name, logits in (("good", good), ("twin", good + 0.01), ("blind", generator.normal(size=(200, 2)))):
        (tmp_path / name).mkdir()
        Predictions.of(rows, logits, labels).write(tmp_path / name / "predictions-val.parquet")
    return [str(tmp_path / name) for name in ("blind", "good", "twin")]


def hilum(*arguments):
    with pytest.raises(SystemExit) as stopped:
        main([str(argument) for argument in arguments])
    return stopped.value.code


def test_the_table_names_groups_and_fits_80_columns(runs, capsys):
    assert hilum("compare", *runs) == 0
    table = capsys.readouterr().out.split("\n\n")[0].splitlines()
    assert [line.split()[:2] for line in table[1:]] == [["1", "good"], ["1", "twin"], ["2", "blind"]]
    assert max(map(len, table)) <= 90


def test_json_is_the_same_as_the_file(runs, capsys, tmp_path):
    assert hilum("compare", *runs, "--json", "--out", tmp_path / "new/c.json", "--replicates", 50) == 0
    document = json.loads(capsys.readouterr().out)
    assert document == json.loads((tmp_path / "new/c.json").read_text())
    assert document["groups"] == {"good": 1, "twin": 1, "blind": 2} and len(document["pairs"]) == 3


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        (lambda runs: runs[:1], "two runs or more"),
        (lambda runs: [runs[0], runs[0]], "each run once"),
        (lambda runs: [runs[0], runs[0] + "x"], "found nothing"),
        (lambda runs: [*runs, "--split", "test"], "opened for the chosen run only"),
        (lambda runs: [*runs, "--replicates", "1"], "at least 2"),
        (lambda runs: [*runs, "--seed", "-1"], "a whole number from 0"),
    ],
)
def test_each_wrong_input_is_one_line(runs, wish, words, capsys):
    assert hilum("compare", *wish(runs)) == 2
    message = capsys.readouterr().err
    assert words in message and message.count("\n") == 1


def test_several_settings_that_differ_get_no_credit_one_by_one(runs, capsys):
    recipe = {"name": "a", "batch_size": 32, "phases": [{"lr": 0.1, "train": "all"}]}
    for run, document in zip(
        sorted(runs),
        (recipe, {**recipe, "name": "b"}, {**recipe, "batch_size": 64, "phases": [{"lr": 1.0, "train": "all"}]}),
        strict=True,
    ):
        (Path(run) / "recipe.json").write_text(json.dumps(document))
    assert hilum("compare", *runs, "--json") == 0
    apart = json.loads(capsys.readouterr().out)["settings"]
    assert {each["setting"] for each in apart["twin"]["settings"]} == {"batch_size", "phases.0.lr"}
    assert "differ in 2 settings" in apart["twin"]["sentence"] and "cannot say which" in apart["twin"]["sentence"]
    assert apart["blind"]["settings"] == [] and "same settings" in apart["blind"]["sentence"]
    assert hilum("compare", *runs) == 0
    assert apart["twin"]["sentence"] in capsys.readouterr().out
