"""One interface over torch, OpenVINO and ONNX Runtime: canvases in, logits and embeddings out. Imports none of them."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from hilum.errors import UsageError

ENGINES = ("auto", "torch", "openvino", "onnxruntime")
"""What may be asked for, by argument or by the environment variable HILUM_ENGINE."""

FASTEST_FIRST = ("openvino", "onnxruntime")
"""Engines that run a converted network, in the order that was measured (docs/decisions, 0008)."""

PRECISIONS = ("32", "bf16", "auto", "features")
"""`auto` is bf16 where the processor computes with it and the results hold, else 32; `features` where its noise is
small beside what tells pictures apart, which is enough to train a head on."""

TITLES = {"torch": "torch", "openvino": "OpenVINO", "onnxruntime": "ONNX Runtime"}


class Outputs(NamedTuple):
    """What a network says of a batch: logits `[B, K]` and embedding `[B, D]`, float32."""

    logits: np.ndarray
    embedding: np.ndarray


class Engine(Protocol):
    """A network ready to run.

    Attributes:
        kind: `torch`, `openvino` or `onnxruntime`.
        precision: of its arithmetic: `32`, `bf16` or `int8`.
    """

    kind: str
    precision: str

    def logits(self, canvases: np.ndarray) -> np.ndarray:
        """uint8 `[B, S, S]` -> float32 `[B, K]`."""
        ...

    def embed(self, canvases: np.ndarray) -> np.ndarray:
        """uint8 `[B, S, S]` -> float32 `[B, D]`."""
        ...

    def both(self, canvases: np.ndarray) -> Outputs:
        """uint8 `[B, S, S]` -> both, in one pass."""
        ...


class GraphEngine:
    """What OpenVINO and ONNX Runtime share: one call gives both outputs."""

    kind = ""

    def __init__(self, precision: str) -> None:
        self.precision = precision

    def both(self, canvases: np.ndarray) -> Outputs:
        raise NotImplementedError

    def logits(self, canvases: np.ndarray) -> np.ndarray:
        return self.both(canvases).logits

    def embed(self, canvases: np.ndarray) -> np.ndarray:
        return self.both(canvases).embedding


def describe(engine: Engine) -> str:
    """Name, version and arithmetic, such as `OpenVINO 2026.4.1 fp32`: what a predictions file says made it."""
    precision = {"32": "fp32"}.get(engine.precision, engine.precision)
    return f"{TITLES[engine.kind]} {_version(engine.kind)} {precision}".replace("  ", " ")


def _version(package: str) -> str:
    """Of a package that runs, so it is imported: asking the installation would take as long as a prediction."""
    said = str(getattr(sys.modules.get(package), "__version__", ""))
    return said.partition("-")[0].partition("+")[0]


def installed_engines() -> tuple[str, ...]:
    """Which of `FASTEST_FIRST` this Python has, in that order."""
    return tuple(kind for kind in FASTEST_FIRST if find_spec(kind) is not None)


def wanted_engine(engine: str = "auto") -> str:
    """The engine that was asked for; `auto` leaves it to HILUM_ENGINE, if that is set.

    Raises:
        UsageError: an unknown name.
    """
    named = engine if engine != "auto" else os.environ.get("HILUM_ENGINE") or "auto"
    if named not in ENGINES:
        what = "engine" if engine != "auto" else "HILUM_ENGINE"
        raise UsageError(what, expected=f"one of {', '.join(ENGINES)}", found=named)
    return named


def open_graph(
    kind: str, graph: bytes | Path, *, precision: str = "32", threads: int | None = None, batches: bool = False
) -> Engine:
    """A converted network in the engine of this name.

    Args:
        kind: `openvino` or `onnxruntime`.
        graph: ONNX bytes, or a file: `.onnx`, for OpenVINO also `.xml`.
        precision: `32`, or `bf16` (OpenVINO, where the processor has it).
        threads: processor cores to use; None takes those that this process may run on.
        batches: mostly whole batches will come: OpenVINO then gives each core a part of the batch, which is faster
            than all cores on the same image, but slower for a single one.

    Raises:
        UsageError: the package is not installed.
    """
    if find_spec(kind) is None:
        raise UsageError(f"engine {kind}", expected="an installed package", found="none", way_out=f"pip install {kind}")
    if kind == "openvino":
        from hilum.inference.openvino_engine import OpenVinoEngine

        threads = threads or cores()
        return OpenVinoEngine(graph, precision=precision, threads=threads, streams=threads if batches else 1)
    from hilum.inference.onnx_engine import OnnxEngine

    return OnnxEngine(graph, threads=threads or cores())


def cores() -> int:
    """Processor cores that this process may use; OMP_NUM_THREADS bounds them, as it does for torch."""
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return min(there, int(asked)) if asked.isdigit() and int(asked) > 0 else there


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """`[B, K]` -> logarithms of the probabilities, float32 `[B, K]`."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def average_views(scores: np.ndarray) -> np.ndarray:
    """The logarithm of the views' mean probabilities: log-probabilities `[V, B, K]` -> `[B, K]`."""
    highest = scores.max(axis=0)
    return highest + np.log(np.exp(scores - highest).mean(axis=0))
