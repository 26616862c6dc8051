"""A trained model on somebody else's data."""

import json
import shutil

import pytest

import hilum
from hilum.cli.main import main
from hilum.data.predictions import read_predictions
from hilum.errors import DataError, UsageError
from hilum.evaluation import read_ledger
from hilum.workflow.choice import open_test_split
from hilum.workflow.options import Options


@pytest.fixture
def model(trained):
    """The model file of a finished study."""
    return trained[0].model_path


@pytest.fixture
def theirs(make_data):
    """Other pictures of the same kind, with other class names."""
    return make_data("theirs", per_class=40, labels=("NORMAL", "flu"), seed=7)


def test_figures_points_shift_ledger_and_page(model, theirs, tmp_path):
    trial = hilum.evaluate(
        model, theirs, mapping=["viral=flu"], prevalence=0.05, out=tmp_path / "trial", replicates=20, device="cpu"
    )
    predictions = read_predictions(tmp_path / "trial/predictions-other.parquet")
    assert len(predictions) == 80 and set(predictions.table["target"]) == {"normal", "viral"}
    accuracy = (predictions.decisions == predictions.target).mean()
    assert trial.evaluation.overall["accuracy"].value == pytest.approx(accuracy) and accuracy > 0.8
    document = json.loads((tmp_path / "trial/evaluation.json").read_text())
    assert {each["name"] for each in document["points"]} == {"youden", "sensitivity-95", "cost-5", "even"}
    assert 0 < document["points"][0]["at_prevalence"]["ppv"]["value"] <= 1
    assert max(each["distance"] for each in document["shift"]) < 0.35
    opened = read_ledger(model.parents[1])[-1]
    assert (opened.split, opened.images, opened.reason) == ("other", 80, "hilum.evaluate theirs")
    assert opened.predictions_sha256
    page = trial.report.read_text()
    assert (
        "the model is right on" in page
        and "Flu counts as viral" in page
        and "where 5.0" in page
        and "Beside the training pictures" in page
    )
    assert "http" not in page.replace("http://www.w3.org", "").replace("http-equiv", "")
    assert "report.html" in trial._repr_html_()


def test_images_of_its_own_training_are_left_out(model, trained, theirs, tmp_path):
    data = trained[1]
    for name in list((data / "viral").iterdir())[:10]:
        shutil.copy(name, theirs / "flu" / f"own-{name.name}")
    trial = hilum.evaluate(model, theirs, mapping=["viral=flu"], out=tmp_path / "t", replicates=2, device="cpu")
    assert any("trained or chosen on were left out" in remark for remark in trial.document["remarks"])
    assert 80 <= trial.evaluation.images < 90
    own = hilum.evaluate(model, data, out=tmp_path / "o", replicates=2, device="cpu")
    assert own.evaluation.images < 40
    assert read_ledger(model.parents[1])[-1].split == "test"


def test_a_folder_of_single_runs_and_one_that_was_split_anew(model, trained, tmp_path):
    own = tmp_path / "own"
    shutil.copytree(trained[0].study_dir, own)
    (own / "study.json").unlink()  # as `hilum train` leaves it
    copy = own / model.parent.name / model.name
    trial = hilum.evaluate(copy, trained[1], out=tmp_path / "t", replicates=2, device="cpu")
    assert trial.evaluation.images == len(trained[0].manifest.split("test"))
    assert read_ledger(own)[-1].split == "test"
    assert not any("another split" in remark for remark in trial.document["remarks"])
    table = trained[0].manifest.table
    trained[0].manifest.with_table(table.assign(split=table["split"].replace("val", "train"))).write(
        own / "manifest.parquet"
    )
    trial = hilum.evaluate(copy, trained[1], out=tmp_path / "u", replicates=2, device="cpu")
    assert any("another split" in remark for remark in trial.document["remarks"])


def test_a_look_at_other_data_does_not_open_the_test_split_again(model, trained, theirs, tmp_path):
    study = trained[0]
    hilum.evaluate(model, theirs, mapping=["viral=flu"], out=tmp_path / "t", replicates=2, device="cpu")
    before = read_ledger(study.study_dir)
    open_test_split(study.study_dir, study.chosen_run, study.manifest, Options(replicates=20, device="cpu"))
    assert before[-1].split == "other" and read_ledger(study.study_dir) == before


def test_recalibration_on_other_patients(model, theirs, tmp_path):
    trial = hilum.evaluate(
        model, theirs, mapping=["viral=flu"], recalibrate=0.5, out=tmp_path / "t", replicates=20, device="cpu"
    )
    again = trial.document["recalibration"]
    assert again["fitted_on"]["patients"] + again["left"]["patients"] == trial.evaluation.patients
    assert again["after"]["log_loss"]["value"] < again["before"]["log_loss"]["value"] + 0.1 and again["points"]
    assert "After recalibration" in trial.report.read_text()
    with pytest.raises(UsageError, match="--recalibrate"):
        hilum.evaluate(model, theirs, mapping=["viral=flu"], recalibrate=0.01, out=tmp_path / "u", replicates=2)


def test_one_class_only_and_a_model_without_its_study(model, theirs, tmp_path):
    shutil.rmtree(theirs / "flu")
    alone = tmp_path / "elsewhere/m.safetensors"
    alone.parent.mkdir()
    shutil.copy(model, alone)
    trial = hilum.evaluate(alone, theirs, out=tmp_path / "t", replicates=20, device="cpu", tta=["plain"])
    assert [verdict.code for verdict in trial.evaluation.verdicts] == ["one-true-class"]
    assert any("unknown" in remark for remark in trial.document["remarks"])
    assert trial.evaluation.per_class[0].specificity.value != trial.evaluation.per_class[0].specificity.value


def test_wrong_wishes_are_one_line(model, theirs, tmp_path):
    for wish, error in (
        ({}, UsageError),
        ({"mapping": ["viral=flu"], "prevalence": 2.0}, UsageError),
        ({"mapping": ["viral=flu"], "tta": ["spin"]}, UsageError),
        ({"mapping": ["viral=flu"], "seed": -1}, UsageError),
        ({"mapping": ["-=normal+flu"]}, UsageError),
        ({"labels": "kermany"}, UsageError),
    ):
        with pytest.raises(error) as refused:
            hilum.evaluate(model, theirs, out=tmp_path / "t", **wish)
        assert "\n" not in str(refused.value)
    with pytest.raises(DataError):
        hilum.evaluate(model, tmp_path / "nowhere", out=tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_the_command(model, theirs, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (theirs / "flu/broken.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    command = ["evaluate", str(model), str(theirs), "--map", "viral=flu", "--prevalence", "0.1", "--replicates", "20"]
    with pytest.raises(SystemExit) as stopped:
        main(command)
    out = capsys.readouterr().out
    assert (
        stopped.value.code == 3
        and "PPV at 10 %" in out
        and out.strip().endswith(f"study-{model.parent.name}-on-theirs/report.html")
    )
    assert max(map(len, out.splitlines()[:9])) <= 100
    with pytest.raises(SystemExit):
        main([*command, "--json"])
    document = json.loads(capsys.readouterr().out)
    assert document["rejected"] == 1 and document["evaluation"]["images"] == 80
