"""`hilum predict --heatmap`: beside an answer, the picture with what speaks for it."""

from __future__ import annotations

import hashlib
from pathlib import Path

from hilum.errors import ModelFileError
from hilum.serving.explanation import LONGEST, explain_pictures, open_picture
from hilum.serving.prediction import Outcome
from hilum.serving.predictor import Predictor
from hilum.serving.stream import Reader


def write_heatmap(predictor: Predictor, outcome: Outcome, folder: Path, read: Reader) -> Path:
    """Writes the heat map of one predicted image as a PNG.

    Args:
        folder: made when it is not there; the file is called after the image, with a few letters that keep images of
            the same name apart.
        read: what decoded the image.

    Raises:
        ModelFileError: an exported model, which has no gradients.
    """
    if predictor.model is None:
        what = f"heat map with {predictor.opened.path.name}"
        raise ModelFileError(what, expected="a .safetensors model: it takes gradients", found="an exported one")
    folder.mkdir(parents=True, exist_ok=True)
    opened = open_picture(read(outcome.content, shorter_side=LONGEST, name=outcome.name), predictor.preprocessing)
    explained = explain_pictures(
        predictor.model,
        predictor.labels,
        predictor.preprocessing,
        [opened],
        extras=predictor.header.extras,
        device=predictor.device,
    )
    own = hashlib.sha256(outcome.name.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    stem = Path(outcome.name.rpartition("!")[2] or outcome.name).stem
    return explained[0].save(folder / f"{stem}-{own}.png")
