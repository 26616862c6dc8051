"""Columns of a manifest as features: so that a linear probe finds whatever a column can tell."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

BINS = 10
MOST_VALUES = 50
"""Values of a text column that get a feature of their own, the most frequent ones."""

STORED = (
    "format", "mode", "bits", "orientation", "quantisation", "height", "width", "pixels", "aspect", "file_bytes",
    "bytes_per_pixel",
)  # fmt: skip
"""How a picture was stored: nothing of this is about the chest."""

IN_WORDS = {
    "format": "file format",
    "mode": "colour mode",
    "bits": "bits a sample",
    "orientation": "EXIF orientation",
    "quantisation": "JPEG quantisation table",
    "height": "height in pixels",
    "width": "width in pixels",
    "pixels": "number of pixels",
    "aspect": "aspect ratio",
    "file_bytes": "file size",
    "bytes_per_pixel": "bytes per pixel",
}


def header_columns(table: pd.DataFrame) -> pd.DataFrame:
    """What the files' headers say of how they were stored, with what follows from it; only columns that vary.

    Args:
        table: manifest rows.
    """
    size = table["height"].astype(float) * table["width"].astype(float)
    derived = {"pixels": size, "aspect": table["width"].astype(float) / table["height"].astype(float)}
    if "file_bytes" in table:
        derived["bytes_per_pixel"] = table["file_bytes"].astype(float) / size
    columns = table.assign(**derived)
    known = [name for name in STORED if name in columns and columns[name].nunique(dropna=False) > 1]
    return columns[known].reset_index(drop=True)


def encode_columns(columns: pd.DataFrame) -> np.ndarray:
    """Features of all columns side by side, float32 `[N, D]`; D = 0 where no column varies."""
    parts = [encode_column(columns[name]) for name in columns]
    return np.concatenate(parts, axis=1) if parts else np.zeros((len(columns), 0), np.float32)


def encode_column(column: pd.Series) -> np.ndarray:
    """One column as features in [0, 1], float32 `[N, D]`; D = 0 where all values are the same.

    A number becomes its rank and, so that what lies in the middle can be found too, which tenth of the images it falls
    into; few distinct numbers, and texts, become one feature a value. A missing value is a value.
    """
    if column.nunique(dropna=False) < 2:
        return np.zeros((len(column), 0), np.float32)
    missing = column.isna().to_numpy()
    flags = [missing] if missing.any() and not missing.all() else []
    if not pd.api.types.is_numeric_dtype(column) or column.nunique() <= BINS:
        values = column[~missing].value_counts().index[:MOST_VALUES]
        flags += [(column == value).to_numpy(bool, na_value=False) for value in values]
        return _stacked(flags, len(column))
    rank = column.rank(pct=True).fillna(0.5).to_numpy()
    tenth = np.minimum((rank * BINS).astype(int), BINS - 1)
    flags += [(tenth == each) & ~missing for each in range(BINS)]
    return np.concatenate([rank[:, None].astype(np.float32), _stacked(flags, len(column))], axis=1)


def _stacked(flags: Sequence[np.ndarray], count: int) -> np.ndarray:
    return np.stack(flags, axis=1).astype(np.float32) if flags else np.zeros((count, 0), np.float32)
