"""One thread a model, through which everything goes that its network computes: batches across requests, heat maps.

What waits when the network becomes free makes the next batch: under load batches grow by themselves, and a lonely
request waits for nobody. A network is never used by two threads: hooks of a heat map would meet the images of others.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from hilum.errors import ImageRejected
from hilum.serving.http.metrics import Metrics
from hilum.serving.prediction import Prediction
from hilum.serving.predictor import Picture, Predictor

T = TypeVar("T")
STUCK = 60.0
"""Seconds without an end of the work in hand after which the worker no longer counts as alive."""


@dataclass
class _Job:
    """Something that waits: a picture, or a function to call."""

    future: asyncio.Future[Any]
    picture: Picture | None = None
    force: bool = False
    function: Callable[[], Any] | None = None


class Worker:
    """The thread of one model.

    Args:
        predictor: what it computes with.
        batch_size: pictures in a batch at most.
        metrics: told of each batch.
    """

    def __init__(self, predictor: Predictor, batch_size: int, metrics: Metrics) -> None:
        self.predictor, self.batch_size, self.metrics = predictor, batch_size, metrics
        self.rate = 0.0
        self._jobs = deque[_Job]()
        self._wake = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="hilum-network")
        self._since: float | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to work; to be called in the event loop."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Ends after what is in hand."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._thread.shutdown(wait=True)

    @property
    def is_alive(self) -> bool:
        """Whether it runs and is not stuck."""
        running = self._task is not None and not self._task.done()
        return running and (self._since is None or time.monotonic() - self._since < STUCK)

    async def predict(self, picture: Picture, *, force: bool = False) -> Prediction | ImageRejected:
        """What the model says of a picture, computed with whatever else waits."""
        return await self._enqueue(_Job(asyncio.get_running_loop().create_future(), picture, force))

    async def call(self, function: Callable[[], T]) -> T:
        """What a function gives that uses the network."""
        return await self._enqueue(_Job(asyncio.get_running_loop().create_future(), function=function))

    async def _enqueue(self, job: _Job) -> Any:
        self._jobs.append(job)
        self._wake.set()
        return await job.future

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            while not self._jobs:
                self._wake.clear()
                await self._wake.wait()
            jobs = self._next()
            if not jobs:
                continue
            self._since = began = time.monotonic()
            try:
                results = await loop.run_in_executor(self._thread, self._work, jobs)
            except Exception as error:  # the requests of this batch fail; the next may not
                for job in jobs:
                    if not job.future.done():
                        job.future.set_exception(error)
            else:
                for job, result in zip(jobs, results, strict=True):
                    if not job.future.done():
                        job.future.set_result(result)
            finally:
                self._since = None
            self._note(len(jobs), time.monotonic() - began, jobs[0])

    def _next(self) -> list[_Job]:
        """The oldest job and, if it is a picture, others that can go with it; what nobody waits for is left out."""
        while self._jobs and self._jobs[0].future.done():
            self._jobs.popleft()
        if not self._jobs:
            return []
        first = self._jobs[0]
        if first.picture is None:
            return [self._jobs.popleft()]
        chosen, others = list[_Job](), deque[_Job]()
        while self._jobs and len(chosen) < self.batch_size:
            job = self._jobs.popleft()
            fits = job.picture is not None and job.force == first.force and not job.future.done()
            (chosen if fits else others).append(job)
        self._jobs.extendleft(reversed(others))
        return chosen

    def _work(self, jobs: list[_Job]) -> list[Any]:
        first = jobs[0]
        if first.function is not None:
            return [first.function()]
        return self.predictor.predict_pictures([job.picture for job in jobs if job.picture], force=first.force)

    def _note(self, count: int, seconds: float, first: _Job) -> None:
        if first.picture is not None:
            self.metrics.batches.observe(count)
            now = count / max(seconds, 1e-6)
            self.rate = now if not self.rate else 0.9 * self.rate + 0.1 * now
