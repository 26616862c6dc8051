"""What a study can be told, as one value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hilum.recipes.schema import Recipe

CPU_BUDGET = 14 * 60
"""Seconds of a study without a GPU when nobody names a budget: ready within fifteen minutes, report included."""


DRAWN_BUDGET = 80.0
"""Seconds of a study of drawn X-rays: a first look should not cost more than two minutes."""


@dataclass(frozen=True)
class Options:
    """The arguments of `hilum.study`, see there."""

    labels: str = "folders"
    recipes: Sequence[str | Recipe] | None = None
    out: Path | None = None
    time_budget: float | None = None
    quick: bool = False
    weights_dir: Path | None = None
    device: str = "auto"
    seed: int = 0
    patient_pattern: str | None = None
    val_fraction: float = 0.2
    test_fraction: float = 0.2
    replicates: int = 1000
    loggers: Sequence[Any] = ()
    command: str = ""
