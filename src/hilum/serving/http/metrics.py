"""Counters for Prometheus, text format 0.0.4. Labels are names of routes, models and codes, never of files."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from typing import Any

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
BATCHES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)

Key = tuple[tuple[str, str], ...]


class Counter:
    """A number that only grows, for each set of labels."""

    kind = "counter"

    def __init__(self, name: str, about: str) -> None:
        self.name, self.about = name, about
        self.values: dict[Key, float] = {}
        self._lock = threading.Lock()

    def add(self, amount: float = 1, **labels: str) -> None:
        key = tuple(sorted(labels.items()))
        with self._lock:
            self.values[key] = self.values.get(key, 0) + amount

    @property
    def total(self) -> float:
        """Over all labels."""
        return sum(self.values.values())

    def lines(self) -> list[str]:
        return [f"{self.name}{_labels(key)} {value:g}" for key, value in sorted(self.values.items())] or [
            f"{self.name} 0"
        ]


class Gauge:
    """A number that is asked for when the metrics are read."""

    kind = "gauge"

    def __init__(self, name: str, about: str, value: Callable[[], float]) -> None:
        self.name, self.about, self.value = name, about, value

    def lines(self) -> list[str]:
        return [f"{self.name} {self.value():g}"]


class Histogram:
    """How many values lie at or below each bound, for each set of labels."""

    kind = "histogram"

    def __init__(self, name: str, about: str, bounds: Sequence[float]) -> None:
        self.name, self.about, self.bounds = name, about, tuple(bounds)
        self.counts: dict[Key, list[int]] = {}
        self.sums: dict[Key, float] = {}
        self._lock = threading.Lock()

    def observe(self, value: float, **labels: str) -> None:
        key = tuple(sorted(labels.items()))
        with self._lock:
            counts = self.counts.setdefault(key, [0] * (len(self.bounds) + 1))
            counts[bisect_left(self.bounds, value)] += 1
            self.sums[key] = self.sums.get(key, 0.0) + value

    def lines(self) -> list[str]:
        made = []
        for key, counts in sorted(self.counts.items()):
            below = 0
            for bound, count in zip((*map("{:g}".format, self.bounds), "+Inf"), counts, strict=True):
                below += count
                made.append(f"{self.name}_bucket{_labels((*key, ('le', bound)))} {below}")
            made += [f"{self.name}_sum{_labels(key)} {self.sums[key]:g}", f"{self.name}_count{_labels(key)} {below}"]
        return made


class Metrics:
    """What the server counts.

    Args:
        gauges: name -> what it means, and a function that gives it now.
    """

    def __init__(self, gauges: Mapping[str, tuple[str, Callable[[], float]]]) -> None:
        self.requests = Counter("hilum_requests_total", "Requests answered, by route and status.")
        self.accepted = Counter("hilum_accepted_total", "Requests whose images were taken into the queue.")
        self.answered = Counter("hilum_answered_total", "Requests that were taken into the queue and answered.")
        self.images = Counter("hilum_images_total", "Images, by model and how they ended.")
        self.seconds = Histogram("hilum_request_seconds", "From the headers of a request to its answer.", SECONDS)
        self.batches = Histogram("hilum_batch_images", "Images that went through the network together.", BATCHES)
        self.gauges = [Gauge(name, about, value) for name, (about, value) in gauges.items()]

    def render(self) -> str:
        """The text that Prometheus reads."""
        each: tuple[Any, ...] = (
            self.requests,
            self.accepted,
            self.answered,
            self.images,
            self.seconds,
            self.batches,
            *self.gauges,
        )
        lines = [
            line
            for one in each
            for line in (f"# HELP {one.name} {one.about}", f"# TYPE {one.name} {one.kind}", *one.lines())
        ]
        return "\n".join(lines) + "\n"


def _labels(key: Key) -> str:
    escaped = ((name, value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")) for name, value in key)
    inside = ",".join(f'{name}="{value}"' for name, value in escaped)
    return f"{{{inside}}}" if inside else ""
