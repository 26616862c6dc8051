"""The study's ledger: every opening of a test split, written down before anything is predicted on it.

`STUDY/ledger.jsonl` is only ever appended to, one JSON object a line. An opening's line has an `opening` number,
counted from 1; once its predictions are there, a second line of the same number (`event: predicted`) adds their hash.
Each line holds in `previous` the SHA-256 of everything before it, so a line that is changed or taken out later shows.
An opening without predictions was interrupted; it counts all the same, for somebody may have looked.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hilum.errors import DataError

LEDGER = "ledger.jsonl"


@dataclass(frozen=True)
class Opening:
    """One opening of a test split.

    Args:
        opening: number, from 1.
        time: UTC, ISO 8601, to the second.
        split: which split was opened.
        run: folder of the run that was evaluated.
        recipe: name of its recipe.
        model_sha256: hash of the model file that was evaluated.
        predictions: where the predictions go, relative to the study.
        predictions_sha256: hash of that file; empty while there is none.
        images: how many images were opened.
        reason: why, such as `chosen on validation`.
    """

    opening: int
    time: str
    split: str
    run: str
    recipe: str
    model_sha256: str
    predictions: str
    predictions_sha256: str
    images: int
    reason: str


def record_opening(
    study_dir: Path,
    *,
    run: str,
    recipe: str,
    model_sha256: str,
    predictions: str,
    images: int,
    reason: str,
    split: str = "test",
    predictions_sha256: str = "",
) -> Opening:
    """Writes an opening down; to be called before the first prediction on the split is made.

    The line is on the disk when this returns. Two processes may call it at once.

    Args:
        predictions_sha256: only where the predictions exist already; else `record_predictions` adds it.

    Raises:
        DataError: the ledger that is there cannot be read.
    """

    def entry(before: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "event": "opened",
            "opening": 1 + _count(before),
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "split": split,
            "run": run,
            "recipe": recipe,
            "model_sha256": model_sha256,
            "predictions": predictions,
            "predictions_sha256": predictions_sha256,
            "images": images,
            "reason": reason,
        }

    return _opening(_append(study_dir / LEDGER, entry))


def record_predictions(study_dir: Path, opening: Opening, predictions_sha256: str) -> Opening:
    """Adds the hash of the predictions that an opening led to."""

    def entry(before: list[dict[str, Any]]) -> dict[str, Any]:
        if not any(line["event"] == "opened" and line["opening"] == opening.opening for line in before):
            raise DataError(str(study_dir / LEDGER), expected=f"opening {opening.opening}", found="no such opening")
        time = datetime.now(UTC).isoformat(timespec="seconds")
        return {
            "event": "predicted",
            "opening": opening.opening,
            "time": time,
            "predictions_sha256": predictions_sha256,
        }

    _append(study_dir / LEDGER, entry)
    return replace(opening, predictions_sha256=predictions_sha256)


def read_ledger(study_dir: Path) -> tuple[Opening, ...]:
    """All openings, oldest first; none where there is no ledger.

    Raises:
        DataError: a line that is not one of a ledger.
    """
    path = study_dir / LEDGER
    if not path.exists():
        return ()
    openings: dict[int, Opening] = {}
    for line in _lines(path, path.read_bytes()):
        number = line["opening"]
        if line["event"] == "opened":
            openings[number] = _opening(line)
        elif number in openings:
            openings[number] = replace(openings[number], predictions_sha256=line["predictions_sha256"])
    return tuple(openings.values())


def find_broken_line(study_dir: Path) -> int | None:
    """Number, from 1, of the first line that does not follow from what stands before it: at or before it, something was
    changed, put in or taken out. None where all follow (lines missing at the end cannot be seen).
    """
    path = study_dir / LEDGER
    before = b""
    for number, line in enumerate(path.read_bytes().splitlines(keepends=True) if path.exists() else [], start=1):
        try:
            follows = json.loads(line)["previous"] == hashlib.sha256(before).hexdigest()
        except (ValueError, KeyError, TypeError):
            follows = False
        if not follows:
            return number
        before += line
    return None


def _append(path: Path, entry: Callable[[list[dict[str, Any]]], dict[str, Any]]) -> dict[str, Any]:
    """Appends one line, made from those before it, under a lock; the line is whole or not there."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
    with os.fdopen(descriptor, "r+b", buffering=0) as file, _locked(descriptor):
        written = file.read()
        whole = written[: written.rfind(b"\n") + 1]
        if whole != written:
            os.truncate(descriptor, len(whole))  # the torn line of a process that died: it never went on to predict
        line = {**entry(_lines(path, whole)), "previous": hashlib.sha256(whole).hexdigest()}
        file.write(json.dumps(line).encode() + b"\n")
        os.fsync(descriptor)
    return line


@contextmanager
def _locked(descriptor: int) -> Iterator[None]:
    """Holds other processes off the file until done."""
    try:
        import fcntl
    except ImportError:  # Windows has another kind of lock
        import msvcrt

        os.lseek(descriptor, 0, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_LOCK, 1)  # type: ignore[attr-defined] # of that system only
    else:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    yield  # closing the file gives the lock back


def _lines(path: Path, content: bytes) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    for number, text in enumerate(content.splitlines(keepends=True), start=1):
        if not text.endswith(b"\n"):
            continue  # being written, or torn
        try:
            lines.append(_entry(json.loads(text), lines))
        except (ValueError, KeyError, TypeError):
            raise DataError(
                f"{path}, line {number}",
                expected="an entry of a ledger",
                found=repr(text[:60].decode(errors="replace")),
                way_out="Restore the file from a copy; openings must not be forgotten.",
            ) from None
    return lines


def _entry(line: dict[str, Any], before: list[dict[str, Any]]) -> dict[str, Any]:
    """A line with its event and number, which a line written by hand may leave out.

    Raises:
        KeyError, TypeError, ValueError: it is none.
    """
    line = {"event": "opened", "opening": 1 + _count(before), **line}
    if line["event"] == "opened":
        _opening(line)
    elif line["event"] != "predicted" or not isinstance(line["predictions_sha256"], str):
        raise ValueError(line["event"])
    return line


def _opening(line: Mapping[str, Any]) -> Opening:
    return Opening(**{name: line[name] for name in Opening.__dataclass_fields__})


def _count(lines: list[dict[str, Any]]) -> int:
    return sum(line["event"] == "opened" for line in lines)
