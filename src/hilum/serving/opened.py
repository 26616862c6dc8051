"""A file of a model, opened: an engine that runs it, what it says of itself, and the network where there is torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hilum.errors import HilumError, ModelFileError, UsageError
from hilum.inference.engine import TITLES, Engine, installed_engines, open_graph, wanted_engine
from hilum.inference.exported import OPENVINO, ExportedHeader, is_exported, read_exported
from hilum.inference.probe import check_probe
from hilum.models.modelfile import ModelHeader

if TYPE_CHECKING:
    from hilum.models import Classifier

MANY = 200
"""Images from which on it pays to see whether OpenVINO is the faster one for an ONNX file."""
CLEARLY = 1.2


@dataclass
class OpenedModel:
    """What `open_model` gives.

    Args:
        path: the file.
        header: of the model file.
        engine: what runs it.
        model: the network, where the file is a `.safetensors` one; None for exported files.
        device: torch's, for the network; None for exported files.
        exported: what an exported file says of itself.
    """

    path: Path
    header: ModelHeader
    engine: Engine
    model: Classifier | None = None
    device: Any = None
    exported: ExportedHeader | None = None


def open_model(path: Path, *, device: str = "auto", engine: str = "auto") -> OpenedModel:
    """Opens a `.safetensors`, `.onnx` or `.xml` file; torch is imported for the first kind only.

    Raises:
        ModelFileError: no model file of hilum, a damaged one, or one that no engine here runs as it ran when written.
        UsageError: a device or an engine that is not there.
    """
    if is_exported(path):
        return _open_exported(path, wanted_engine(engine), device)
    return _open_network(path, device)


def _open_network(path: Path, device: str) -> OpenedModel:
    from hilum.inference.device import choose_device
    from hilum.inference.torch_engine import TorchEngine
    from hilum.models import load_model
    from hilum.transforms import Preprocessing

    model, header = load_model(path)
    place = choose_device(device)
    engine = TorchEngine(model, Preprocessing(**header.preprocessing), place)
    return OpenedModel(path, header, engine, model, place)


def _open_exported(path: Path, wanted: str, device: str) -> OpenedModel:
    if device not in ("auto", "cpu"):
        way_out = "Use the .safetensors file on other devices."
        raise UsageError("--device", expected="cpu for an exported model", found=device, way_out=way_out)
    exported = read_exported(path)
    return OpenedModel(path, exported.header, _engine_of(path, exported, wanted), exported=exported)


def _engine_of(path: Path, exported: ExportedHeader, wanted: str) -> Engine:
    """The first engine that gives what the file says that it should."""
    reasons = []
    for kind in _kinds(path, wanted):
        try:
            engine = open_graph(kind, path)
            engine.precision = exported.precision
            check_probe(engine, exported)
        except (RuntimeError, ValueError, HilumError) as error:  # both libraries raise RuntimeError and its children
            reasons.append(f"{TITLES[kind]}: {(str(error).splitlines() or [type(error).__name__])[0][:150]}")
        else:
            return engine
    found = "; ".join(reasons) or "neither onnxruntime nor openvino is installed"
    way_out = "pip install onnxruntime openvino, or use the .safetensors file."
    raise ModelFileError(f"exported model {path.name}", expected="an engine that runs it", found=found, way_out=way_out)


def _kinds(path: Path, wanted: str) -> tuple[str, ...]:
    """Engines in the order in which they start fastest."""
    here = installed_engines()
    able = tuple(kind for kind in ("onnxruntime", "openvino") if kind in here)
    if path.suffix.lower() == OPENVINO:
        able = tuple(kind for kind in able if kind == "openvino")
    if wanted in ("auto", "torch"):
        return able
    if wanted not in able:
        raise UsageError(f"engine {wanted}", expected=f"one of {', '.join(able)} for {path.name}", found=wanted)
    return (wanted,)


def best_for_many(opened: OpenedModel, canvases: np.ndarray, images: int, *, engine: str = "auto") -> Engine:
    """The engine for a whole folder: measured on its first batch, and checked there against the one that is open.

    Args:
        canvases: uint8 `[B, S, S]`, the first batch.
        images: how many there are in all, as far as is known.
    """
    if opened.model is not None:
        return _best_for_network(opened, canvases, images, engine)
    wanted = wanted_engine(engine)
    if images < MANY or wanted not in ("auto", "openvino") or "openvino" not in installed_engines():
        return opened.engine
    from hilum.inference.parity import compare

    try:
        other = open_graph("openvino", opened.path, batches=True)
        other.precision = opened.engine.precision
        holds = compare(other, canvases, opened.engine.both(canvases)).holds(opened.engine.precision)
    except RuntimeError:
        return opened.engine
    if not holds:
        return opened.engine
    now, then = (min(_seconds(each, canvases) for _ in range(2)) for each in (opened.engine, other))
    return other if now > CLEARLY * then else opened.engine


def _best_for_network(opened: OpenedModel, canvases: np.ndarray, images: int, engine: str) -> Engine:
    from hilum.inference.choose import choose_engine
    from hilum.transforms import Preprocessing, make_views

    assert opened.model is not None
    passes = len(make_views(opened.header.extras.get("tta", ("plain",)))) * max(1, images // max(1, len(canvases)))
    preprocessing = Preprocessing(**opened.header.preprocessing)
    return choose_engine(
        opened.model, preprocessing, canvases, place=opened.device, passes=passes, engine=engine
    ).engine


def _seconds(engine: Engine, canvases: np.ndarray) -> float:
    import time

    began = time.perf_counter()
    engine.both(canvases)
    return time.perf_counter() - began
