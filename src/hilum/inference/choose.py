"""Which engine runs a network that is in torch: conversion where it pays, parity before it counts, then a race."""

from __future__ import annotations

import hashlib
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from hilum.errors import HilumError, UsageError
from hilum.inference.engine import TITLES, Engine, Outputs, describe, installed_engines, open_graph, wanted_engine
from hilum.inference.parity import compare
from hilum.inference.torch_engine import TorchEngine
from hilum.models.classifier import Classifier
from hilum.transforms.preprocessing import Preprocessing

WORTH = 4.0
"""Seconds of torch from which on a conversion, which takes 1 to 3, pays."""

OPERATIONS, LAYER = 5e10, 2e-4
"""Multiply-adds a second, and seconds a layer, of torch on two cores: a rough guess, and the same on every machine, so
that a study takes the same engine wherever it runs."""

CLEARLY = 1.3
"""How many times as fast a later engine of `FASTEST_FIRST` has to be: a race on a busy machine does not decide."""

LARGEST_KEPT = 100_000_000
"""Bytes of a graph that is kept for another arithmetic; a larger one is written again if that is asked for."""

PROBE, RACE = 8, 32
"""Images that are compared with torch, and images of the race."""


@dataclass(frozen=True)
class Choice:
    """The engine that runs, and in words which one and, where it is torch for want of another, why."""

    engine: Engine
    words: str


@dataclass
class _Converted:
    """What was made of one state of a network."""

    write: Callable[[], bytes] = bytes
    graph: bytes | None = None
    why_not: str = ""
    engines: dict[str, Engine] = field(default_factory=dict)
    chosen: dict[str, str] = field(default_factory=dict)

    def written(self) -> bytes:
        """The graph, written when it is not there.

        Raises:
            ModelFileError: torch cannot write it.
        """
        if self.graph is None:
            self.graph = self.write()
        return self.graph

    def keep(self, engine: Engine) -> None:
        """Lets go of what lost the race: each engine holds all weights once more, and so does the graph."""
        self.engines = {name: each for name, each in self.engines.items() if each is engine or name in self._in_use()}
        if self.graph is not None and len(self.graph) > LARGEST_KEPT:
            self.graph = None

    def _in_use(self) -> set[str]:
        return {f"{kind} {wish.split()[0]}" for wish, kind in self.chosen.items()}


_CONVERTED: weakref.WeakKeyDictionary[nn.Module, tuple[tuple[Any, ...], _Converted]] = weakref.WeakKeyDictionary()
"""The state that a network had, and what was made of it."""

_LATEST: dict[str, _Converted] = {}
"""What was made of the weights that were converted last, by their digest: a study reads its model file again at each
of its stages, and the same weights need not be converted and raced each time."""


def choose_engine(
    model: Classifier,
    preprocessing: Preprocessing,
    canvases: Any,
    *,
    place: torch.device,
    precision: str = "32",
    passes: int = 1,
    engine: str = "auto",
) -> Choice:
    """The engine for these images.

    On a GPU, for few images, and for what is no whole network it is torch. Else the network is converted (once for
    each state of its weights), and what the engines make of some of the images is compared with torch, now and
    whenever they are used again.

    Args:
        canvases: the images; some of them are used for the comparison and the race.
        place: where torch would compute.
        precision: `32`, or what may take its place (`hilum.inference.engine.PRECISIONS`).
        passes: how often each image is going to be run.
        engine: `auto`, or a name to insist on.

    Raises:
        UsageError: an engine that was insisted on is not installed, cannot run the network, or differs from torch.
    """
    wanted = wanted_engine(engine)
    fallback = TorchEngine(model, preprocessing, place, "bf16" if precision == "bf16" else "32")
    if wanted == "torch" or not len(canvases):
        return Choice(fallback, describe(fallback))
    insisted = wanted != "auto"
    if place.type != "cpu" or not isinstance(model, Classifier):
        if insisted:
            found = f"device {place.type}" if place.type != "cpu" else "a part of one"
            raise UsageError(f"engine {wanted}", expected="a whole network on the CPU", found=found)
        return Choice(fallback, describe(fallback))
    if not insisted and passes * len(canvases) * seconds_an_image(model, preprocessing) < WORTH:
        return Choice(fallback, describe(fallback))
    return _converted_choice(model, preprocessing, canvases, fallback, precision, wanted)


