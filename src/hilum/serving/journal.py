"""Answers of `hilum predict --out`: line by line, so that a killed call goes on where it was; then as a table."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hilum.errors import DataError, UsageError
from hilum.serving.prediction import Outcome

SCHEMA = "hilum.answers/1"
SUFFIXES = (".csv", ".jsonl", ".parquet")
ROWS = 5000
"""Rows of a Parquet file that are in memory at a time."""


class Journal:
    """What is done so far, in a hidden file beside the table that it will become.

    A journal of another model or other options is put away: its answers are not these.

    Args:
        out: `.csv`, `.jsonl` or `.parquet`.
        about: what the answers depend on: model and options.
        labels: classes in order.
        points: operating points, `NAME LABEL` each.

    Raises:
        UsageError: another suffix.
        DataError: no such folder.
    """

    def __init__(self, out: Path, about: Mapping[str, Any], labels: Sequence[str], points: Sequence[str]) -> None:
        if out.suffix.lower() not in SUFFIXES:
            raise UsageError("--out", expected=f"a name that ends in {', '.join(SUFFIXES)}", found=out.name)
        if not out.parent.is_dir():
            raise DataError(str(out.parent), expected="a folder", found="nothing there")
        self.out, self.labels, self.points = out, tuple(labels), tuple(points)
        self.path = out.with_name(f".{out.name}.progress")
        head = json.dumps({"schema": SCHEMA, **about}, sort_keys=True)
        self.done, self.rejected = self._resume(head)
        self._file = self.path.open("a", encoding="utf-8", errors="surrogateescape")
        if not self._file.tell():
            self._write(head)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, outcome: Outcome) -> None:
        """Notes one answer; it survives the end of this process."""
        self._write(json.dumps(outcome.to_json()))

    def finish(self) -> Path:
        """Writes the table, renamed into place, and removes the journal."""
        self._file.close()
        partial = self.out.with_name(f".{self.out.name}.partial")
        write = {".csv": self._write_csv, ".jsonl": self._write_lines, ".parquet": self._write_parquet}
        write[self.out.suffix.lower()](partial)
        partial.replace(self.out)
        self.path.unlink()
        return self.out

    def _write(self, line: str) -> None:
        self._file.write(line + "\n")
        self._file.flush()

    def _resume(self, head: str) -> tuple[frozenset[str], int]:
        """Names that have an answer, and how many were rejected; the last line may be half a one."""
        names, rejected = list[str](), 0
        if self.path.exists():
            data = self.path.read_bytes()
            whole = data[: data.rfind(b"\n") + 1]
            if whole.split(b"\n", 1)[0] != head.encode():
                self.path.unlink()
            else:
                if len(whole) < len(data):
                    with self.path.open("r+b") as file:
                        file.truncate(len(whole))
                for row in self._rows():
                    names.append(row["image"])
                    rejected += row["status"] == "rejected"
        return frozenset(names), rejected

    def _rows(self) -> Iterator[dict[str, Any]]:
        with self.path.open(encoding="utf-8", errors="surrogateescape") as file:
            next(file, None)
            for line in file:
                yield json.loads(line)

    def _columns(self) -> list[str]:
        probs, points = [f"prob_{label}" for label in self.labels], [f"called_{point}" for point in self.points]
        return ["image", "status", "label", *probs, *points, "gate_score", "warnings", "code", "reason"]

    def _flat(self, row: Mapping[str, Any]) -> dict[str, Any]:
        called = {f"called_{each['point']} {each['label']}": each["called"] for each in row["decisions"]}
        probs = {f"prob_{label}": value for label, value in (row["probs"] or {}).items()}
        flat = {**row, **probs, **called, "warnings": " ".join(row["warnings"])}
        return {name: flat.get(name) for name in self._columns()}

    def _write_csv(self, place: Path) -> None:
        with place.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
            writer = csv.DictWriter(file, self._columns())
            writer.writeheader()
            writer.writerows({**self._flat(row), "image": _harmless(row["image"])} for row in self._rows())

    def _write_lines(self, place: Path) -> None:
        with place.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(row) + "\n" for row in self._rows())

    def _write_parquet(self, place: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        kinds = {"prob": pa.float64(), "gate": pa.float64(), "called": pa.bool_()}
        schema = pa.schema([(name, kinds.get(name.split("_")[0], pa.string())) for name in self._columns()])
        with pq.ParquetWriter(place, schema) as writer:
            for rows in _chunks(self._rows(), ROWS):
                flat = [{**self._flat(row), "image": _encodable(row["image"])} for row in rows]
                writer.write_table(pa.Table.from_pylist(flat, schema))


def _harmless(name: str) -> str:
    """A name that a spreadsheet does not take for a formula."""
    return f"'{name}" if name[:1] in ("=", "+", "@", "\t", "\r") else name


def _encodable(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode()


def _chunks(rows: Iterator[dict[str, Any]], size: int) -> Iterator[list[dict[str, Any]]]:
    chunk = list[dict[str, Any]]()
    for row in rows:
        chunk.append(row)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
