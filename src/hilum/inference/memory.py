"""What a backbone has made of a picture, remembered for as long as a study lasts.

The stages of a study ask the same network about the same pictures: the features that a head is trained on, the choice
of views, the predictions, neighbours, map and anomalies. Embeddings belong to the backbone; logits follow from them by
the head, which is a matrix product. So a head that was trained on a frozen backbone is asked without running it again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
import torch

from hilum.inference.choose import some_of, state_digest
from hilum.inference.engine import Engine, GraphEngine, Outputs, wanted_engine
from hilum.inference.parity import compare
from hilum.inference.torch_engine import TorchEngine, evaluating
from hilum.models.classifier import Classifier
from hilum.transforms.preprocessing import Preprocessing

ROOM = 64 << 20
"""Bytes of embeddings that are kept; when there are more, all are forgotten. 64 MB is 12,000 of MobileNetV2's."""


class Memory:
    """Embeddings by the backbone that was asked last, by the content of the picture."""

    def __init__(self, room: int = ROOM) -> None:
        self.room, self.used = room, 0
        self.backbone = ""
        self.engine: Engine | None = None
        self.answers: dict[bytes, np.ndarray] = {}

    def belongs_to(self, backbone: str, engine: Engine) -> None:
        """From now on this engine is asked; what another backbone said is forgotten."""
        if backbone != self.backbone:
            self._forget()
        self.backbone, self.engine = backbone, engine

    def embed(self, engine: Engine, canvases: np.ndarray) -> np.ndarray:
        """As `engine.embed`; only pictures that it has not seen are run."""
        keys = [hashlib.blake2b(np.ascontiguousarray(each).data, digest_size=16).digest() for each in canvases]
        new = {key: row for row, key in enumerate(keys) if key not in self.answers}
        fresh = dict(zip(new, engine.embed(canvases[list(new.values())]), strict=True)) if new else {}
        rows = np.stack([fresh[key] if key in fresh else self.answers[key] for key in keys])
        self._keep(fresh)
        return rows

    def _keep(self, fresh: dict[bytes, np.ndarray]) -> None:
        size = sum(answer.nbytes for answer in fresh.values())
        if self.used + size > self.room:
            self._forget()
        if size <= self.room:
            self.answers |= {key: np.array(answer) for key, answer in fresh.items()}
            self.used += size

    def _forget(self) -> None:
        self.answers.clear()
        self.used = 0


class Remembering(GraphEngine):
    """An engine that looks into a memory first.

    Args:
        engine: of a converted network with the same backbone as `model`; its head may be another.
        model: whose head answers.
    """

    def __init__(self, engine: Engine, memory: Memory, model: Classifier) -> None:
        super().__init__(engine.precision)
        self.kind, self.engine, self.memory, self.model = engine.kind, engine, memory, model

    def both(self, canvases: np.ndarray) -> Outputs:
        if not len(canvases):
            return self.engine.both(canvases)
        embedding = self.memory.embed(self.engine, canvases)
        with evaluating(self.model), torch.inference_mode():
            return Outputs(self.model.classify(torch.from_numpy(embedding)).float().numpy(), embedding)

    def embed(self, canvases: np.ndarray) -> np.ndarray:
        return self.memory.embed(self.engine, canvases) if len(canvases) else self.engine.embed(canvases)


_memory: ContextVar[Memory | None] = ContextVar("memory", default=None)


@contextmanager
def remembering() -> Iterator[None]:
    """Within it, what exact arithmetic gave for a picture is not computed again."""
    token = _memory.set(_memory.get() or Memory())
    try:
        yield
    finally:
        _memory.reset(token)


def with_memory(engine: Engine, model: Classifier, preprocessing: Preprocessing) -> Engine:
    """The engine, looking into the memory where there is one; torch and bfloat16 are not remembered."""
    memory = _memory.get()
    if memory is None or not isinstance(engine, GraphEngine) or engine.precision != "32":
        return engine
    memory.belongs_to(state_digest(model.backbone, preprocessing), engine)
    return Remembering(engine, memory, model)


def recall(model: Classifier, preprocessing: Preprocessing, canvases: Any, engine: str = "auto") -> Remembering | None:
    """The engine that this backbone was run by last, with the head that it has now; None where it was not, or where
    that differs from torch.

    Args:
        canvases: the images; some of them are compared.
        engine: `auto`, or the only kind that will do.
    """
    memory, wanted = _memory.get(), wanted_engine(engine)
    if memory is None or memory.engine is None or wanted not in ("auto", memory.engine.kind) or not len(canvases):
        return None
    if memory.backbone != state_digest(model.backbone, preprocessing):
        return None
    known, sample = Remembering(memory.engine, memory, model), some_of(canvases)
    reference = TorchEngine(model, preprocessing, torch.device("cpu")).both(sample)
    return known if compare(known, sample, reference).holds("32") else None


def has_room(rows: int, dim: int) -> bool:
    """Whether so many embeddings `[rows, dim]` fit into half of the memory that is open; False where none is."""
    memory = _memory.get()
    return memory is not None and 4 * rows * dim <= memory.room / 2
