"""A model file as an ONNX file or an OpenVINO pair that needs no torch, compared with torch before it is kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from hilum.errors import ModelFileError, UsageError
from hilum.inference.engine import Engine, Outputs, installed_engines, open_graph
from hilum.inference.exported import KEY, ONNX, OPENVINO, ExportedHeader, with_metadata
from hilum.inference.graph import to_onnx
from hilum.inference.parity import PROBABILITY, Parity, difference
from hilum.inference.probe import probe_canvases
from hilum.inference.torch_engine import TorchEngine
from hilum.models.classifier import Classifier
from hilum.models.modelfile import ModelHeader
from hilum.transforms.preprocessing import Preprocessing

BATCH = 16


@dataclass(frozen=True)
class Exported:
    """What was written.

    Args:
        path: the `.onnx` or `.xml` file.
        exported: what it says of itself.
    """

    path: Path
    exported: ExportedHeader


def write_export(
    path: Path,
    model: Classifier,
    header: ModelHeader,
    *,
    source: Mapping[str, str],
    canvases: Any,
    of: str,
    calibrate_on: Any | None = None,
    calibration: Mapping[str, Any] | None = None,
) -> Exported:
    """Converts, compares with torch, and writes; beside and renamed into place.

    Args:
        path: `.onnx`, or `.xml` for OpenVINO, whose weights go into a `.bin` beside it.
        source: `file` and `sha256` of the model file.
        canvases: uint8 `[N, S, S]`, on which the two are compared.
        of: where those come from, for the header.
        calibrate_on: training canvases for int8 arithmetic; None writes fp32.
        calibration: what the header says of them.

    Raises:
        ModelFileError: a network that cannot be written, or whose export differs from torch by more than is allowed.
        UsageError: the package that writes or runs the format is not installed.
    """
    if path.suffix not in (ONNX, OPENVINO):
        raise UsageError("--out", expected=f"a name that ends in {ONNX} or {OPENVINO}", found=path.name)
    kind = "openvino" if path.suffix == OPENVINO or "onnxruntime" not in installed_engines() else "onnxruntime"
    preprocessing = Preprocessing(**header.preprocessing)
    graph = to_onnx(model, preprocessing)
    precision = "32" if calibrate_on is None else "int8"
    if calibrate_on is not None:
        graph = quantise(graph, calibrate_on)
    engine = open_graph(kind, graph)
    parity = _difference(engine, model, preprocessing, canvases)
    if parity.probability > PROBABILITY["32"] and precision == "32":
        raise ModelFileError(
            f"export of {model.name}",
            expected=f"probabilities that are torch's within {PROBABILITY['32']:g}",
            found=str(parity),
            way_out="Use the .safetensors file: hilum reads it everywhere.",
        )
    about = {"images": parity.images, "of": of, "probability": parity.probability, "embedding": parity.embedding}
    teller = engine if precision == "int8" else TorchEngine(model, preprocessing, torch.device("cpu"))
    probe = teller.logits(probe_canvases(preprocessing.image_size)).tolist()
    exported = ExportedHeader(header, dict(source), precision, about, calibration, probe, "")
    write = _write_openvino if path.suffix == OPENVINO else _write_onnx
    return Exported(path, write(path, graph, exported))


def write_again(written: Exported, calibration: Mapping[str, Any]) -> Exported:
    """The same export with more to say of its calibration: what it changed, which takes the export to know."""
    exported = replace(written.exported, calibration=dict(calibration))
    if written.path.suffix == OPENVINO:
        import openvino

        network = openvino.Core().read_model(str(written.path))
        return Exported(written.path, _save_openvino(written.path, network, exported))
    data = written.path.read_bytes()
    graph = data[: len(data) - len(with_metadata(b"", _text(written.exported)))]
    return Exported(written.path, _write_onnx(written.path, graph, exported))


def _difference(engine: Engine, model: Classifier, preprocessing: Preprocessing, canvases: Any) -> Parity:
    reference = TorchEngine(model, preprocessing, torch.device("cpu"))
    parts: list[tuple[Outputs, Outputs]] = []
    for start in range(0, len(canvases), BATCH):
        batch = np.array(canvases[start : start + BATCH])
        parts.append((engine.both(batch), reference.both(batch)))
    found, expected = (Outputs(*map(np.concatenate, zip(*each, strict=True))) for each in zip(*parts, strict=True))
    return difference(found, expected)


def _text(exported: ExportedHeader) -> str:
    return json.dumps(exported.to_json(), sort_keys=True, separators=(",", ":"), allow_nan=False)


def _write_onnx(path: Path, graph: bytes, exported: ExportedHeader) -> ExportedHeader:
    exported = replace(exported, sha256=hashlib.sha256(graph).hexdigest())
    with _in_place([path]) as (partial,):
        partial.write_bytes(with_metadata(graph, _text(exported)))
    return exported


def _write_openvino(path: Path, graph: bytes, exported: ExportedHeader) -> ExportedHeader:
    from hilum.inference.openvino_engine import read_network

    return _save_openvino(path, read_network(graph)[1], exported)


def _save_openvino(path: Path, network: Any, exported: ExportedHeader) -> ExportedHeader:
    import openvino

    with TemporaryDirectory(dir=path.parent, prefix=".export-") as folder:
        draft = Path(folder) / path.name
        # Written twice: the digest of the weights, which the second one names, is known after the first.
        for _ in range(2):
            network.set_rt_info(_text(exported), KEY)
            openvino.save_model(network, draft, compress_to_fp16=False)
            with draft.with_suffix(".bin").open("rb") as file:
                exported = replace(exported, sha256=hashlib.file_digest(file, "sha256").hexdigest())
        draft.with_suffix(".bin").replace(path.with_suffix(".bin"))
        draft.replace(path)
    return exported


@contextmanager
def _in_place(paths: Sequence[Path]) -> Iterator[list[Path]]:
    partial = [path.with_name(path.name + ".partial") for path in paths]
    try:
        yield partial
        for one, path in zip(partial, paths, strict=True):
            one.replace(path)
    finally:
        for one in partial:
            one.unlink(missing_ok=True)


def quantise(graph: bytes, canvases: Any) -> bytes:
    """An ONNX graph whose convolutions and matrix products are computed in int8.

    Scales of weights are per channel; those of activations are the smallest and largest values that the pictures give
    (ONNX Runtime's static quantisation, Jacob et al., CVPR 2018).

    Args:
        canvases: uint8 `[N, S, S]`, from training.

    Raises:
        UsageError: onnxruntime or onnx is not installed.
    """
    try:
        from hilum.inference.quantise import quantise_graph
    except ImportError as error:
        way_out = "pip install onnx onnxruntime"
        raise UsageError("--int8", expected="onnx and onnxruntime", found=f"no {error.name}", way_out=way_out) from None
    return quantise_graph(graph, canvases)
