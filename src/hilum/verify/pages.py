"""Pages and drawings compared with what is drawn anew: where they part, and which figure that is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher

from hilum.verify.book import Book

MOST = 8
"""Places that are named in one file."""

FIGURE = re.compile(r'<data class="value" value="([^"]*)" data-figure="([^"]*)">([^<]*)</data>')
ABOUT_PICTURES = ('class="xray', "no longer where", "can no longer be read", "could not be shown", "No picture of this")


@dataclass(frozen=True)
class Hunk:
    """Pieces of two texts that differ.

    Args:
        line: where it starts in the text that was found, from 1.
        heading: the last one before it.
    """

    line: int
    heading: str
    expected: str
    found: str


def find_hunks(expected: str, found: str) -> Iterator[Hunk]:
    """Where two pages or drawings part, in order."""
    one, other = _pieces(expected), _pieces(found)
    start = _common(one, other)
    end = _common(one[start:][::-1], other[start:][::-1])
    left, right = one[start : len(one) - end], other[start : len(other) - end]
    lines = [0]
    for piece in other:
        lines.append(lines[-1] + piece.count("\n"))
    for kind, a, b, c, d in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        if kind != "equal":
            heading = _heading("".join(other[: start + c]))
            yield Hunk(lines[start + c] + 1, heading, "".join(left[a:b]), "".join(right[c:d]))


def compare_page(book: Book, file: str, expected: str, found: str, *, pictures: bool) -> None:
    """Compares a page with the one that is made anew.

    Args:
        pictures: they are there to be shown again; else what shows them is passed over.
    """
    book.compared += 1 + len(FIGURE.findall(expected))
    if expected == found:
        return
    if not book.same_build:
        _compare_figures(book, file, expected, found)
    if not pictures:
        expected, found, left_out = without_pictures(expected, found)
        book.skip(
            f"{file}: {len(left_out)} parts that show pictures were not compared, for the pictures are not there."
        )
    own = list(find_hunks(expected, found))
    for hunk in own[:MOST]:
        place = f"line {hunk.line}" + (f", under “{hunk.heading}”" if hunk.heading else "")
        book.words_differ(file, place, *_narrowed(hunk))
    if len(own) > MOST:
        book.words_differ(file, "further places", "none that differ", str(len(own) - MOST))


def without_pictures(expected: str, found: str) -> tuple[str, str, set[str]]:
    """Two pages without the parts that show pictures, or say that they are gone, in either of them."""
    left_out = {name for page in (expected, found) for name, part in _parts(page) if name and _is_about_pictures(part)}
    kept = ("".join("" if name in left_out else part for name, part in _parts(page)) for page in (expected, found))
    one, other = ("\n".join(line for line in page.splitlines() if line.strip()) for page in kept)
    return one, other, left_out


def _parts(page: str) -> Iterator[tuple[str, str]]:
    """A page in pieces: its parts and findings by their headings, and what lies between them."""
    for number, piece in enumerate(re.split(r'(?=<section class="part">|<article )', page)):
        end = re.search(r"</(?:section|article)>", piece)
        if number == 0 or end is None:
            yield "", piece
            continue
        heading = re.search(r'<article [^>]*id="([^"]*)"|<h3>(.*?)</h3>', piece[: end.end()], re.DOTALL)
        yield (heading[1] or heading[2]) if heading else "", piece[: end.end()]
        yield "", piece[end.end() :]


def _is_about_pictures(part: str) -> bool:
    return any(words in part for words in ABOUT_PICTURES)


def _compare_figures(book: Book, file: str, expected: str, found: str) -> None:
    """The marked figures of two pages: what both print has to be the same."""
    printed = {key: {(value, text)} for value, key, text in FIGURE.findall(expected)}
    for value, key, text in FIGURE.findall(expected):
        printed[key].add((value, text))
    for value, key, text in FIGURE.findall(found):
        if key in printed and (value, text) not in printed[key]:
            at = " or ".join(sorted(f"{shown} ({exact})" for exact, shown in printed[key]))
            book.differ(file, f"figure {key}", at, f"{text} ({value})")


def _pieces(text: str) -> list[str]:
    """Lines; long ones (drawings, a page in one line) at their tags."""
    pieces: list[str] = []
    for line in text.splitlines(keepends=True):
        pieces += [line] if len(line) < 400 else re.split(r"(?=<)", line)
    return pieces


def _common(one: list[str], other: list[str]) -> int:
    count = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        count += 1
    return count


def _heading(before: str) -> str:
    headings = re.findall(r"<h[1-4][^>]*>(.*?)</h[1-4]>", before, re.DOTALL)
    return re.sub(r"<[^>]+>", "", headings[-1]).strip() if headings else ""


def _narrowed(hunk: Hunk) -> tuple[str, str]:
    """The part of both sides that differs, with a little around it."""
    one, other = hunk.expected, hunk.found
    start = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    end = next(
        (i for i, (a, b) in enumerate(zip(one[start:][::-1], other[start:][::-1], strict=False)) if a != b),
        min(len(one), len(other)) - start,
    )
    begin = max(start - 24, 0)
    shown = [each[begin : max(len(each) - end, start) + 12].strip() or "nothing" for each in (one, other)]
    return shown[0], shown[1]
