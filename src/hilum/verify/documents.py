"""Documents and tables compared value by value: what differs is named by its place."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Collection, Mapping
from typing import Any

from hilum.verify.book import Book

ALIKE = 1e-9
"""Relative difference of two numbers that another processor may make out of the same data."""

ENDS = ("ci_low", "ci_high", "_low", "_high")
"""Ends of intervals: another build may make intervals by another method."""


def compare_values(
    book: Book, file: str, expected: Any, found: Any, where: str = "", *, but: Collection[str] = ()
) -> None:
    """Compares JSON values.

    Args:
        where: name of the place, such as `test.overall.accuracy.value`.
        but: names of entries that are left alone at every depth.
    """
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        for name in [*expected, *(each for each in found if each not in expected)]:
            place = f"{where}.{name}" if where else str(name)
            if name in but:
                continue
            if name not in found or name not in expected:
                one, other = ("a value", "nothing") if name in expected else ("nothing", found[name])
                book.words_differ(file, place, one, other)
            else:
                compare_values(book, file, expected[name], found[name], place, but=but)
    elif isinstance(expected, (list, tuple)) and isinstance(found, (list, tuple)):
        if len(expected) != len(found):
            book.differ(file, where, f"{len(expected)} entries", f"{len(found)}")
        for number, (one, other) in enumerate(zip(expected, found, strict=False)):
            compare_values(book, file, one, other, f"{where}[{_named(one, number)}]", but=but)
    else:
        _compare(book, file, expected, found, where)


def compare_csv(book: Book, file: str, expected: str, found: str, *, but: Collection[str] = ()) -> None:
    """Compares tables cell by cell; the first column names a row.

    Args:
        but: columns that are left alone.
    """
    if not but:
        book.compared += 1
        if expected == found:
            book.compared += expected.count(",") + expected.count("\n")
            return
    before = len(book.differences) + len(book.other_words)
    head, rows = _table(expected)
    other_head, other_rows = _table(found)
    for name in [each for each in head if each not in other_head] + [each for each in other_head if each not in head]:
        book.words_differ(file, f"column {name}", "there" if name in head else "not there", "the other")
    if len(rows) != len(other_rows):
        book.differ(file, "rows", len(rows), len(other_rows))
    for number, (one, other) in enumerate(zip(rows, other_rows, strict=False), start=1):
        label = one.get(head[0], "") if head else ""
        for name in head:
            if name in other and name not in but:
                place = f"row {number} ({label}), {name}"
                _compare(book, file, _number(one[name]), _number(other[name]), place)
    if not but and len(book.differences) + len(book.other_words) == before and not book.last_digits:
        book.words_differ(file, "the text", "what hilum writes of these rows", "something else")


def _compare(book: Book, file: str, expected: Any, found: Any, where: str) -> None:
    book.compared += 1
    numbers = all(isinstance(each, (int, float)) and not isinstance(each, bool) for each in (expected, found))
    if numbers:
        if expected == found or (expected != expected and found != found):
            return
        if math.isclose(expected, found, rel_tol=ALIKE, abs_tol=ALIKE) and not isinstance(expected, int):
            book.last_digits += 1
        elif where.endswith(ENDS):
            book.words_differ(file, where, expected, found)
        else:
            book.differ(file, where, expected, found)
    elif type(expected) is type(found) is str:
        if expected != found:
            book.words_differ(file, where, expected, found)
    elif expected != found:
        book.differ(file, where, expected, found)


def _named(value: Any, number: int) -> str:
    """How an entry of a list is best told from the others."""
    if isinstance(value, Mapping):
        for name in ("label", "name", "code", "run", "policy"):
            if isinstance(value.get(name), str) and value[name]:
                return f"{number}: {value[name]}"
    return str(number)


def _table(text: str) -> tuple[list[str], list[dict[str, str]]]:
    reader = csv.DictReader(io.StringIO(text, newline=""))
    return list(reader.fieldnames or ()), list(reader)


def _number(text: Any) -> Any:
    """The number that a cell holds; a text that is none stays one."""
    try:
        return float(text) if isinstance(text, str) and text.strip() == text and text else text
    except ValueError:
        return text
