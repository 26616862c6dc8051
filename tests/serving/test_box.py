"""The model that ships inside the package: it is there, small, whole, and both of its files say the same."""

import json

import numpy as np
import pytest

from hilum.cli.main import main
from hilum.data.phantom import draw_dataset
from hilum.images.encode import to_png
from hilum.inspection.gate import Gate
from hilum.models.modelfile import read_header, verify_model
from hilum.serving.box import PLACE, bundled_model
from hilum.serving.predictor import Predictor

WEIGHTS = PLACE / "small.safetensors"


@pytest.fixture(scope="module")
def drawn():
    return [each.pixels for each in draw_dataset(images=6, size=256, seed=4)][:6]


def test_each_file_is_below_five_megabytes_and_whole():
    assert {bundled_model().name, bundled_model(suffixes=(".safetensors",)).name} == {"small.onnx", "small.safetensors"}
    assert all(path.stat().st_size < 5_000_000 for path in (bundled_model(), WEIGHTS))
    assert verify_model(WEIGHTS).labels == ("NORMAL", "PNEUMONIA")


def test_both_files_give_the_same_probabilities(drawn):
    exported, weights = Predictor.load(bundled_model()), Predictor.load(WEIGHTS, device="cpu")
    for pixels in drawn:
        one, other = (list(each.predict(pixels, force=True).probs.values()) for each in (exported, weights))
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_it_knows_what_it_must_not_be_asked():
    gate = Gate.from_json(read_header(WEIGHTS).extras["gate"])
    assert gate.rejection == 0.01 and gate.refused <= 0.02 * gate.tried_on
    card = (PLACE / "README.md").read_text()
    assert "CC BY 4.0" in card and "not a medical device" in card and "Where it fails" in card


def test_a_picture_alone_is_enough(drawn, tmp_path, capsys):
    (tmp_path / "one.png").write_bytes(to_png(drawn[0]))
    with pytest.raises(SystemExit) as stopped:
        main(["predict", str(tmp_path / "one.png"), "--force", "--json"])
    (line,) = capsys.readouterr().out.splitlines()
    assert stopped.value.code == 0 and json.loads(line)["label"] in ("NORMAL", "PNEUMONIA")
