"""A search: every trial listed, pruning, going on, two workers, a winner that trains."""

import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import pandas as pd
import pytest

import hilum
from hilum.errors import RecipeError, UsageError
from hilum.recipes.convert import to_json
from hilum.recipes.schema import Range
from hilum.workflow.options import Options
from hilum.workflow.recipe_file import find_recipe
from hilum.workflow.space import apply_values, make_space
from hilum.workflow.tune import tune_recipe

pytest.importorskip("optuna", reason="the extra hilum[tune] is not installed")


@pytest.fixture
def short(tiny):
    return replace(tiny, phases=(replace(tiny.phases[0], max_epochs=4),), tta=("plain",), overfit_check=False)


@pytest.fixture
def tune(make_data, tmp_path, short):
    """Searches on little pictures."""

    def tune(trials, space=("phases.0.lr=1e-5..1e-2:log", "batch_size=8,16"), recipe=short, **options):
        data = tmp_path / "data" if (tmp_path / "data").exists() else make_data(per_class=30)
        given = {"out": tmp_path / "out", "replicates": 20, **options}
        return tune_recipe(recipe, data, Options(**given), trials=trials, space=space)

    return tune


def test_every_trial_is_listed_and_the_winner_trains(tune, tmp_path):
    result = tune(4)
    assert sorted(result.trials["trial"]) == [0, 1, 2, 3]
    table = pd.read_csv(result.folder / "trials.csv")
    done = table[table["status"] == "done"]
    assert done["val_log_loss"].is_monotonic_increasing and table["status"].iloc[0] == "done"
    drawn = ElementTree.parse(result.folder / "trials.svg").getroot()
    dots = drawn.findall(".//{http://www.w3.org/2000/svg}circle")
    assert len(dots) == 2 * table["status"].isin(["done", "pruned"]).sum()
    best = find_recipe(str(result.folder / "best.json"))
    assert best == result.best and best.name == "tiny-tuned"
    assert best.phases[0].lr == pytest.approx(table["phases.0.lr"].iloc[0])
    assert not list(tmp_path.rglob("predictions-test.parquet"))
    run = hilum.train(best, tmp_path / "data", out=tmp_path / "out", replicates=20)
    loss = run.validation.overall["log_loss"].value
    assert loss == pytest.approx(table["val_log_loss"].iloc[0], abs=1e-5)


def test_the_same_call_goes_on(tune):
    first = tune(2)
    again = tune(3)
    assert again.folder == first.folder and len(again.trials) == 3
    kept = again.trials.set_index("trial").loc[[0, 1], "val_log_loss"].tolist()
    assert kept == first.trials.set_index("trial").loc[[0, 1], "val_log_loss"].tolist()
    assert len(tune(3).trials) == 3


def test_what_does_worse_than_the_others_is_pruned(tune, short, monkeypatch):
    monkeypatch.setattr("hilum.workflow.tune.WARM_UP_TRIALS", 1)
    monkeypatch.setattr("hilum.workflow.tune.WARM_UP_EPOCHS", 1)
    result = tune(8, space=("phases.0.lr=1.0,3e-3",))
    pruned = result.trials[result.trials["status"] == "pruned"]
    assert len(pruned) and (pruned["phases.0.lr"] == "1.0").all() and (pruned["epochs"] < 4).all()
    assert result.trials["phases.0.lr"].iloc[0] == "3e-3"


def test_a_trial_that_fails_is_listed_with_its_reason(tune, short):
    result = tune(3, space=("phases.0.train=all,layer9",))
    failed = result.trials[result.trials["status"] == "failed"]
    assert len(result.trials) == 3
    assert all("layer9" in reason for reason in failed["reason"])


def test_two_workers_share_one_search(tune, tmp_path, short):
    tune(1)
    file = tmp_path / "short.json"
    file.write_text(json.dumps(to_json(short)))
    command = [sys.executable, "-m", "hilum", "tune", str(file), str(tmp_path / "data"), "--trials", "4", "--json"]
    command += ["--out", str(tmp_path / "out"), "--space", "phases.0.lr=1e-5..1e-2:log", "--space", "batch_size=8,16"]
    workers = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    results = [worker.communicate(timeout=240) for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], results
    folders = {json.loads(out)["folder"] for out, _ in results}
    assert len(folders) == 1
    numbers = sorted(tune(4).trials["trial"])
    assert numbers == list(range(len(numbers))) and 4 <= len(numbers) <= 5


def test_a_space_is_checked_before_anything_is_trained(short):
    assert make_space(short, ["model.dropout=0..0.6"]) == (Range("model.dropout", 0.0, 0.6),)
    fields = [each.field for each in make_space(short, [])]
    assert fields == ["phases.0.lr", "model.dropout", "phases.0.weight_decay"]
    assert apply_values(short, {"batch_size": 8}).batch_size == 8


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("phases.0.lr", UsageError, "FIELD=LOW..HIGH"),
        ("phases.0.lr=1e-3", UsageError, "FIELD=LOW..HIGH"),
        ("phases.0.lr=1e-3..1e400", UsageError, "a number can hold"),
        ("phases.0.lrr=1e-5..1e-3", RecipeError, "Did you mean `lr`"),
        ("phases.0.lr=1e-3..1e-5", RecipeError, "low < high"),
        ("phases.0.weight_decay=0..1:log", RecipeError, "above 0 for log"),
        ("balance=as-is,balanced", RecipeError, "balanced"),
    ],
)
def test_a_space_that_makes_no_sense(short, text, error, words):
    with pytest.raises(error, match=re.escape(words)):
        make_space(short, [text])
