"""The whole study on little pictures, as a library user calls it."""

import json
import os
import signal
from dataclasses import replace

import pandas as pd
import pytest
import torch

import hilum
from hilum.data.predictions import read_predictions
from hilum.errors import DataError, RecipeError, UsageError, WeightsNotFound
from hilum.evaluation import read_evaluations, read_ledger
from hilum.training.module import TrainingModule
from hilum.workflow.record import locked
from hilum.workflow.voice import Silent

FILES = (
    "study.json", "manifest.parquet", "quarantine.csv", "ledger.jsonl", "leaderboard.csv", "report.html",
    "tiny/recipe.json", "tiny/history.csv", "tiny/model.safetensors", "tiny/predictions-val.parquet",
    "tiny/predictions-test.parquet", "tiny/metrics.json", "tiny/environment.json",
)  # fmt: skip


@pytest.fixture
def study(make_data, tmp_path, tiny):
    """Runs a study of little pictures."""

    def study(data=None, recipes=(tiny,), out="study", **options):
        data = data or (tmp_path / "data" if (tmp_path / "data").exists() else make_data())
        options = {"replicates": 100, **options}
        return hilum.study(data, recipes=recipes, out=tmp_path / out, **options)

    return study


def test_everything_is_there_and_the_figures_come_from_the_predictions(study):
    result = study()
    assert [name for name in FILES if not (result.study_dir / name).exists()] == []
    assert result.chosen_run == "tiny" and result.rejected == 0
    predictions = read_predictions(result.study_dir / "tiny/predictions-test.parquet")
    accuracy = (predictions.decisions == predictions.target).mean()
    assert result.test.overall["accuracy"].value == pytest.approx(accuracy)
    assert accuracy > 0.8
    assert set(predictions.table["image_path"]) == set(result.manifest.split("test")["image_path"])
    assert result.headline and "test images" in result.headline
    assert "report.html" in result._repr_html_()


def test_the_test_split_is_opened_once_also_when_the_study_is_run_again(study, monkeypatch):
    first = study()
    reasons = [entry.reason for entry in read_ledger(first.study_dir)]
    assert reasons[0] == "chosen on validation" and reasons.count(reasons[0]) == 1
    before = (first.study_dir / "tiny/model.safetensors").read_bytes()

    def must_not(*_):
        raise AssertionError("trained again")

    monkeypatch.setattr(TrainingModule, "training_step", must_not)
    again = study()
    assert (again.study_dir / "tiny/model.safetensors").read_bytes() == before
    assert [entry.reason for entry in read_ledger(again.study_dir)] == reasons
    assert again.test == first.test


def test_another_recipe_is_trained_anew(study, tiny):
    first = study()
    before = (first.study_dir / "tiny/model.safetensors").read_bytes()
    other = study(recipes=(replace(tiny, batch_size=8),))
    assert (other.study_dir / "tiny/model.safetensors").read_bytes() != before


def test_the_saved_model_gives_the_same_prediction(study):
    result = study()
    model = hilum.load(result.model_path)
    predictions = read_predictions(result.study_dir / "tiny/predictions-test.parquet")
    row = predictions.table.iloc[3]
    found = model.predict(result.manifest.path(row["image_path"]))
    assert found.probs["viral"] == pytest.approx(row["prob_viral"], abs=1e-4)
    assert found.label == ("viral" if row["prob_viral"] > 0.5 else "normal")
    assert found.label in str(found) and "not a medical device" in found._repr_html_()


def test_a_run_that_fails_or_collapses_does_not_stop_the_others(study, tiny):
    dead = replace(tiny, name="dead", phases=(replace(tiny.phases[0], max_epochs=1, lr=1e-12),))
    wrong = replace(tiny, name="wrong", model=replace(tiny.model, name="vit_base_patch16_224", weights="imagenet"))
    result = study(recipes=(wrong, dead, tiny), weights_dir=None)
    outcomes = {run["run"]: run for run in json.loads((result.study_dir / "study.json").read_text())["runs"]}
    assert outcomes["wrong"]["status"] == "failed" and outcomes["wrong"]["sentence"]
    assert outcomes["dead"]["status"] == "collapsed" and outcomes["dead"]["sentence"]
    assert result.chosen_run == "tiny"
    assert not (result.study_dir / "dead/predictions-test.parquet").exists()
    assert "collapsed" in result.report.read_text()


def test_an_unexpected_error_is_an_outcome_too(study, tiny, monkeypatch):
    step = TrainingModule.training_step

    def breaks(self, batch, batch_idx):
        if self.phase.lr == 0.5:
            raise KeyError("surprise")
        return step(self, batch, batch_idx)

    monkeypatch.setattr(TrainingModule, "training_step", breaks)
    odd = replace(tiny, name="odd", phases=(replace(tiny.phases[0], lr=0.5),))
    result = study(recipes=(odd, tiny))
    assert result.leaderboard.set_index("run").loc["odd", "status"] == "failed"
    assert "surprise" in (result.study_dir / "odd/error.txt").read_text()


