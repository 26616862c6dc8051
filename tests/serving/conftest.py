"""A small model file with everything that a study puts into it, its exports, and drawn pictures."""

import cv2
import numpy as np
import pytest

from hilum.data.phantom import draw_dataset
from hilum.models import create_model, save_model
from hilum.transforms import Preprocessing

SIDE = 32
LABELS = ("normal", "bacterial", "viral")


@pytest.fixture(scope="session")
def model_file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    points = [
        {"name": "youden", "label": "viral", "threshold": 0.2},
        {"name": "youden", "label": "bacterial", "threshold": 0.9},
    ]
    save_model(
        folder / "m.safetensors",
        create_model("cnn-tiny", num_classes=3, in_channels=1, image_size=SIDE, seed=3),
        labels=LABELS,
        preprocessing=Preprocessing(image_size=SIDE, normalisation="half", channels=1).to_json(),
        recipe={"name": "tiny"},
        fingerprint="f",
        extras={"tta": ["plain", "flip"], "temperature": 1.7, "operating_points": points},
    )
    return folder / "m.safetensors"


@pytest.fixture(scope="session")
def exports(model_file):
    from hilum.workflow.export import ExportOptions, export_model

    return {name: export_model(model_file, ExportOptions(format=name)).path for name in ("onnx", "openvino")}


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    """Forty drawn X-rays as PNG, one of them text, one empty."""
    folder = tmp_path_factory.mktemp("pictures")
    drawn = draw_dataset(images=38, size=64)
    for number in range(38):
        pixels = (255 * drawn[number].intensity).astype(np.uint8)
        cv2.imwrite(str(folder / f"{number:02}.png"), pixels)
    (folder / "38.jpg").write_text("no picture")
    (folder / "39.png").write_bytes(b"")
    return folder
