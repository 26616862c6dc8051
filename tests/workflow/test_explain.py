"""`hilum explain` and `hilum.explain`: overlays, raw maps and a page from whatever can be read; clear refusals."""

import json
import re

import cv2
import numpy as np
import pytest

import hilum
from hilum.cli import explaining
from hilum.cli.main import main
from hilum.errors import DataError, UsageError
from hilum.models import create_model, save_model


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "m.safetensors"
    save_model(
        path,
        create_model("cnn-tiny", num_classes=3, in_channels=1, image_size=48, seed=3),
        labels=("normal", "bacterial", "viral"),
        preprocessing={"image_size": 48, "fit": "pad", "normalisation": "half", "channels": 1},
        recipe={},
        fingerprint="",
        extras={"tta": ["plain", "flip"], "temperature": 1.5},
    )
    return path


@pytest.fixture
def pictures(tmp_path):
    folder, rng = tmp_path / "pictures", np.random.default_rng(0)
    (folder / "more").mkdir(parents=True)
    cv2.imwrite(str(folder / "a.png"), rng.integers(0, 255, (90, 60), dtype=np.uint8))
    cv2.imwrite(str(folder / "more" / "a.jpg"), rng.integers(0, 255, (70, 120), dtype=np.uint8))
    cv2.imwrite(str(folder / "deep.png"), rng.integers(0, 65535, (50, 50), dtype=np.uint16))
    return folder


def run(capsys, *words):
    with pytest.raises(SystemExit) as stop:
        main(["explain", *map(str, words)])
    said = capsys.readouterr()
    return stop.value.code or 0, said.out, said.err


def test_a_folder_gives_overlays_raw_maps_and_a_page(capsys, model, pictures, tmp_path):
    (pictures / "broken.jpg").write_bytes(b"no picture")
    code, out, err = run(capsys, model, pictures, "--out", tmp_path / "out", "--json")
    document = json.loads(out)
    assert code == 3 and len(document["images"]) == 3
    assert [each["code"] for each in document["rejected"]] == ["not-an-image"] and "broken.jpg" in err
    names = [each["overlay"] for each in document["images"]]
    assert sorted(names) == ["a-2.png", "a.png", "deep.png"]
    for each in document["images"]:
        overlay = cv2.imread(str(tmp_path / "out" / each["overlay"]))
        raw = np.load(tmp_path / "out" / each["map"])
        height, width = cv2.imread(each["image_path"], cv2.IMREAD_UNCHANGED).shape[:2]
        assert overlay.shape == (height, width, 3)
        assert raw.dtype == np.float32 and raw.shape == (6, 6) and raw.min() >= 0
        assert each["label"] == each["said"] == max(each["probs"], key=each["probs"].get)
        assert all(0 <= at <= 1 for at in each["hottest"])
    page = (tmp_path / "out" / "explain.html").read_text()
    assert page.count("<img") == 3 and "no exam was held" in page and "broken.jpg" in page
    assert not re.search(r"(?:src|href)=\"https?:", page)


def test_probabilities_are_those_of_a_prediction(model, pictures):
    predictor = hilum.load(model, device="cpu")
    for name in ("a.png", "more/a.jpg", "deep.png"):
        explained, predicted = predictor.explain(pictures / name), predictor.predict(pictures / name, force=True)
        assert explained.probs == pytest.approx(dict(predicted.probs), abs=1e-5)
        assert explained.label == predicted.label


def test_every_way_in_gives_the_same_map(model, pictures):
    predictor = hilum.load(model, device="cpu")
    path = pictures / "a.png"
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    found = [predictor.explain(way, target="viral") for way in (path, str(path), path.read_bytes(), pixels)]
    for each in found[1:]:
        np.testing.assert_array_equal(each.cam, found[0].cam)
        np.testing.assert_array_equal(each.overlay, found[0].overlay)
    assert found[0].heat.shape == (90, 60) and "<img" in found[0]._repr_html_()
    assert found[0].question == "what speaks for viral"


