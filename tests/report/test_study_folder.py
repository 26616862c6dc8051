"""Reading a study folder: what may be missing, what may be new, what is refused by name."""

import json
import math
import shutil

import pytest

from hilum.errors import DataError
from hilum.report.study_folder import column, read_run, read_study


@pytest.fixture
def study(make_study):
    return make_study(images={"train": 2, "val": 4, "test": 4}, runs=(("cnn-small", "done"), ("vit-tiny", "failed")))


def test_a_whole_study_is_read(study):
    read = read_study(study)

    assert read.facts.name == "drawn-study" and read.facts.stages[1].name == "training"
    assert [(run.run, run.status) for run in read.facts.runs] == [("cnn-small", "done"), ("vit-tiny", "failed")]
    assert [row.run for row in read.leaderboard] == ["cnn-small"] and read.leaderboard[0].chosen
    assert read.leaderboard[0].figures["auroc"] == read.chosen.evaluations["val"].overall["auroc"]
    assert read.quarantine[0].code == "truncated" and len(read.ledger) == 1 and read.broken_ledger_line is None
    assert read.chosen.split == "test" and len(read.chosen.predictions) == 12
    assert column(read.chosen.history, "best").index(1) == 6 and read.chosen.history[0]["phase"] == "head"


def test_what_a_newer_version_adds_is_passed_over(study):
    path = study / "study.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "invented_later": [1, 2]}))

    assert read_study(study).facts.seed == 7


@pytest.mark.parametrize("name", ["study.json", "manifest.parquet"])
def test_a_folder_without_its_core_is_refused(study, name):
    (study / name).unlink()

    with pytest.raises(DataError, match=name):
        read_study(study)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("study.json", '{"schema": "something-else/1"}'),
        ("study.json", '{"schema": "hilum.study/1", "stages": [3]}'),
        ("study.json", "not JSON"),
        ("cnn-small/metrics.json", '{"val": {"schema": "hilum.evaluation/1"}}'),
        ("cnn-small/recipe.json", "{"),
        ("ledger.jsonl", '{"time": 3}\n'),
    ],
)
def test_a_damaged_file_is_named_in_one_line(study, name, content):
    (study / name).write_text(content)

    with pytest.raises(DataError) as caught:
        read_study(study)
    assert name.rsplit("/", 1)[-1].split(".")[0] in str(caught.value) and "\n" not in str(caught.value)


def test_a_chosen_run_that_is_gone_is_refused(study):
    shutil.rmtree(study / "cnn-small")

    with pytest.raises(DataError, match="cnn-small: expected a run folder"):
        read_study(study)


def test_empty_cells_of_a_history_are_not_numbers(study):
    path = study / "cnn-small" / "history.csv"
    path.write_text("epoch,phase,val_loss,best\n1,head,0.5,0\n2,head,,1\n3,all,nan,0\n")
    history = read_run(study / "cnn-small").history

    losses = column(history, "val_loss")
    assert losses[0] == 0.5 and all(map(math.isnan, losses[1:]))
    assert all(map(math.isnan, column(history, "no such column")))