def test_pictures_that_know_nothing_of_the_class_do_not_pass_as_a_result(study, make_data):
    data = make_data("null", per_class=150, independent=True)
    result = study(data, out="null-study")
    low = result.test.overall["auroc"].ci_low if result.test else 0.0
    assert low < 0.6


def test_bad_files_among_good_ones(study, make_data):
    data = make_data()
    (data / "normal/broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (data / "viral/text.jpg").write_text("no picture")
    result = study(data)
    assert result.rejected == 2
    quarantine = pd.read_csv(result.study_dir / "quarantine.csv")
    assert set(quarantine["image_path"]) == {"normal/broken.png", "viral/text.jpg"}
    assert quarantine["code"].notna().all()


def test_hostile_names_stay_text(study, make_data):
    data = make_data()
    odd = data / "viral" / "<img src=x onerror=alert(1)>.png"
    odd.write_bytes((data / "viral/p10000_1.png").read_bytes()[:-1] + b"\x82")
    result = study(data)
    assert "<img src=x onerror" not in result.report.read_text()


def test_three_classes(study, make_data):
    result = study(make_data(labels=("normal", "bacterial", "viral")))
    assert result.manifest.labels.names == ("normal", "bacterial", "viral")
    metrics = read_evaluations(result.study_dir / "tiny/metrics.json")
    assert metrics["test"].positive is None and len(metrics["test"].confusion) == 3


def test_a_damaged_model_file_is_refused(study):
    result = study()
    path = result.model_path
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(hilum.errors.ModelFileError, match=r"model\.safetensors"):
        hilum.load(path)


def test_a_killed_study_goes_on(study, monkeypatch):
    step, seen = TrainingModule.training_step, []

    def dies(self, batch, batch_idx):
        seen.append(1)
        if len(seen) == 20:
            raise SystemExit
        return step(self, batch, batch_idx)

    monkeypatch.setattr(TrainingModule, "training_step", dies)
    with pytest.raises(SystemExit):
        study(out="killed")
    monkeypatch.setattr(TrainingModule, "training_step", step)
    resumed, whole = study(out="killed"), study(out="whole")

    def tensors(result):
        return hilum.load(result.model_path).model.state_dict()

    assert all(torch.equal(value, tensors(whole)[name]) for name, value in tensors(resumed).items())


def test_ctrl_c_keeps_what_was_learned_and_leaves_the_test_split_shut(study, monkeypatch):
    step, seen = TrainingModule.training_step, []

    def press(self, batch, batch_idx):
        seen.append(1)
        if len(seen) == 20:
            os.kill(os.getpid(), signal.SIGINT)
        return step(self, batch, batch_idx)

    monkeypatch.setattr(TrainingModule, "training_step", press)
    stopped = study(out="stopped")
    assert stopped.interrupted and stopped.test is None
    assert read_ledger(stopped.study_dir) == ()
    assert stopped.report.exists()
    monkeypatch.setattr(TrainingModule, "training_step", step)
    resumed, whole = study(out="stopped"), study(out="whole")
    reasons = [entry.reason for entry in read_ledger(resumed.study_dir)]
    assert not resumed.interrupted and reasons.count("chosen on validation") == 1
    assert resumed.test.overall == whole.test.overall


def test_a_folder_that_is_in_the_way_is_put_aside_not_deleted(study, tiny, tmp_path):
    (tmp_path / "study/tiny").mkdir(parents=True)
    (tmp_path / "study/tiny/thesis.txt").write_text("precious")
    result = study()
    assert (result.study_dir / "tiny.before-1/thesis.txt").read_text() == "precious"
    study(recipes=(replace(tiny, batch_size=8),))
    assert (result.study_dir / "tiny.before-2/model.safetensors").exists()


def test_more_time_retrains_only_what_was_shortened(study, tiny):
    long = replace(tiny, phases=(replace(tiny.phases[0], max_epochs=10_000),))
    first = study(recipes=(long,), time_budget=12.0)
    epochs = first.leaderboard["epochs"].item()
    assert study(recipes=(long,), time_budget=12.0).leaderboard["epochs"].item() == epochs
    assert study(recipes=(long,), time_budget=20.0).leaderboard["epochs"].item() > epochs


def test_a_recipe_that_does_not_fit_into_the_time_is_skipped_and_says_so(study, tiny, monkeypatch):
    monkeypatch.setattr("hilum.training.work.probe_precision", lambda *_: ("32", 1e6))
    slow = replace(tiny, name="slow")
    with pytest.raises(DataError, match="Raise --time-budget"):
        study(recipes=(slow,), time_budget=15.0)


def test_two_studies_in_one_folder(study, tmp_path):
    (tmp_path / "study").mkdir()
    with locked(tmp_path / "study"), pytest.raises(UsageError, match="at work in it"):
        study()


def test_mistyped_weights_folder_is_an_error_not_a_fall_back(study):
    with pytest.raises(WeightsNotFound, match="wieghts"):
        study(recipes=None, weights_dir="wieghts")


@pytest.mark.parametrize("name", ["", "..", "cache", "a/b"])
def test_recipe_names_are_folder_names(study, tiny, name):
    with pytest.raises(RecipeError, match="recipe name"):
        study(recipes=(replace(tiny, name=name),))


@pytest.mark.parametrize(
    "wrong", [{"val_fraction": 1.5}, {"test_fraction": 0.0}, {"seed": -1}, {"time_budget": 0.0}, {"recipes": "frozen"}]
)
def test_numbers_out_of_range(study, wrong):
    with pytest.raises(UsageError):
        study(**wrong)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"recipes": ("finetuend",)}, RecipeError, "Did you mean `finetuned`"),
        ({"recipes": ("frozen", "frozen")}, RecipeError, "more than once"),
    ],
)
def test_wrong_recipes(study, options, error, words):
    with pytest.raises(error, match=words):
        study(**options)


