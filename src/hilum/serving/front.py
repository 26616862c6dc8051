"""`hilum.load` and `hilum.predict`: nothing here imports torch or pandas before it is needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from hilum.serving.box import bundled_model
from hilum.serving.inputs import find_sources, open_sources
from hilum.serving.prediction import Outcome
from hilum.serving.predictor import Predictor
from hilum.serving.stream import predict_many


def load(path: str | Path | None = None, *, device: str = "auto", engine: str = "auto") -> Predictor:
    """A model, ready to predict.

    Args:
        path: a model file (`.safetensors`) or an exported model (`.onnx`, OpenVINO `.xml`; these need no torch); None
            takes the model that ships with hilum.
        device: `auto`, `cpu`, `cuda` or `mps`.
        engine: `auto`, or `torch`, `openvino`, `onnxruntime`.

    Raises:
        ModelFileError: no model file of hilum, or a damaged one.
    """
    return Predictor.load(bundled_model() if path is None else path, device=device, engine=engine)


def predict(
    paths: str | Path | Sequence[str | Path],
    *,
    model: str | Path | Predictor | None = None,
    untrusted: bool = False,
    force: bool = False,
    device: str = "auto",
    engine: str = "auto",
) -> Iterator[Outcome]:
    """Predicts files, folders and zip archives, an image at a time; one that cannot be read stops nothing.

    Args:
        paths: one or several.
        model: a model file, a loaded one, or None for the model that ships with hilum.
        untrusted: decode in child processes that can be killed.
        force: also predict what is no frontal chest X-ray; a warning says so.

    Yields:
        One outcome an image: its name, and the prediction or the reason why there is none.

    Raises:
        ModelFileError: no model file, or a damaged one.
        DataError: none of the paths is there, or nothing looks like an image.
    """
    given = [paths] if isinstance(paths, (str, Path)) else paths
    predictor = model if isinstance(model, Predictor) else load(model, device=device, engine=engine)
    files, images = find_sources([Path(path) for path in given])
    sources = open_sources(files)
    if not untrusted:
        yield from predict_many(predictor, sources, images=images, force=force, engine=engine)
        return
    import os

    from hilum.images.sandbox import Sandbox

    workers = os.cpu_count() or 1
    with Sandbox(workers=workers) as sandbox:
        yield from predict_many(
            predictor, sources, images=images, read=sandbox.read, force=force, threads=workers, engine=engine
        )
