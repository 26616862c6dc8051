"""What a study can be told, as one value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hilum.errors import UsageError
from hilum.recipes.schema import Recipe
from hilum.training.loggers import LOGGERS

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
    corrections: Path | None = None
    val_fraction: float = 0.2
    test_fraction: float = 0.2
    replicates: int = 1000
    loggers: Sequence[str] = ()
    command: str = ""

    def __post_init__(self) -> None:
        for name, value in (("val-fraction", self.val_fraction), ("test-fraction", self.test_fraction)):
            _check(f"--{name}", 0 < value <= 0.5, "a share above 0, at most 0.5", value)
        _check("--seed", 0 <= self.seed < 2**31, "a whole number from 0", self.seed)
        _check("--time-budget", self.time_budget is None or self.time_budget > 0, "more than 0 s", self.time_budget)
        _check("recipes", not isinstance(self.recipes, str), "a list of names or recipes", self.recipes)
        unknown = [name for name in self.loggers if name not in LOGGERS]
        _check("--log", not unknown, f"some of {', '.join(LOGGERS)}", unknown[0] if unknown else "")
        _check("replicates", self.replicates >= 2, "at least 2", self.replicates)

    def of_a_run(self) -> dict[str, Any]:
        """What `hilum train --resume` has to know of them, beside the manifest."""
        weights_dir = None if self.weights_dir is None else str(self.weights_dir)
        return {
            "seed": self.seed,
            "replicates": self.replicates,
            "weights_dir": weights_dir,
            "loggers": list(self.loggers),
        }


def _check(what: str, right: bool, expected: str, found: object) -> None:
    if not right:
        raise UsageError(what, expected=expected, found=str(found))
