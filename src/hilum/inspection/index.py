"""The index of a k-NN classifier: embeddings of training images in a file of their own, read through a memory map.

An Arrow file: one row a training image, the vectors as they lie in memory, so that a million of them need no loading.
Its metadata say which model made them (SHA-256), what the index decides by, and what its backbone has seen: every image
that it was trained or chosen on, whether it lies in the index or not.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hilum.errors import DataError
from hilum.inspection.embeddings import Embeddings
from hilum.inspection.neighbors import Found, NeighborSettings, decide, find_neighbors
from hilum.labels import LabelSet

SCHEMA = "hilum.neighbor-index/1"
COLUMNS = ("image_path", "patient_id", "label", "sha256", "canvas")
ROWS = 16_384
"""Rows written at a time."""
LARGE = 200_000
"""Images from which vectors are kept as float16: half the size, and no figure of theirs changes."""
FLOAT16_MAX = 60_000.0


@dataclass(frozen=True)
class Seen:
    """Images that the backbone was trained or chosen on.

    Args:
        table: `image_path`, `patient_id`, `split`, `sha256`, `canvas`; empty text where something is not known.
    """

    table: pd.DataFrame

    def reasons(self, sha256: Sequence[str], canvas: Sequence[str], patient_id: Sequence[str]) -> list[str]:
        """For each query why its answer would be worthless, empty where it is new.

        Args:
            sha256, canvas, patient_id: of the queries; empty text where not known, or not comparable.
        """
        files, pictures, patients = (self._first(name) for name in ("sha256", "canvas", "patient_id"))
        reasons = []
        for file, picture, patient in zip(sha256, canvas, patient_id, strict=True):
            for known, key, words in (
                (files, file, "the very file is"),
                (pictures, picture, "the very picture is"),
                (patients, patient, "the same patient has"),
            ):
                if key and key in known:
                    path, split = known[key]
                    use = "trained" if split == "train" else "chosen"
                    reasons.append(f"{words} {path}, which the model was {use} on")
                    break
            else:
                reasons.append("")
        return reasons

    def _first(self, column: str) -> dict[str, tuple[str, str]]:
        """Value -> path and split of the first image that has it."""
        rows = self.table[self.table[column] != ""].drop_duplicates(column)
        return dict(zip(rows[column], zip(rows["image_path"], rows["split"], strict=True), strict=True))


@dataclass(frozen=True)
class NeighborIndex:
    """Training images that vote.

    Args:
        table: `COLUMNS`, one row an image.
        matrix: float16 or float32 `[N, D]`, perhaps a memory map.
        labels: the classes in order.
        settings: how the neighbours vote.
        seen: what the backbone has seen.
        about: what made it: `model`, `model_sha256`, `key`, `layer`, `root`, `patient_rule`, ...

    Raises:
        DataError: no images, or a matrix of another shape.
    """

    table: pd.DataFrame
    matrix: np.ndarray
    labels: LabelSet
    settings: NeighborSettings
    seen: Seen
    about: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not len(self.table) or self.matrix.ndim != 2 or len(self.matrix) != len(self.table):
            raise DataError("index", expected=f"shape ({max(len(self.table), 1)}, D)", found=f"{self.matrix.shape}")

    @classmethod
    def of(
        cls, embeddings: Embeddings, labels: LabelSet, settings: NeighborSettings, seen: pd.DataFrame, **about: Any
    ) -> NeighborIndex:
        """An index of the training images among some embeddings; images of any other split are refused.

        Args:
            seen: rows of everything that the model was trained or chosen on, with the columns of `Seen`.

        Raises:
            DataError: an image that is not of the training split.
        """
        other = embeddings.table["split"] != "train"
        if other.any():
            row = embeddings.table[other].iloc[0]
            raise DataError("index", expected="training images only", found=f"{row['image_path']} of {row['split']}")
        matrix = embeddings.matrix
        if len(matrix) >= LARGE and np.abs(matrix).max() < FLOAT16_MAX:
            matrix = matrix.astype(np.float16)
        known = _filled(embeddings.table, COLUMNS)
        places = _filled(seen, ("image_path", "patient_id", "split", "sha256", "canvas"))
        return cls(known, matrix, labels, settings, Seen(places), {**embeddings.about, **about})

    def __len__(self) -> int:
        return len(self.table)

    @property
    def targets(self) -> np.ndarray:
        """int64 `[N]`."""
        return self.labels.encode(self.table["label"].tolist())

    def search(self, queries: np.ndarray, k: int | None = None) -> Found:
        """The nearest rows of queries `[Q, D]`, with the metric of the settings."""
        return find_neighbors(self.matrix, queries, k or self.settings.k, metric=self.settings.metric)

    def classify(self, found: Found) -> np.ndarray:
        """Probabilities `[Q, K]` that the neighbours found vote for, ties decided."""
        return decide(found, self.targets, self.settings, len(self.labels))

    def write(self, path: Path) -> None:
        """Writes an Arrow file, beside and renamed into place."""
        import pyarrow as pa

        seen = zlib.compress(json.dumps(self.seen.table.to_dict("list")).encode())
        about = {"schema": SCHEMA, "labels": list(self.labels), "settings": asdict(self.settings)}
        header = json.dumps({**about, "about": dict(self.about)}).encode()
        width, kind = self.matrix.shape[1], pa.from_numpy_dtype(self.matrix.dtype)
        fields = [pa.field(name, pa.string()) for name in COLUMNS] + [pa.field("embedding", pa.list_(kind, width))]
        schema = pa.schema(fields, metadata={b"hilum": header, b"seen": seen})
        partial = path.with_name(path.name + ".partial")
        with pa.OSFile(str(partial), "wb") as file, pa.ipc.new_file(file, schema) as writer:
            for start in range(0, len(self), ROWS):
                some = self.table.iloc[start : start + ROWS]
                flat = pa.array(np.ascontiguousarray(self.matrix[start : start + ROWS]).reshape(-1))
                columns = [pa.array(some[name].tolist(), pa.string()) for name in COLUMNS]
                vectors = pa.FixedSizeListArray.from_arrays(flat, width)
                writer.write_batch(pa.record_batch([*columns, vectors], schema=schema))
        partial.replace(path)


def read_index(path: Path) -> NeighborIndex:
    """Reads what `NeighborIndex.write` wrote; the vectors stay on the disk until they are asked for.

    Raises:
        DataError: the file is no index.
    """
    import pyarrow as pa

    try:
        table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        metadata = table.schema.metadata or {}
        header, seen = json.loads(metadata[b"hilum"]), json.loads(zlib.decompress(metadata[b"seen"]))
    except FileNotFoundError:
        raise DataError(str(path), expected="an index of neighbours", found="no such file") from None
    except (OSError, KeyError, ValueError, zlib.error, pa.ArrowException) as error:
        raise DataError(str(path), expected="an index of neighbours", found=str(error)) from None
    if header.get("schema") != SCHEMA:
        raise DataError(str(path), expected=SCHEMA, found=str(header.get("schema")))
    parts = table.column("embedding").chunks
    matrix = ChunkedRows(
        [part.flatten().to_numpy(zero_copy_only=True).reshape(len(part), part.type.list_size) for part in parts]
    )
    return NeighborIndex(
        table.drop_columns(["embedding"]).to_pandas(),
        matrix,  # type: ignore[arg-type] # has a shape, a length and takes a slice or positions, as all that reads it needs
        LabelSet(tuple(header["labels"])),
        NeighborSettings(**header["settings"]),
        Seen(pd.DataFrame(seen)),
        header["about"],
    )


class ChunkedRows:
    """Rows that lie in several arrays of one width, as if in one; copies only what is asked for.

    Args:
        parts: `[N_i, D]` each.
    """

    def __init__(self, parts: Sequence[np.ndarray]) -> None:
        self.parts = list(parts)
        self.starts = np.cumsum([0, *(len(part) for part in self.parts)])
        self.shape = (int(self.starts[-1]), self.parts[0].shape[1] if self.parts else 0)
        self.ndim, self.dtype = 2, self.parts[0].dtype if self.parts else np.dtype(np.float32)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> np.ndarray:
        """`[M, D]` for a slice, a mask or positions."""
        if isinstance(rows, slice):
            start, stop, step = rows.indices(len(self))
            if step == 1:
                return self._between(start, stop)
            rows = np.arange(start, stop, step)
        rows = np.asarray(rows)
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows
        part = np.searchsorted(self.starts, rows, side="right") - 1
        taken = np.empty((len(rows), self.shape[1]), self.dtype)
        for each in np.unique(part):
            taken[part == each] = self.parts[each][rows[part == each] - self.starts[each]]
        return taken

    def _between(self, start: int, stop: int) -> np.ndarray:
        found = [
            part[max(start - begin, 0) : max(stop - begin, 0)]
            for part, begin in zip(self.parts, self.starts[:-1], strict=True)
            if begin < stop and begin + len(part) > start
        ]
        return found[0] if len(found) == 1 else np.concatenate([np.empty((0, self.shape[1]), self.dtype), *found])


def _filled(rows: pd.DataFrame, columns: Iterable[str]) -> pd.DataFrame:
    """These columns as text, empty where there is nothing."""
    made = {name: rows[name] if name in rows else pd.Series("", index=rows.index) for name in columns}
    frame = pd.DataFrame(made).reset_index(drop=True)
    return frame.astype(object).where(frame.notna(), "").map(str)
