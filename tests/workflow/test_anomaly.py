"""Anomalies as a user looks for them: in a study, from a recipe, from a model file, from both in one table."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import hilum
from hilum.errors import RecipeError, UsageError
from hilum.evaluation import read_ledger
from hilum.inspection.anomaly import read_scores
from hilum.inspection.gate import Gate
from hilum.models import read_header
from hilum.models.autoencoder import load_autoencoder
from hilum.models.weights import file_sha256
from hilum.recipes.registry import RECIPES
from hilum.recipes.schema import Anomaly, Model, Phase, Preprocessing, Recipe

SMALL = Recipe(
    "small-anomaly",
    model=Model("autoencoder"),
    preprocessing=Preprocessing(image_size=32, fit="stretch", normalisation="zero-one", channels=1),
    phases=(Phase(max_epochs=8, lr=3e-3),),
    batch_size=16,
    overfit_check=False,
    anomaly=Anomaly(score="error-or-density", quantile=0.9),
)


@pytest.fixture(scope="module")
def detected(tmp_path_factory, _maker):
    root = tmp_path_factory.mktemp("anomaly")
    data = _maker(root)(per_class=110)
    return hilum.anomaly(SMALL, data, out=root / "out", replicates=50), data


@pytest.fixture(scope="module")
def _maker():
    import cv2

    def at(root):
        def make(per_class, labels=("normal", "viral")):
            generator = np.random.default_rng(0)
            for number, label in enumerate(labels):
                (root / "data" / label).mkdir(parents=True)
                for image in range(per_class):
                    picture = generator.integers(0, 90, (40, 36)).astype(np.uint8)
                    if number:
                        picture[8:20, 8:20] += 130
                    cv2.imwrite(str(root / "data" / label / f"p{number}{image:04}_1.png"), picture)
            return root / "data"

        return make

    return at


def test_a_recipe_finds_what_it_has_never_seen(detected):
    found, _ = detected
    names = [each.name for each in found.assessments]
    assert names == ["error", "density", "error-or-density"] and found.document["own_rule"] == "error-or-density"
    both = found.assessments[2].splits["val"]
    assert both.auroc.value > 0.95 and both.sensitivity.value > 0.8
    assert "the test split was not opened" in found.headline and read_ledger(found.folder.parent) == ()
    assert set(found.assessments[0].splits) == {"val"}


def test_the_files_of_a_recipe_hold_what_was_said(detected):
    found, _ = detected
    scores = read_scores(found.folder / "scores.parquet")
    assert file_sha256(found.folder / "scores.parquet") == found.document["scores_sha256"]
    rule = found.assessments[0].rule
    val = scores.split("val")
    normal = val.of("error")[val.is_normal]
    k = int(np.ceil(0.9 * (len(normal) + 1) - 1e-9))
    assert rule.thresholds[0] == np.sort(normal)[k - 1]
    model, header = load_autoencoder(found.folder / "model.safetensors")
    assert (model.image_size, header.extras["normal"]) == (32, "normal")
    history = pd.read_csv(found.folder / "history.csv")
    assert len(history) == 8 and history["val_loss"].min() == pytest.approx(normal.mean(), rel=1e-4)
    assert len(found.document["pictures"]) == 6
    for picture in found.document["pictures"]:
        assert (found.folder / picture["file"]).stat().st_size > 100


def test_only_normal_training_images_are_learned_from(detected, tmp_path, monkeypatch):
    from hilum.training import reconstruction

    seen = []
    real = reconstruction.fit_autoencoder

    def spy(model, train, val, **options):
        seen.extend([np.asarray(train[np.arange(len(train))]), np.asarray(val[np.arange(len(val))])])
        return real(model, train, val, **options)

    monkeypatch.setattr(reconstruction, "fit_autoencoder", spy)
    _, data = detected
    hilum.anomaly(SMALL, data, out=tmp_path / "out", replicates=5)
    assert len(seen) == 2 and all((each.max(axis=(1, 2)) < 100).all() for each in seen)


def test_running_it_again_trains_nothing(detected, monkeypatch):
    from hilum.training import reconstruction

    found, data = detected
    monkeypatch.setattr(reconstruction, "fit_autoencoder", None)
    again = hilum.train(SMALL, data, out=found.folder.parent, replicates=50)
    assert again.assessments == found.assessments


def test_a_recipe_refuses_what_it_is_not(detected, tiny):
    found, data = detected
    out = found.folder.parent
    with pytest.raises(UsageError, match="one with `anomaly` set"):
        hilum.anomaly(tiny, data, out=out)
    with pytest.raises(RecipeError, match="an autoencoder in one phase"):
        hilum.anomaly(replace(SMALL, name="other", model=Model("cnn-tiny")), data, out=out)
    with pytest.raises(UsageError, match="one of normal, viral, found healthy"):
        hilum.anomaly(SMALL, data, out=out, normal="healthy")
    with pytest.raises(UsageError, match="--rate"):
        hilum.anomaly(SMALL, data, out=out, rate=1.5)
    with pytest.raises(UsageError, match="one of each"):
        hilum.anomaly(SMALL, data, out=out, beside=SMALL)


def test_without_a_class_that_is_called_normal_it_asks(tmp_path, _maker):
    data = _maker(tmp_path)(per_class=60, labels=("alpha", "beta"))
    with pytest.raises(UsageError, match="Name it with --normal"):
        hilum.anomaly(SMALL, data, out=tmp_path / "out")
    quick = replace(SMALL, phases=(Phase(max_epochs=1),), anomaly=Anomaly(quantile=0.8))
    assert hilum.anomaly(quick, data, out=tmp_path / "out", normal="beta", replicates=5).document["normal"] == "beta"


@pytest.mark.parametrize("name", ["c-anomaly", "e-anomaly"])
def test_the_rows_of_the_reports_are_recipes_of_this_kind(name):
    assert RECIPES[name].anomaly is not None and RECIPES[name].model.name == "autoencoder"


@pytest.fixture(scope="module")
def study(tmp_path_factory, _maker, tiny_recipe):
    root = tmp_path_factory.mktemp("study")
    data = _maker(root)(per_class=130)
    return hilum.study(data, recipes=[tiny_recipe], out=root / "study", replicates=20, device="cpu"), data


@pytest.fixture(scope="module")
def tiny_recipe():
    return Recipe(
        "tiny",
        model=Model("cnn-tiny"),
        preprocessing=Preprocessing(image_size=32, normalisation="half", channels=1),
        phases=(Phase(max_epochs=3, lr=3e-3),),
        batch_size=16,
        precision="32",
    )


def test_a_study_looks_for_anomalies_and_says_so_in_the_ledger(study):
    done, _ = study
    folder = done.study_dir / "tiny/inspection/anomaly"
    document = json.loads((folder / "anomaly.json").read_text())
    names = [each["name"] for each in document["detectors"]]
    assert {"gaussian", "kde", "knn"} <= set(names) and document["backbone"] == "trained"
    assert set(document["detectors"][0]["splits"]) == {"val", "test"}
    (opening,) = [each for each in read_ledger(done.study_dir) if "anomaly" in each.reason]
    assert opening.predictions == "tiny/inspection/anomaly/scores.parquet"
    assert opening.predictions_sha256 == document["scores_sha256"] == file_sha256(folder / "scores.parquet")
    page = (done.study_dir / "report.html").read_text()
    assert "What looks unlike the normal images" in page


def test_a_study_that_is_run_again_looks_no_second_time(study):
    done, data = study
    before = len(read_ledger(done.study_dir))
    stamp = (done.study_dir / "tiny/inspection/anomaly/anomaly.json").read_bytes()
    hilum.study(data, recipes=[done_recipe(done)], out=done.study_dir, replicates=20, device="cpu")
    assert len(read_ledger(done.study_dir)) == before
    assert (done.study_dir / "tiny/inspection/anomaly/anomaly.json").read_bytes() == stamp


def done_recipe(done):
    from hilum.recipes.convert import from_json

    return from_json(json.loads((done.study_dir / "tiny/begun.json").read_text())["recipe"])


def test_the_model_file_has_a_gate(study):
    done, _ = study
    header = read_header(done.study_dir / "tiny/model.safetensors")
    gate = Gate.from_json(header.extras["gate"])
    noise = np.random.default_rng(0).integers(0, 256, (20, 32, 32)).astype(np.uint8)
    length = len(gate.looks["embedding"].mean)
    assert (gate.score(np.zeros((20, length), np.float32), noise) > gate.threshold).all()
    assert len(json.dumps(header.extras["gate"])) < 1_000_000


def test_a_model_and_a_recipe_share_a_table(study, tmp_path):
    done, data = study
    copy = tmp_path / "study"
    shutil.copytree(done.study_dir, copy)
    found = hilum.anomaly(copy / "tiny/model.safetensors", data, beside=SMALL, rate=0.1, replicates=20, test=True)
    assert found.folder == copy / "tiny/anomaly"
    names = [each.name for each in found.assessments]
    assert names == ["error", "density", "error-or-density", "gaussian", "kde", "knn", "patches"]
    assert set(found.assessments[0].splits) == {"val", "test"} and found.document["rate"] == pytest.approx(0.1)
    assert len(found.document["pairs"]["test"]) == 21
    assert len(read_ledger(copy)) == len(read_ledger(done.study_dir)) + 2
    for picture in found.document["pictures"]:
        assert (found.folder / picture["file"]).exists()
    from hilum.report.anomaly_page import write_anomaly_page

    page = write_anomaly_page(found.folder).read_text()
    assert (
        "Patches: nearest normals" in page and page.count("drawn again") >= 6 and "http" not in page.split("</head>")[1]
    )