def test_no_data(study, tmp_path):
    with pytest.raises(DataError, match="nothing there"):
        study(tmp_path / "nowhere")


def test_temperature_and_operating_points_are_fitted_on_validation_and_go_with_the_model(study):
    result = study()
    run_dir = result.study_dir / "tiny"
    document = json.loads((run_dir / "calibration.json").read_text())
    extras = hilum.load(result.model_path).header.extras
    assert extras["temperature"] == document["temperature"] and extras["operating_points"] == document["points"]
    assert document["fitted_on"] == {"split": "val", "images": len(result.manifest.split("val"))}
    assert document["log_loss"]["after"] <= document["log_loss"]["before"] + 1e-3
    assert set(document["gives"]) == {"val", "test"}
    assert sum(extras["training_data"]["counts"].values()) == len(result.manifest.split("train"))
    val, test = (read_predictions(run_dir / f"predictions-{split}.parquet") for split in ("val", "test"))
    assert val.about["temperature"] == 1.0 and test.about["temperature"] == extras["temperature"]
    assert val.about["model_sha256"] == test.about["model_sha256"]
    assert "fp32" in val.about["engine"] and "fp32" in test.about["engine"]
    assert "Where to draw the line" in result.report.read_text()


def test_guards_are_run_and_a_model_file_that_was_exchanged_is_found(study, tiny):
    first = study()
    document = json.loads((first.study_dir / "guards.json").read_text())
    assert not [each for each in document["findings"] if each["severity"] == "error"]
    assert json.loads((first.study_dir / "tiny/rescored.json").read_text())["verdicts"] == []
    assert "Loaded anew in a process of its own" in first.report.read_text()
    from hilum.models import create_model, load_model, save_model
    from hilum.workflow.guards import find_study_verdicts
    from hilum.workflow.options import Options

    path = first.study_dir / "tiny/model.safetensors"
    _, header = load_model(path)
    fresh = create_model("cnn-tiny", num_classes=2, in_channels=1, image_size=32, seed=99)
    facts = {name: getattr(header, name) for name in ("labels", "preprocessing", "recipe", "fingerprint", "extras")}
    save_model(path, fresh, **facts)
    found = find_study_verdicts(first.study_dir, ["tiny"], "tiny", first.manifest, Options(device="cpu"))
    assert "not-reproduced" in [each["code"] for each in found]
    from hilum.report import write_report

    assert "These figures are worth nothing as they stand" in write_report(first.study_dir).read_text()


@pytest.mark.parametrize("look", ["explain_run", "find_study_verdicts"])
def test_an_extra_look_that_breaks_costs_no_result(study, monkeypatch, look):
    def breaks(*_):
        raise ZeroDivisionError("surprise")

    said = []

    class Listener(Silent):
        def warn(self, sentence):
            said.append(sentence)

    monkeypatch.setattr(f"hilum.workflow.study.{look}", breaks)
    result = study(voice=Listener())
    assert result.test is not None and result.report.exists()
    assert (result.study_dir / "study.json").exists()
    assert any("ZeroDivisionError: surprise" in sentence for sentence in said)


def test_an_audit_does_not_split_the_data_of_finished_runs_anew(study, tmp_path):
    result = study()
    before = (result.study_dir / "manifest.parquet").read_bytes()
    assert hilum.audit(tmp_path / "data", out=result.study_dir).manifest.fingerprint == result.manifest.fingerprint
    with pytest.raises(UsageError, match=r"a folder for these files and this split.*tiny.*--out"):
        hilum.audit(tmp_path / "data", out=result.study_dir, seed=1)
    assert (result.study_dir / "manifest.parquet").read_bytes() == before
