"""Embeddings: what a model makes of each image before it names a class, keyed by image."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd

from hilum.data.parquet import read_arrow, write_arrow
from hilum.errors import DataError

SCHEMA = "hilum.embeddings/1"
COLUMNS = ("image_path", "patient_id", "split", "label")
IDENTITY = ("sha256", "canvas")
"""Further columns where they are known: of the file, and of the canvas that the network saw."""


class Canvases(Protocol):
    """N images, uint8 `[S, S]`."""

    def __len__(self) -> int: ...

    def __getitem__(self, positions: Any, /) -> Any: ...


@dataclass(frozen=True)
class Embeddings:
    """One row an image.

    Args:
        table: `image_path` (unique), `patient_id`, `split`, `label`, and `sha256` and `canvas` where known; the index
            is 0..N-1.
        matrix: float32 `[N, D]`, finite, in the order of `table`.
        about: what made them: model file and its SHA-256, layer, manifest fingerprint.

    Raises:
        DataError: an image twice, a column missing, or a matrix of another shape or with a number that is none.
    """

    table: pd.DataFrame
    matrix: np.ndarray
    about: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        missing = [name for name in COLUMNS if name not in self.table.columns]
        if missing:
            raise DataError("embeddings", expected=f"the columns {', '.join(COLUMNS)}", found=f"no {missing[0]}")
        repeated = self.table["image_path"][self.table["image_path"].duplicated()]
        if len(repeated):
            raise DataError(f"embedding of {repeated.iloc[0]}", expected="one row an image", found="more than one")
        if self.matrix.ndim != 2 or len(self.matrix) != len(self.table):
            raise DataError("embeddings", expected=f"shape ({len(self.table)}, D)", found=f"{self.matrix.shape}")
        if not np.isfinite(self.matrix).all():
            row = int(np.argmin(np.isfinite(self.matrix).all(axis=1)))
            name = self.table["image_path"].iloc[row]
            raise DataError(f"embedding of {name}", expected="finite numbers", found="one that is not")

    @classmethod
    def of(cls, rows: pd.DataFrame, matrix: np.ndarray, **about: Any) -> Embeddings:
        """Joins manifest rows with the embeddings made of them in the same pass.

        Args:
            rows: manifest rows, in the order of `matrix`; columns that are not an embedding's are left out.
            matrix: `[N, D]`.
        """
        kept = [*COLUMNS, *(name for name in IDENTITY if name in rows.columns)]
        return cls(rows[kept].reset_index(drop=True), np.ascontiguousarray(matrix, dtype=np.float32), about)

    def __len__(self) -> int:
        return len(self.table)

    @property
    def dim(self) -> int:
        """D."""
        return self.matrix.shape[1]

    def take(self, rows: np.ndarray) -> Embeddings:
        """Some rows: a mask `[N]` or positions."""
        return Embeddings(self.table.iloc[_positions(rows)].reset_index(drop=True), self.matrix[rows], self.about)

    def split(self, *names: str) -> Embeddings:
        """The rows of some splits, in their order here."""
        return self.take(self.table["split"].isin(names).to_numpy())

    def write(self, path: Path) -> None:
        """Writes Parquet, beside and renamed into place: the columns of `table` and a vector `embedding` a row."""
        import pyarrow as pa

        arrow = pa.Table.from_pandas(self.table, preserve_index=False)
        flat = pa.array(np.ascontiguousarray(self.matrix, dtype=np.float32).reshape(-1))
        vectors = pa.FixedSizeListArray.from_arrays(flat, self.dim)
        write_arrow(path, arrow.append_column("embedding", vectors), SCHEMA, {"about": dict(self.about)})


def read_embeddings(path: Path) -> Embeddings:
    """Reads what `Embeddings.write` wrote.

    Raises:
        DataError: the file is no file of embeddings.
    """
    arrow, about = read_arrow(path, SCHEMA)
    vectors = arrow.column("embedding").combine_chunks()
    matrix = vectors.flatten().to_numpy().reshape(len(arrow), vectors.type.list_size)
    return Embeddings(arrow.drop_columns(["embedding"]).to_pandas(), matrix, about["about"])


def canvas_digests(canvases: Canvases, *, batch_size: int = 256) -> list[str]:
    """SHA-256 of the pixels of each canvas: equal for files that differ and pictures that do not."""
    found: list[str] = []
    for start in range(0, len(canvases), batch_size):
        batch = np.ascontiguousarray(canvases[start : start + batch_size])
        found += [hashlib.sha256(canvas.tobytes()).hexdigest() for canvas in batch]
    return found


def _positions(rows: np.ndarray) -> np.ndarray:
    rows = np.asarray(rows)
    return np.flatnonzero(rows) if rows.dtype == bool else rows
