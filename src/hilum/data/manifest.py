"""The manifest: one row an image, and how it came about."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from hilum.data.parquet import read_table, write_table
from hilum.errors import DataError
from hilum.labels import LabelSet

SCHEMA = "hilum.manifest/1"
SPLITS = ("train", "val", "test")
COLUMNS = ("image_path", "label", "patient_id", "split", "source", "view", "height", "width", "sha256")
"""What every manifest has; header facts (`format`, `mode`, `bits`, `file_bytes`, ...) follow as further columns."""


@dataclass(frozen=True)
class Manifest:
    """A table of images with labels, patients and splits.

    Args:
        table: one row an image, the columns of `COLUMNS` first; `image_path` is relative to `root`, with `/`;
            `split` is one of train, val, test; the index is 0..N-1.
        labels: the classes in the order of every probability vector.
        root: the folder that `image_path` is relative to.
        facts: how the table came about, in words and numbers that JSON can hold: `labels_rule`, `patient_rule`,
            `patient_examples`, `split_rule`, `warnings`, ...
    """

    table: pd.DataFrame
    labels: LabelSet
    root: Path
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        missing = [name for name in COLUMNS if name not in self.table.columns]
        if missing:
            raise DataError("manifest", expected=f"the columns {', '.join(COLUMNS)}", found=f"no {', '.join(missing)}")

    def __len__(self) -> int:
        return len(self.table)

    def split(self, name: str) -> pd.DataFrame:
        """The rows of one split, with the index that they have in `table`."""
        return self.table[self.table["split"] == name]

    def path(self, image_path: str) -> Path:
        """Where an image lies on this machine."""
        return Path(os.path.normpath(self.root / image_path))

    def counts(self) -> pd.DataFrame:
        """Images per split (rows) and class (columns), zeros included."""
        counts = pd.crosstab(self.table["split"], self.table["label"])
        present = [split for split in SPLITS if split in set(counts.index)]
        return counts.reindex(index=present, columns=list(self.labels), fill_value=0)

    @property
    def fingerprint(self) -> str:
        """SHA-256 over what a study depends on: content, label, patient and split of every image, in any order."""
        columns = ["sha256", "label", "patient_id", "split", "image_path"]
        lines = sorted("\t".join(map(str, row)) for row in self.table[columns].itertuples(index=False))
        return hashlib.sha256("\n".join([*self.labels, *lines]).encode()).hexdigest()

    def with_table(self, table: pd.DataFrame, **facts: Any) -> Manifest:
        """The same manifest with another table and further facts."""
        return replace(self, table=table.reset_index(drop=True), facts={**self.facts, **facts})

    def write(self, path: Path) -> None:
        """Writes Parquet; labels, root and facts go into the file's own metadata."""
        about = {"labels": list(self.labels), "root": str(self.root), "facts": dict(self.facts)}
        write_table(path, self.table, SCHEMA, about)


def read_manifest(path: Path) -> Manifest:
    """Reads what `Manifest.write` wrote.

    Raises:
        DataError: the file is not a manifest written by hilum.
    """
    table, about = read_table(path, SCHEMA)
    return Manifest(table, LabelSet(tuple(about["labels"])), Path(about["root"]), about["facts"])
