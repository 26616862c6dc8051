"""A report as CSV: a matrix, with or without class names, or a table with a row a model."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence

from hilum.autopsy.building import finish, make_figure, make_matrix, make_sample, whole
from hilum.autopsy.names import plain_words, understand, understand_sample
from hilum.autopsy.values import Figure, Report, Row, Sample

SIZE = re.compile(r"(?:n|images|size|support|count)s?")
SAMPLE = re.compile(r"(?:set|split|sample)")


def read_csv(text: str, name: str) -> Report | None:
    """A report from comma-, semicolon- or tab-separated text; None where it is no table of these kinds.

    Raises:
        DataError: a table of such a kind with a cell that cannot be used.
    """
    lines = [[cell.strip() for cell in line] for line in _split(text)]
    lines = [line for line in lines if any(line)]
    if not lines:
        return None
    return _bare_matrix(lines, name) or _named_matrix(lines, name) or _table(lines, name)


def _split(text: str) -> list[list[str]]:
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max("\t;,|", key=first.count)
    if delimiter == "|":
        text = "\n".join(_without_frame(text.splitlines()))
    try:
        return list(csv.reader(io.StringIO(text), delimiter=delimiter))
    except csv.Error:
        return []


def _without_frame(lines: Sequence[str]) -> list[str]:
    """A Markdown table without its rule and its outer bars; a bar at one end alone is an empty cell."""
    kept = [line.strip() for line in lines if not re.fullmatch(r"[\s|:\-]*", line)]
    return [line[1:-1] if line.startswith("|") and line.endswith("|") else line for line in kept]


def _bare_matrix(lines: list[list[str]], name: str) -> Report | None:
    size = len(lines[0])
    if size < 2 or len(lines) != size or not all(_whole(cell) for line in lines for cell in line):
        return None
    return finish(name, (), {}, [Row("", (), make_matrix(lines))])


def _named_matrix(lines: list[list[str]], name: str) -> Report | None:
    """A head of class names, a row a class, and after it, perhaps, figures as `accuracy,86.7`."""
    classes = tuple(cell for cell in lines[0][1:] if cell)
    body = lines[1 : 1 + len(classes)]
    if len(classes) < 2 or len(body) != len(classes) or any(len(line) <= len(classes) for line in body):
        return None
    if not all(_whole(cell) for line in body for cell in line[1 : 1 + len(classes)]):
        return None
    if [line[0].casefold() for line in body] != [each.casefold() for each in classes]:
        return None
    matrix = make_matrix([line[1 : 1 + len(classes)] for line in body])
    figures, samples, ignored = [], {}, []
    for line in lines[1 + len(classes) :]:
        values = [cell for cell in line[1:] if cell]
        if SIZE.fullmatch(plain_words(line[0])):
            samples[""] = make_sample(values)
        elif values and (figure := make_figure(line[0], values[0], classes)):
            figures.append(figure)
        else:
            ignored.append(",".join(line))
    corner = plain_words(lines[0][0])
    rows_are = "predicted" if corner.startswith("pred") else "true" if corner.startswith(("true", "actual")) else ""
    return finish(name, classes, samples, [Row("", tuple(figures), matrix, "", rows_are)], ignored=ignored)


def _table(lines: list[list[str]], name: str) -> Report | None:
    """A head that names figures; the first column that names none is the row's name."""
    head, body = lines[0], lines[1:]
    meant = [understand(cell) for cell in head]
    if not any(meant) or not body or all(_whole(cell) for cell in head):
        return None
    sizes = [i for i, cell in enumerate(head) if _size_of(cell) is not None]
    sets = [i for i, cell in enumerate(head) if SAMPLE.fullmatch(plain_words(cell))]
    free = [i for i, each in enumerate(meant) if each is None and i not in sizes and i not in sets]
    texts = [i for i in free if any(line[i : i + 1] and re.search(r"[^\W\d]", line[i]) for line in body)]
    classes = tuple(head[i] for i in free if i not in texts and head[i])
    samples: dict[str, Sample] = {}
    rows = []
    for line in body:
        cells = {i: cell for i, cell in enumerate(line[: len(head)]) if cell and cell not in ("-", "–")}
        sample = understand_sample(cells[sets[0]]) if sets and sets[0] in cells else ""
        for i in sizes:
            if i in cells:
                samples[_size_of(head[i]) or sample] = make_sample([whole(cells[i], head[i])])
        rows.append(
            Row(cells.get(texts[0], "") if texts else "", _figures(head, cells, classes, sample), sample=sample)
        )
    ignored = [head[i] for i in texts[1:]]
    return finish(name, classes if len(classes) > 1 else (), samples, rows, ignored=ignored)


def _figures(head: Sequence[str], cells: dict[int, str], classes: tuple[str, ...], sample: str) -> tuple[Figure, ...]:
    named = classes if len(classes) > 1 else ()
    found = [make_figure(head[i], cell, named, sample) for i, cell in cells.items() if understand(head[i], named)]
    return tuple(each for each in found if each)


def _size_of(head: str) -> str | None:
    """The sample whose size a column holds, `` for that of the row; None for another column."""
    words = plain_words(head).split()
    rest = [word for word in words if not SIZE.fullmatch(word)]
    return understand_sample(" ".join(rest)) if len(rest) < len(words) and len(rest) < 2 else None


def _whole(cell: str) -> bool:
    return bool(re.fullmatch(r"\d+", cell))
