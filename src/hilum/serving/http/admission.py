"""The bounded queue: how many images are here, and when there is room again."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hilum.serving.http.metrics import Metrics
from hilum.serving.http.problems import Problem, busy

LONGEST = 60
"""Seconds that a client is sent away for at most."""


class Admission:
    """Counts images from the moment when their request is whole to its answer.

    Args:
        most: images at a time.
        rate: gives images a second, as far as known; 0 before the first.
        metrics: told of requests that are taken in and answered.
    """

    def __init__(self, most: int, rate: Callable[[], float], metrics: Metrics) -> None:
        self.most, self.rate, self.metrics = most, rate, metrics
        self.images = 0
        self.is_draining = False

    @contextmanager
    def take(self, count: int) -> Iterator[None]:
        """A place for some images.

        Raises:
            Problem: 503 when there is none.
        """
        if count > self.most:
            raise Problem(413, "too-many", f"The queue of this server holds {self.most} images.")
        if self.images + count > self.most:
            raise busy("The queue is full.", self.wait())
        self.images += count
        self.metrics.accepted.add()
        try:
            yield
        finally:
            self.images -= count

    def wait(self) -> int:
        """Seconds after which half of the queue should be done."""
        rate = self.rate()
        return max(1, min(LONGEST, math.ceil(self.images / 2 / rate))) if rate else 1

    @property
    def has_room(self) -> bool:
        return self.images < self.most
