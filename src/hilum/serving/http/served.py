"""The models of a server, each with its thread, its facts and perhaps an index; and the sandbox that they share."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from hilum.errors import UsageError
from hilum.images import Image
from hilum.images.sandbox import Sandbox
from hilum.serving.http.admission import Admission
from hilum.serving.http.cases import Cases
from hilum.serving.http.facts import describe_model
from hilum.serving.http.metrics import Metrics
from hilum.serving.http.problems import Problem
from hilum.serving.http.settings import Settings
from hilum.serving.http.uploads import Memory
from hilum.serving.http.worker import Worker
from hilum.serving.opened import best_for_many
from hilum.serving.predictor import Predictor

T = TypeVar("T")
WARM_UP = 1_000_000
"""Images that a server is expected to see: so many that the fastest engine is worth looking for."""


@dataclass
class Served:
    """One model at work.

    Args:
        name: by which requests ask for it.
        facts: see `describe_model`.
        cases: its index, None without one.
    """

    name: str
    predictor: Predictor
    worker: Worker
    facts: Mapping[str, Any]
    cases: Cases | None = None


class Room:
    """Everything that requests share.

    Args:
        predictors: name -> model; the first is the one that is asked when none is named.
        settings: bounds.
        indexes: model name -> index of neighbours.
    """

    def __init__(
        self, predictors: Mapping[str, Predictor], settings: Settings, indexes: Mapping[str, Path] | None = None
    ) -> None:
        self.settings = settings
        self.memory = Memory(settings.memory_bytes)
        gauges: dict[str, tuple[str, Callable[[], float]]] = {
            "hilum_queue_images": ("Images that wait or are worked on.", lambda: self.admission.images),
            "hilum_upload_bytes": ("Bytes of requests in memory.", lambda: self.memory.used),
            "hilum_ready": ("1 if the server takes requests.", lambda: float(not self.troubles())),
        }
        self.metrics = Metrics(gauges)
        self.admission = Admission(settings.queue, self._rate, self.metrics)
        self.sandbox = Sandbox(settings.workers)
        self._decoders = ThreadPoolExecutor(settings.workers, thread_name_prefix="hilum-decode")
        self.models = {
            name: Served(
                name,
                predictor,
                Worker(predictor, settings.batch_size, self.metrics),
                describe_model(predictor),
                Cases(indexes[name], predictor) if indexes and name in indexes else None,
            )
            for name, predictor in predictors.items()
        }
        self.is_started = False

    async def start(self) -> None:
        """Starts threads and the first child of the sandbox."""
        await self.in_thread(self.sandbox.__enter__)
        for each in self.models.values():
            each.worker.start()
        self.is_started = True

    async def stop(self) -> None:
        """Ends them; to be called when nothing is under way."""
        self.admission.is_draining = True
        for each in self.models.values():
            await each.worker.stop()
        self._decoders.shutdown(wait=True)
        self.sandbox.close()

    def find(self, name: str | None) -> Served:
        """The model of this name.

        Raises:
            Problem: 404.
        """
        if name is None:
            return next(iter(self.models.values()))
        if name not in self.models:
            raise Problem(404, "model", f"The models here: {', '.join(self.models)}.")
        return self.models[name]

    def troubles(self) -> list[str]:
        """Why no request should be sent here now; empty when all is well."""
        found = [] if self.is_started else ["starting"]
        if self.admission.is_draining:
            found.append("shutting down")
        if not self.admission.has_room:
            found.append("queue full")
        found += [f"model {each.name} does not answer" for each in self.models.values() if not each.worker.is_alive]
        return found

    async def decode(self, data: bytes, name: str, shorter_side: int) -> Image:
        """A picture out of the sandbox.

        Raises:
            ImageRejected: as `read_image`.
        """
        return await self.in_thread(lambda: self.sandbox.read(data, shorter_side=shorter_side, name=name))

    async def in_thread(self, function: Callable[[], T]) -> T:
        """Runs something that is not the network's and takes a while."""
        return await asyncio.get_running_loop().run_in_executor(self._decoders, function)

    def _rate(self) -> float:
        return min((each.worker.rate for each in self.models.values() if each.worker.rate), default=0.0)


def load_models(
    paths: Sequence[Path], *, device: str = "auto", engine: str = "auto", batch_size: int = 32
) -> dict[str, Predictor]:
    """Loads models, picks the fastest engine for each and lets it compute once.

    A model is called after its file, or after its folder where the file is called `model`.

    Raises:
        ModelFileError: no model file, or a damaged one.
        UsageError: two models of one name.
    """
    found: dict[str, Predictor] = {}
    for path in paths:
        name = path.resolve().parent.name if path.stem == "model" else path.stem
        if name in found:
            name = f"{path.resolve().parent.parent.name}-{name}"
        if name in found:
            raise UsageError("models", expected="names of their own", found=f"{name} twice")
        predictor = Predictor.load(path, device=device, engine=engine)
        side = predictor.preprocessing.image_size
        canvases = np.random.default_rng(0).integers(0, 256, (batch_size, side, side), np.uint8)
        predictor.engine = best_for_many(predictor.opened, canvases, WARM_UP, engine=engine)
        predictor.engine.logits(canvases[:1])
        found[name] = predictor
    return found


def digest(data: bytes) -> str:
    """SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()
