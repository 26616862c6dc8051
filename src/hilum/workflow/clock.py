"""How long a study may take, and where its seconds go."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from hilum.workflow.options import CPU_BUDGET, DRAWN_BUDGET, Options
from hilum.workflow.voice import Voice

LOOKING, LEAST_LOOKING = 0.5, 20.0
"""Inspection takes at most this share of the seconds that its run took, but may always take so many."""


@dataclass
class Clock:
    """Seconds of the stages, and what is left of the budget."""

    budget: float | None
    started: float = field(default_factory=time.monotonic)
    stages: list[dict[str, Any]] = field(default_factory=list)

    @contextmanager
    def stage(self, name: str, voice: Voice):
        began = time.monotonic()
        with voice.stage(name) as bar:
            yield bar
        self.stages.append({"name": name, "seconds": round(time.monotonic() - began, 2)})

    def left(self) -> float | None:
        """Seconds for training; the end of the budget belongs to evaluation and report."""
        if self.budget is None:
            return None
        reserve = min(0.12 * self.budget, 10 + 0.05 * self.budget)  # comparison, test, gap, guards, pages
        return max(self.budget - reserve - self._kept() - (time.monotonic() - self.started), 1.0)

    def for_inspection(self, trained: float) -> float:
        """Seconds for what is looked at once the run is chosen: those kept for it, or all that training left over, but
        no more than `LOOKING` of what the run took: who trains a head in a minute does not want to wait for three.

        Args:
            trained: seconds of the chosen run.
        """
        most = max(LOOKING * trained, LEAST_LOOKING)
        if self.budget is None:
            return min(240.0, most)
        over = 0.95 * self.budget - (time.monotonic() - self.started)  # guards and pages still follow
        return min(max(self._kept(), over), most)

    def _kept(self) -> float:
        return min(0.13 * self.budget, 120.0) if self.budget is not None else 0.0


def budget_of(options: Options, *, drawn: bool) -> float | None:
    """Seconds for the whole study: what was asked for, else less for drawn X-rays; None = no limit, on a GPU."""
    if options.time_budget is not None:
        return options.time_budget
    if drawn:
        return DRAWN_BUDGET
    return None if device_name(options.device) == "cuda" else CPU_BUDGET


def device_name(device: str) -> str:
    """`cpu`, `cuda` or `mps`."""
    from hilum.inference.device import choose_device

    return choose_device(device).type