def _converted_choice(
    model: Classifier, preprocessing: Preprocessing, canvases: Any, fallback: TorchEngine, precision: str, wanted: str
) -> Choice:
    kinds = installed_engines() if wanted == "auto" else (wanted,)
    sample = some_of(canvases)
    reference = TorchEngine(model, preprocessing, fallback.place).both(sample)
    converted = _state_of(model, preprocessing)
    race = np.concatenate([sample] * -(-RACE // len(sample)))[:RACE]
    reasons = [converted.why_not] if converted.why_not else []
    for each in _precisions(precision, kinds):
        known = converted.chosen.get(f"{each} {wanted}")
        trains = precision == "features"
        runners, more = _runners(converted, (known,) if known else kinds, each, sample, reference, trains)
        reasons += more
        if runners:
            chosen = runners[0] if len(runners) == 1 else _fastest(runners, race)
            converted.chosen[f"{each} {wanted}"] = chosen.kind
            converted.keep(chosen)
            return Choice(chosen, describe(chosen))
    why = "; ".join(reasons) or "neither OpenVINO nor ONNX Runtime is installed"
    if wanted != "auto":
        raise UsageError(f"engine {wanted}", expected="results as torch gives them", found=why)
    return Choice(fallback, f"{describe(fallback)} ({why})")


def some_of(canvases: Any) -> np.ndarray:
    """The images that engines are compared on, evenly spread, uint8 `[B, S, S]`, B at most `PROBE`."""
    rows = np.unique(np.linspace(0, len(canvases) - 1, min(len(canvases), PROBE)).astype(int))
    return np.concatenate([np.array(canvases[row : row + 1]) for row in rows])


def _precisions(precision: str, kinds: tuple[str, ...]) -> tuple[str, ...]:
    """What to try, in order."""
    if precision == "32" or "openvino" not in kinds:
        return ("32",)
    from hilum.inference.openvino_engine import has_bf16

    return ("bf16", "32") if has_bf16() else ("32",)


def _runners(
    converted: _Converted,
    kinds: tuple[str, ...],
    precision: str,
    sample: np.ndarray,
    reference: Outputs,
    trains: bool,
) -> tuple[list[Engine], list[str]]:
    """The engines that give what torch gives, and why others do not run."""
    runners, reasons = list[Engine](), list[str]()
    if converted.why_not:
        return runners, reasons
    for kind in kinds if precision == "32" else ("openvino",):
        name = f"{kind} {precision}"
        try:
            if name not in converted.engines:
                threads, graph = torch.get_num_threads(), converted.written()
                converted.engines[name] = open_graph(kind, graph, precision=precision, threads=threads, batches=True)
            parity = compare(converted.engines[name], sample, reference)
        except (RuntimeError, ValueError, HilumError) as error:  # both libraries raise RuntimeError and its children
            reasons.append(f"{TITLES[kind]}: {(str(error).splitlines() or [type(error).__name__])[0][:120]}")
            continue
        if parity.holds(precision) or (trains and parity.trains):
            runners.append(converted.engines[name])
        else:
            reasons.append(f"{TITLES[kind]} {precision}: {parity}")
    return runners, reasons


def _fastest(runners: list[Engine], race: np.ndarray) -> Engine:
    """The first one, unless a later one is clearly faster."""
    seconds = [min(_timed(each, race) for _ in range(2)) for each in runners]
    best = min(range(len(runners)), key=seconds.__getitem__)
    return runners[best] if seconds[0] > CLEARLY * seconds[best] else runners[0]


def _timed(engine: Engine, race: np.ndarray) -> float:
    began = time.perf_counter()
    engine.both(race)
    return time.perf_counter() - began


def _state_of(model: Classifier, preprocessing: Preprocessing) -> _Converted:
    """What the network was converted to, anew where its weights have changed since."""
    tensors = model.state_dict(keep_vars=True).values()
    state = (preprocessing, *((id(each), each.data_ptr(), _changes(each)) for each in tensors))
    before, known = _CONVERTED.get(model, ((), _Converted()))
    if before != state:
        digest = state_digest(model, preprocessing)
        known = _LATEST.get(digest) or _Converted()
        _CONVERTED[model] = state, known
        known.write = partial(_written, weakref.ref(model), preprocessing)
        if digest not in _LATEST:
            _LATEST.clear()
            _convert(known)
            if known.graph is not None and len(known.graph) <= LARGEST_KEPT:
                _LATEST[digest] = known
    known.write = partial(_written, weakref.ref(model), preprocessing)  # whoever else had these weights may be gone
    return known


def _convert(known: _Converted) -> None:
    try:
        known.written()
    except HilumError as error:
        known.why_not = str(error)


def state_digest(network: nn.Module, preprocessing: Preprocessing) -> str:
    """Of everything that a conversion depends on, and the answers beside the picture: architecture and weights."""
    digest = hashlib.sha256(repr((preprocessing, network)).encode())
    for name, value in network.state_dict().items():
        digest.update(f"{name} {value.dtype} {list(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def _written(model: weakref.ref[Classifier], preprocessing: Preprocessing) -> bytes:
    from hilum.inference import graph

    network = model()
    assert network is not None  # whoever asks holds it
    return graph.to_onnx(network, preprocessing)


def _changes(tensor: torch.Tensor) -> int:
    """How often a tensor was written in place; those made in inference mode are not counted by torch."""
    return -1 if tensor.is_inference() else tensor._version


_WORK: weakref.WeakKeyDictionary[nn.Module, float] = weakref.WeakKeyDictionary()


def seconds_an_image(model: Classifier, preprocessing: Preprocessing) -> float:
    """What torch is guessed to take for one image on two cores, from multiply-adds and layers; measured nowhere."""
    if model not in _WORK:
        _WORK[model] = _count(model, preprocessing)
    return _WORK[model]


def _count(model: Classifier, preprocessing: Preprocessing) -> float:
    done = list[float]()

    def note(module: nn.Module, _given: Any, result: torch.Tensor) -> None:
        weight = module.weight
        assert isinstance(weight, torch.Tensor)
        done.append(result.numel() / result.shape[0] * weight[0].numel())

    layers = [each for each in model.modules() if isinstance(each, (nn.Conv2d, nn.Linear, nn.ConvTranspose2d))]
    handles = [each.register_forward_hook(note) for each in layers]
    side = preprocessing.image_size
    try:
        TorchEngine(model, preprocessing, model.device).logits(np.zeros((1, side, side), np.uint8))
    finally:
        for handle in handles:
            handle.remove()
    return sum(done) / OPERATIONS + len(done) * LAYER
