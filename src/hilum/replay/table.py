"""The CSV of a replay, and what its lines say of a mistake."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pandas as pd

from hilum.replay.measure import Cell
from hilum.replay.mistakes import MISTAKES
from hilum.replay.networks import LEGS
from hilum.replay.reported import Reported
from hilum.replay.values import Replay
from hilum.workflow.data import write_csv

TABLE = "replay.csv"
CELL = ("value", "low", "high", "text", "images", "split", "source", "note")
COLUMNS = (
    "system", "row", "figure", "split", "reported", "reported_value", "mistake", "reproduced",
    *(f"{leg}_{name}" for leg in LEGS for name in CELL),
)  # fmt: skip


def write_table_of(result: Replay, path: Path) -> Path:
    """Writes one line a reported figure: as reported, following the report, corrected; renamed into place."""
    write_csv(path, table_of(result))
    return path


def table_of(result: Replay) -> pd.DataFrame:
    """The columns of `COLUMNS`; values are shares in [0, 1] or plain numbers, empty where there is none."""
    rows = [
        {
            **_reported(line.figure),
            **{f"{leg}_{name}": value for leg in LEGS for name, value in _cell(line.cell(leg)).items()},
        }
        for line in result.lines
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def sentence_of(figure: Reported) -> str:
    """The mistake behind a figure in one sentence; empty where none is known."""
    return " ".join(MISTAKES[name].sentence for name in figure.mistakes)


def _reported(figure: Reported) -> dict[str, Any]:
    reproduced = "; ".join(filter(None, (MISTAKES[name].reproduced for name in figure.mistakes)))
    return {
        "system": figure.system,
        "row": figure.row,
        "figure": figure.figure,
        "split": figure.split,
        "reported": figure.text,
        "reported_value": figure.value,
        "mistake": sentence_of(figure),
        "reproduced": reproduced,
    }


def _cell(cell: Cell) -> dict[str, Any]:
    found = cell.estimate
    value, low, high = (found.value, found.ci_low, found.ci_high) if found else (math.nan,) * 3
    return {
        "value": value,
        "low": low,
        "high": high,
        "text": cell.text,
        "images": cell.images or None,
        "split": cell.split,
        "source": cell.source,
        "note": cell.note,
    }