def test_a_named_class_and_a_difference_are_other_maps(model, pictures, tmp_path):
    wishes = ({"target": "normal"}, {"target": "viral"}, {"target": "viral", "against": "normal"})
    maps = []
    for number, wish in enumerate(wishes):
        explained = hilum.explain(model, pictures / "a.png", out=tmp_path / str(number), device="cpu", **wish)
        maps.append(np.load(explained.folder / "a.npy"))
        assert explained.document["images"][0]["label"] == wish["target"]
    assert not np.allclose(maps[0], maps[1]) and not np.allclose(maps[1], maps[2])
    assert "rather than normal" in (tmp_path / "2" / "explain.html").read_text()


def test_the_exam_of_the_models_study_is_told(model, pictures, tmp_path):
    verdicts = [{"test": test, "state": "pass", "sentence": ""} for test in ("randomised", "deletion", "in_lungs")]
    verdicts.append({"test": "at_border", "state": "fail", "sentence": ""})
    copy = tmp_path / "run" / "model.safetensors"
    (copy.parent / "inspection" / "cam").mkdir(parents=True)
    copy.write_bytes(model.read_bytes())
    exam = {"shown": "layercam", "methods": {"gradcam": {"verdicts": verdicts}}}
    (copy.parent / "inspection" / "cam" / "exam.json").write_text(json.dumps(exam))
    page = hilum.explain(copy, pictures / "a.png", out=tmp_path / "out", device="cpu").page.read_text()
    assert "Grad-CAM can be believed, and they say that the network looks at the border too much" in page


def test_the_newest_study_is_taken_when_no_model_is_named(capsys, model, pictures, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(explaining, "bundled_model", lambda suffixes: model)
    code, out, _ = run(capsys, pictures / "a.png", "--out", tmp_path / "boxed")
    assert code == 0 and (tmp_path / "boxed" / "explain.html").exists()
    run_dir = tmp_path / "runs" / "mine" / "tiny"
    run_dir.mkdir(parents=True)
    (run_dir / "model.safetensors").write_bytes(model.read_bytes())
    (tmp_path / "runs" / "mine" / "study.json").write_text('{"chosen_run": "tiny"}')
    code, out, _ = run(capsys, pictures / "a.png")
    assert code == 0 and "tiny/model.safetensors" in out and (tmp_path / "runs" / "explain" / "a.png").exists()


BAD = {
    "no picture": ([], 2, "at least one picture"),
    "no such path": (["nowhere.jpg"], 4, "nowhere.jpg: expected a file or a folder"),
    "unknown class": (["a.png", "--target", "cold"], 2, "--target: expected one of normal, bacterial, viral"),
    "unknown other class": (["a.png", "--against", "cold"], 2, "--against: expected one of normal"),
    "itself": (["a.png", "--target", "viral", "--against", "viral"], 2, "viral against itself"),
    "no transformer": (["a.png", "--method", "rollout"], 2, "expected a ViT"),
    "no such layer": (["a.png", "--layer", "attic"], 2, "layer 'attic'"),
    "nothing readable": (["text.jpg"], 4, "expected readable X-rays"),
    "no pictures inside": (["empty"], 4, "at least one X-ray"),
    "out is a file": (["a.png", "--out", "a.png"], 2, "--out: expected a folder"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_clear_line(capsys, model, pictures, monkeypatch, case):
    monkeypatch.chdir(pictures)
    (pictures / "text.jpg").write_text("not a picture")
    (pictures / "empty").mkdir()
    words, expected, said = BAD[case]
    code, out, err = run(capsys, model, *words)
    assert code == expected and said in err and not out
    assert len(err.splitlines()) == 1 and "Traceback" not in err


def test_what_is_no_model_is_one_clear_line(capsys, pictures):
    (pictures / "no.safetensors").write_bytes(b"no")
    (pictures / "m.onnx").write_bytes(b"no")
    for name, said in (("no.safetensors", "no.safetensors"), ("m.onnx", "a model file with weights")):
        code, _, err = run(capsys, pictures / name, pictures / "a.png")
        assert code in (2, 4) and said in err and len(err.splitlines()) == 1


def test_python_raises_the_same_errors(model, pictures):
    with pytest.raises(UsageError, match="one of normal"):
        hilum.explain(model, pictures / "a.png", target="cold")
    with pytest.raises(DataError, match="a file or a folder"):
        hilum.explain(model, pictures / "gone.png")
