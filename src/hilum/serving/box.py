"""The model in the box: what predicts when no model is named."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hilum.errors import ModelFileError

PLACE = Path(__file__).parents[1] / "box"
"""A folder of the package that may hold one model, exported or as a `.safetensors` file."""

SUFFIXES = (".onnx", ".xml", ".safetensors")
"""Of files that are models; the exported ones start faster and come first."""


def bundled_model(place: Path = PLACE, suffixes: Sequence[str] = SUFFIXES) -> Path:
    """The model that ships inside the package.

    Args:
        suffixes: of files that will do, the most wanted first; heat maps take the weights, `.safetensors`.

    Raises:
        ModelFileError: this copy of hilum ships none.
    """
    for suffix in suffixes:
        found = sorted(place.glob(f"*{suffix}"))
        if found:
            return found[0]
    raise ModelFileError(
        "no model was named",
        expected="a model file before the images, such as runs/STUDY/RUN/model.safetensors",
        found="none, and this copy of hilum has no model in the box",
        way_out="`hilum study DATA` trains one; give its path first.",
    )
