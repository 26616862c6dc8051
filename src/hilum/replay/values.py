"""What a replay is told and what comes out, as frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hilum.errors import UsageError
from hilum.replay.measure import Cell
from hilum.replay.networks import LEGS, LegName
from hilum.replay.reported import Reported
from hilum.replay.systems import System


@dataclass(frozen=True)
class Settings:
    """What a replay can be told.

    Args:
        out: where everything goes.
        rows: names of the rows to run.
        sources: letter -> data root; a system without one is drawn where `sources` is empty, else left out.
        epochs: of each phase, instead of the recipe's.
        folds: the corrected figures are pooled over so many folds and the test split stays shut; 0 = they are those of
            the test split.
        time_budget: seconds for everything.
        weights_dir: a folder of pre-trained weights.
        start_random: rows whose weights are nowhere start from random values.
        images: of a drawn set.
        command: what was typed.

    Raises:
        UsageError: a number of epochs or folds that makes no run.
    """

    out: Path
    rows: frozenset[str]
    sources: Mapping[str, Path]
    epochs: int | None = None
    folds: int = 0
    time_budget: float | None = None
    weights_dir: Path | None = None
    start_random: bool = False
    device: str = "auto"
    seed: int = 0
    replicates: int = 1000
    images: int = 324
    command: str = ""

    def __post_init__(self) -> None:
        if self.epochs is not None and self.epochs < 1:
            raise UsageError("--epochs", expected="1 or more", found=str(self.epochs))
        if self.folds < 0 or self.folds == 1:
            raise UsageError("--folds", expected="2 or more, or 0 for the test split", found=str(self.folds))


@dataclass(frozen=True)
class Line:
    """A figure of a report with our two columns."""

    figure: Reported
    followed: Cell
    corrected: Cell

    def cell(self, leg: LegName) -> Cell:
        """One of them by its name."""
        return self.followed if leg == "followed" else self.corrected


@dataclass(frozen=True)
class Replay:
    """What came out.

    Args:
        lines: every figure of the systems, run or not.
        data: letter -> what was read, in words.
        interrupted: Ctrl-C was pressed.
    """

    systems: tuple[System, ...]
    lines: tuple[Line, ...]
    settings: Settings
    data: Mapping[str, str]
    started: str
    seconds: float
    interrupted: bool = False

    @property
    def counts(self) -> dict[str, int]:
        """`reported`, `followed`, `corrected`: how many figures each column holds."""
        held: dict[str, int] = {leg: sum(not line.cell(leg).empty for line in self.lines) for leg in LEGS}
        return {"reported": len(self.lines), **held}
