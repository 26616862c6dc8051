"""A report from wherever it is: a file, a study folder, standard input, typed text, a mapping."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hilum.autopsy.building import EXAMPLE
from hilum.autopsy.reading_csv import read_csv
from hilum.autopsy.reading_json import evaluations_of, read_json, report_of
from hilum.autopsy.reading_sklearn import read_classification_report
from hilum.autopsy.reading_text import read_text
from hilum.autopsy.values import Report
from hilum.errors import DataError

LARGEST = 4_000_000
"""Bytes of a file; a report's tables are a few thousand."""


def read_report(given: str | Path | Mapping[str, Any]) -> Report:
    """A report from a file (JSON, CSV, text), a study or run folder with `metrics.json`, typed text, or a mapping.

    Raises:
        DataError: nothing there, or nothing in it that could be checked.
    """
    if isinstance(given, Mapping):
        return report_of(given, "report")
    path = Path(given)
    try:
        found = path.is_dir() or path.is_file()
    except (OSError, ValueError):  # too long for a name, or holds a NUL: it was typed
        found = False
    if found:
        return _read_folder(path) if path.is_dir() else _read_file(path)
    if isinstance(given, Path) or not _is_typed(str(given)):
        expected = "a file, a folder of hilum, or typed figures"
        raise DataError(f"autopsy: {str(given)[:80]}", expected=expected, found="no such file", way_out=EXAMPLE)
    return read_typed(str(given), "typed figures")


def read_typed(text: str, name: str, suffix: str = "") -> Report:
    """A report from text, whose format is found out.

    Args:
        suffix: of the file that it is from.

    Raises:
        DataError: nothing in it that could be checked.
    """
    if "\0" in text:
        raise DataError(f"autopsy: {name}", expected="text", found="binary data")
    if text.lstrip().startswith("{") or suffix == ".json":
        stripped = text.lstrip()
        if not stripped.startswith("[") and not _is_braced_matrix(stripped):
            return read_json(text, name)
    return read_classification_report(text, name) or read_csv(text, name) or read_text(text, name)


def _is_braced_matrix(text: str) -> bool:
    return text.startswith("{") and text[1:].lstrip().startswith("{")


def _is_typed(text: str) -> bool:
    if text.lstrip().startswith(("{", "[")) or "\n" in text.strip():
        return True
    return any(character.isdigit() for character in text) and any(character in " =:%" for character in text)


def _read_file(path: Path) -> Report:
    size = path.stat().st_size
    if size > LARGEST:
        raise DataError(f"autopsy: {path}", expected=f"a report of at most {LARGEST:,} bytes", found=f"{size:,} bytes")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"autopsy: {path}", expected="text in UTF-8", found="other bytes") from None
    except OSError as error:
        raise DataError(f"autopsy: {path}", expected="a readable file", found=error.strerror or str(error)) from None
    name = path.parent.name if path.name == "metrics.json" else path.stem
    return read_typed(text, name, path.suffix.casefold())


def _read_folder(path: Path) -> Report:
    files = [path / "metrics.json"] if (path / "metrics.json").is_file() else sorted(path.glob("*/metrics.json"))
    documents = {}
    for file in files:
        try:
            documents[file.parent.name] = json.loads(file.read_text(encoding="utf-8"))
        except ValueError:
            raise DataError(f"autopsy: {file}", expected="metrics of hilum", found="no JSON") from None
    if not documents:
        way_out = "A study folder of hilum has one in each run's folder."
        raise DataError(f"autopsy: {path}", expected="metrics.json", found="a folder without one", way_out=way_out)
    try:
        return evaluations_of(documents)
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(f"autopsy: {path}", expected="metrics of hilum", found=f"no {error}") from None
