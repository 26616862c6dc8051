"""A report as typed text: `87 147 / 128 262, accuracy 86.7, n 234 390`. Forgiving; what it understood is echoed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from hilum.autopsy.building import finish, make_figure, make_matrix, make_sample
from hilum.autopsy.matrix_figures import PER_CLASS
from hilum.autopsy.names import SAMPLES, plain_words, understand
from hilum.autopsy.values import Figure, Matrix, Report, Row, Sample

_INT = r"\d+(?![\d.%])"
_LINE = rf"{_INT}(?:[ \t]*[, \t][ \t]*{_INT})+"
_SLASHED = re.compile(
    rf"(?:^|(?<=[,;\n:]))[ \t]*(?:(?:confusion(?: matrix)?|matrix|cm)[ \t]*[:=]?\s*)?({_LINE}(?:\s*[/;|\n]\s*{_LINE})+)"
    r"(?=\s*(?:[,;\n/|]|$|[^\W\d]))",
    re.IGNORECASE,
)
_BRACKETS = re.compile(r"(?:np\.)?(?:array\s*)?\(?\s*[\[({]\s*(?:[\[({][^\[\](){}]*[\])}]\s*,?\s*)+[\])}]\s*\)?")
_INNER = re.compile(r"[\[({]([^\[\](){}]*)[\])}]")
_CELLS = re.compile(r"\b(tp|fn|fp|tn)\s*[=:]?\s*(\d+)\b", re.IGNORECASE)
_NUMBER = r"[-+]?(?:\d+(?:\.\d+)?|\.\d+)(?:e-?\d+)?(?:\s*%)?"
_VALUE = (
    rf"(?:(?:about|around|approximately|ca\.|over|[<>≥≤~≈]=?)\s*)?{_NUMBER}(?:\s*(?:±|\+/-)\s*{_NUMBER})?"
    rf"(?:\s*(?:-|–|to)\s*{_NUMBER})?"
)
_ITEM = re.compile(
    rf"(?P<name>[^\d]*?)(?<![\w.])(?P<values>{_VALUE}(?:[\s/]+{_VALUE})*)(?P<ends>\s*\x01\d+\x02)?", re.IGNORECASE
)
_ENDS = re.compile(
    rf"[\[(]\s*(?:9\d\s*%\s*)?(?:CI|confidence interval)?\s*[:,]?\s*({_NUMBER})\s*(?:-|–|to|,|;)\s*({_NUMBER})\s*[\])]",
    re.IGNORECASE,
)
_SIZE = re.compile(r"(?:n|images|cases|samples|size|total|support|counts?|patients|pictures|x rays)")
_COUNTS = re.compile(
    r"(\b(?:n|images|counts?|support|patients)\b[ \t]*(?:test|train\w*|val\w*)?[ \t]*[:=]?[ \t]*)"
    r"(\d+(?:[ \t]*,[ \t]*\d+(?![\d.%]))+)",
    re.IGNORECASE,
)
_CLASSES = re.compile(r"\b(?:classes|labels)\b\s*[:=]?\s*([^\n;/\d]+)", re.IGNORECASE)
_POSITIVE = re.compile(r"\bpositive(?: class)?\s*[:=]\s*([\w-]+)", re.IGNORECASE)
_ROWS_ARE = re.compile(
    r"\brows?\s*(?:are|is|=|:)?\s*(true|actual|truth|predicted|predictions?|called)\b", re.IGNORECASE
)
_LEAD = re.compile(r"^(?:[\s,;:=.()\[\]|]|\b(?:and|with|the|is|was|of|at|an?|are|gives?|its)\b)+", re.IGNORECASE)


@dataclass
class _Reading:
    classes: tuple[str, ...] = ()
    positive: str = ""
    binary: bool = False
    samples: dict[str, Sample] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)


def read_text(text: str, name: str) -> Report:
    """A report from free text.

    Raises:
        DataError: nothing in it that could be checked, or a matrix that is none.
    """
    reading = _Reading()
    text = _normalised(text)
    text = _take_frame(text, reading)
    rows = [_row(title, part, reading) for title, part in _parts(text)]
    classes = reading.classes or _classes_of_cells(rows, reading)
    positive = next((each for each in classes if each.casefold() == reading.positive.casefold()), reading.positive)
    return finish(
        name, classes, reading.samples, rows, positive=positive, binary=reading.binary, ignored=reading.ignored
    )


def _normalised(text: str) -> str:
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("−", "-").replace("\u00a0", " ").replace("×", "x")
    text = re.sub(
        r"\b(?:(?:on|of|in|with|from|for)\s+)?(\d+)\s+(?:images|pictures|cases|patients)\b",
        r", n \1,",
        text,
        flags=re.IGNORECASE,
    )
    text = re.sub(r"\bf[ \-_]?(?:1|one)\b", "f-score", text, flags=re.IGNORECASE)
    text = re.sub(r"\bf[ \-_]?1[ \-_]?(?=score|measure)", "f-", text, flags=re.IGNORECASE)
    # A comma between one or two digits and others, without a space: a decimal comma, unless more such follow.
    text = re.sub(r"(?<=[\s=:])(\d{1,2}),(\d{1,4})(?=\s*(?:%|;|\n|$|[^\W\d]|,\s))", _pointed, text)
    return re.sub(r"(?<![\d,])(\d{1,3}(?:,\d{3})+)(?![\d,])(?=\s*(?:images|patients|parameters))", _bare, text)


def _pointed(match: re.Match[str]) -> str:
    """A decimal comma as a point; a number of images has none."""
    before = match.string[: match.start()].split("\n")[-1]
    counts = re.search(r"\b(?:n|images|counts?|support|patients)\b[^,;]*$", before, re.IGNORECASE)
    return match[0] if counts else f"{match[1]}.{match[2]}"


def _bare(match: re.Match[str]) -> str:
    return match[1].replace(",", "")


def _take_frame(text: str, reading: _Reading) -> str:
    """Takes out what is said of all rows: classes, the positive one, that there are two."""
    if found := _CLASSES.search(text):
        words = [each for each in re.split(r"[,\s]+", found[1].strip()) if each and each.casefold() != "and"]
        stop = next(
            (i for i, word in enumerate(words) if understand(word) or _SIZE.fullmatch(word.casefold())), len(words)
        )
        reading.classes = tuple(words[:stop])
        rest = found[1]
        for word in words[:stop]:
            rest = rest.replace(word, " ", 1)
        text = f"{text[: found.start()]}{rest.lstrip(', ') if stop < len(words) else ''}{text[found.end() :]}"
    if found := _POSITIVE.search(text):
        reading.positive, text = found[1], text[: found.start()] + text[found.end() :]
    if re.search(r"\bbinary\b", text, re.IGNORECASE):
        reading.binary = True
        text = re.sub(r"\bbinary\b:?", " ", text, flags=re.IGNORECASE)
    return text


def _parts(text: str) -> list[tuple[str, str]]:
    """Rows: a line that starts with a name and a colon begins one; what stands before the first has no name."""
    parts: list[tuple[str, list[str]]] = [("", [])]
    for line in text.split("\n"):
        found = re.match(r"\s*([^\W\d][^:=\[\]{};,%]{0,60}):\s*(.*)$", line)
        if found and not _is_known(found[1]) and re.search(r"[^\W\d]|[\[/]", found[2]):
            parts.append((found[1].strip(), [found[2]]))
        else:
            parts[-1][1].append(line)
    return [(title, "\n".join(lines)) for title, lines in parts]


def _is_known(words: str) -> bool:
    plain = plain_words(words)
    return bool(
        understand(words) or _size_name(plain) is not None or re.search(r"matrix|confusion|classes|counts", plain)
    )


def _row(title: str, text: str, reading: _Reading) -> Row:
    text, rows_are = _take_rows_are(text)
    text, matrix = _take_matrix(text, reading)
    ends: list[tuple[str, str]] = []

    def keep(match: re.Match[str]) -> str:
        ends.append((match[1], match[2]))
        return f" \x01{len(ends) - 1}\x02 "

    text = _ENDS.sub(keep, text)
    figures: list[Figure] = []
    for piece in _pieces(text, len(matrix) if matrix else 0):
        figures += _items(piece, ends, reading, matrix)
    return Row(title, tuple(figures), matrix, "", rows_are)


def _take_rows_are(text: str) -> tuple[str, str]:
    found = _ROWS_ARE.search(text)
    if not found:
        return text, ""
    rows = "true" if found[1].casefold() in ("true", "actual", "truth") else "predicted"
    return text[: found.start()] + text[found.end() :], rows


def _take_matrix(text: str, reading: _Reading) -> tuple[str, Matrix | None]:
    if found := _BRACKETS.search(text):
        rows = [re.findall(r"[^\s,;]+", row) for row in _INNER.findall(found[0])]
        return text[: found.start()] + " , " + text[found.end() :], make_matrix(rows)
    if found := _SLASHED.search(text):
        rows = [re.findall(r"\d+", row) for row in re.split(r"[/;|\n]", found[1])]
        return text[: found.start()] + " , " + text[found.end(1) :], make_matrix(rows)
    if lines := _labelled_rows(text):
        start, end, names, rows = lines
        if not reading.classes:
            reading.classes = tuple(names)
        return text[:start] + " , " + text[end:], make_matrix(rows)
    cells = {key.casefold(): value for key, value in _CELLS.findall(text)}
    if len(cells) == 4:
        if not reading.classes:
            reading.classes, reading.positive = ("positive", "negative"), "positive"
        return _CELLS.sub(" , ", text), make_matrix([[cells["tp"], cells["fn"]], [cells["fp"], cells["tn"]]])
    return text, None


def _labelled_rows(text: str) -> tuple[int, int, list[str], list[list[str]]] | None:
    """Lines such as `normal: 87 147` beneath each other, as many as each has numbers."""
    lines = list(re.finditer(rf"^[ \t]*([^\W\d][\w \-]*?)[ \t]*[:=]?[ \t]+({_LINE})[ \t]*$", text, re.MULTILINE))
    lines = [each for each in lines if not _is_known(each[1])]
    size = len(re.findall(r"\d+", lines[0][2])) if lines else 0
    if size < 2 or len(lines) < size:
        return None
    rows = [re.findall(r"\d+", each[2]) for each in lines[:size]]
    return lines[0].start(), lines[size - 1].end(), [each[1] for each in lines[:size]], rows


def _pieces(text: str, classes: int) -> list[str]:
    """Splits at commas, semicolons and line ends; counts such as `n 234, 390` and `n 5,863` stay together."""

    def together(match: re.Match[str]) -> str:
        numbers = re.split(r"\s*,\s*", match[2])
        thousands = re.fullmatch(r"\d{1,3}(?:,\d{3})+", match[2]) and len(numbers) != classes
        return match[1] + ("".join(numbers) if thousands else " ".join(numbers))

    text = _COUNTS.sub(together, text)
    return [piece for piece in re.split(r"[,;\n]", text) if piece.strip(" .:()[]|/\t")]


def _items(piece: str, ends: Sequence[tuple[str, str]], reading: _Reading, matrix: Matrix | None) -> list[Figure]:
    items = [(each["name"], each["values"], each["ends"]) for each in _ITEM.finditer(piece)]
    if not items:
        _ignore(piece, reading)
        return []
    tail = piece[[each.end() for each in _ITEM.finditer(piece)][-1] :]
    if len(items) == 1 and not _LEAD.sub("", items[0][0]).strip() and tail.strip():
        items = [(tail, items[0][1], items[0][2])]
    elif _LEAD.sub("", tail).strip(" .)]"):
        _ignore(tail, reading)
    found: list[Figure] = []
    last = ""
    for name, values, mark in items:
        plain = _LEAD.sub("", name).strip(" :=(|\t-").replace("f-score", "F1")
        again = not plain and "(" in name  # `541/624 (86.7 %)`: one figure, printed in two ways
        plain = last if again else plain
        last = plain
        found += _item(plain, values, mark, ends, reading, matrix, twice=again or _goes_on(items, values))
    return found


def _item(
    name: str,
    values: str,
    mark: str | None,
    ends: Sequence[tuple[str, str]],
    reading: _Reading,
    matrix: Matrix | None,
    *,
    twice: bool,
) -> list[Figure]:
    numbers = [each.strip() for each in re.findall(_VALUE, values, re.IGNORECASE)]
    numbers = [values.strip()] if _is_fraction(name, values, reading, twice=twice) else numbers
    sample = _size_name(plain_words(name))
    if sample is not None:
        return _take_size(sample, values, reading)
    plain = next((each for each in reading.classes if plain_words(each) == plain_words(name)), "")
    if plain and all(re.fullmatch(r"\d+", each) for each in numbers):
        return _take_count(plain, numbers[0], reading)
    meant = understand(name, reading.classes)
    classes = reading.classes or tuple(f"class {i + 1}" for i in range(len(matrix or numbers)))
    if meant and len(numbers) > 1 and len(numbers) == len(classes) and meant.metric in PER_CLASS and not meant.over:
        each_class = [make_figure(name, number, reading.classes) for number in numbers]
        return [
            replace(figure, name=f"{name} {label}", over=label)
            for figure, label in zip(each_class, classes, strict=True)
            if figure
        ]
    made = []
    if meant:
        interval = list(ends[int(mark.strip(" \x01\x02"))]) if mark else []
        given = [{"value": number, "ci": interval} for number in numbers]
        made = [figure for value in given if (figure := make_figure(name, value, reading.classes))]
    if not made:
        _ignore(f"{name} {values}", reading)
    return made


def _goes_on(items: Sequence[tuple[str, str, str | None]], values: str) -> bool:
    """Whether the next number of a piece stands in brackets behind this one."""
    after = [each[0] for each, before in zip(items[1:], items, strict=False) if before[1] == values]
    return any("(" in name and not _LEAD.sub("", name).strip(" (") for name in after)


def _is_fraction(name: str, values: str, reading: _Reading, *, twice: bool) -> bool:
    """`541/624` is k of n; `recall 88/92` of two classes may be a share of each, unless it is printed in two ways."""
    found = re.fullmatch(r"\s*(\d+)\s*/\s*(\d+)\s*", values)
    if not found or _size_name(plain_words(name)) is not None or not 0 < int(found[2]) >= int(found[1]):
        return False
    meant = understand(name, reading.classes)
    a_share_each = meant is not None and meant.metric in PER_CLASS and not meant.over and int(found[2]) <= 100
    a_share_each = a_share_each and not twice
    return meant is not None and not a_share_each


def _size_name(words: str) -> str | None:
    """The sample whose size is given; empty for one without a name; None where the words are no size."""
    parts = words.split()
    rest = " ".join(each for each in parts if not _SIZE.fullmatch(each))
    if len(rest.split()) == len(parts):
        return None
    return next((name for name, pattern in SAMPLES.items() if re.fullmatch(pattern, rest)), "" if not rest else None)


def _take_size(sample: str, values: str, reading: _Reading) -> list[Figure]:
    span = re.fullmatch(r"\s*(\d+)\s*(?:-|–|to)\s*(\d+)\s*", values)
    numbers = [span[1], span[2]] if span else re.findall(r"[\d.]+", values)
    reading.samples[sample] = make_sample(numbers, span=bool(span))
    return []


def _take_count(label: str, number: str, reading: _Reading) -> list[Figure]:
    """`normal 234, pneumonia 390`: counts come one by one."""
    counts = dict(
        zip(reading.classes, reading.samples.get("", Sample()).counts or [0] * len(reading.classes), strict=True)
    )
    counts[label] = int(number)
    reading.samples[""] = make_sample(list(counts.values()))
    return []


def _classes_of_cells(rows: Sequence[Row], reading: _Reading) -> tuple[str, ...]:
    """`class 1` and so on, where figures were given a class of a matrix without names."""
    overs = {figure.over for row in rows for figure in row.figures}
    sizes = [len(row.matrix) for row in rows if row.matrix] + [len(each.counts) for each in reading.samples.values()]
    size = max([*sizes, sum(over.startswith("class ") for over in overs)])
    names = tuple(f"class {i + 1}" for i in range(size))
    return names if overs & set(names) else ()


def _ignore(piece: str, reading: _Reading) -> None:
    words = re.sub(r"\x01\d+\x02", "", piece).strip(" ,;:.()[]|\t\n")
    if words:
        reading.ignored.append(words)
