"""One image, one prediction: from a path, bytes, pixels or an Image, always the same."""

import cv2
import numpy as np
import pytest

from hilum.errors import ImageRejected
from hilum.images import read_image
from hilum.models import create_model, load_model, save_model
from hilum.serving.predictor import Predictor
from hilum.transforms import Preprocessing

PREPROCESSING = Preprocessing(image_size=32, normalisation="half", channels=1)


@pytest.fixture
def predictor(tmp_path):
    model = create_model("cnn-tiny", num_classes=3, in_channels=1, image_size=32, seed=3)
    save_model(
        tmp_path / "m.safetensors",
        model,
        labels=("normal", "bacterial", "viral"),
        preprocessing=PREPROCESSING.to_json(),
        recipe={},
        fingerprint="",
        extras={"tta": ["plain", "flip"]},
    )
    return Predictor.load(tmp_path / "m.safetensors", device="cpu")


@pytest.fixture
def picture(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (50, 40), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "x.png"), pixels)
    return tmp_path / "x.png", pixels


def test_every_way_in_gives_the_same_answer(predictor, picture):
    path, pixels = picture
    answers = [predictor.predict(way) for way in (path, str(path), path.read_bytes(), pixels, read_image(path))]
    assert len({tuple(answer.probs.values()) for answer in answers}) == 1
    assert answers[0].name == "x.png" and answers[2].name == ""
    assert sum(answers[0].probs.values()) == pytest.approx(1)
    assert answers[0].label == max(answers[0].probs, key=answers[0].probs.get)


def test_it_is_the_mean_of_the_views_that_the_file_names(predictor, picture, tmp_path):
    import torch

    from hilum.transforms import to_canvas
    from hilum.transforms.normalise import normalise

    model, _ = load_model(tmp_path / "m.safetensors")
    canvas = to_canvas(picture[1], PREPROCESSING)
    views = torch.from_numpy(np.stack([canvas, canvas[:, ::-1]]))
    with torch.inference_mode():
        probs = model(normalise(views, normalisation="half", channels=1)).softmax(1).mean(0)
    np.testing.assert_allclose(list(predictor.predict(picture[0]).probs.values()), probs.numpy(), atol=1e-5)


def test_a_file_that_is_no_picture(predictor, tmp_path):
    (tmp_path / "no.jpg").write_text("no")
    with pytest.raises(ImageRejected):
        predictor.predict(tmp_path / "no.jpg")
