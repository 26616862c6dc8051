"""Plain Markdown as GitHub shows it: text that cannot break out, tables, sections."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence

from hilum.report.words import NO_BREAK, make_visible


def plain(text: object) -> str:
    """Any text on one line, as itself: nothing in it is markup."""
    line = " ".join(make_visible(str(text)).replace(NO_BREAK, " ").split())
    return re.sub(r"([\\`*_\[\]|#~])", r"\\\1", html.escape(line, quote=False))


def code(text: object) -> str:
    """A file name or number as code."""
    line = " ".join(make_visible(str(text)).split()).replace("`", "'").replace("|", "\\|")
    return f"`{line}`"


def prose(sentence: str) -> str:
    """A sentence in which words between back quotes are code."""
    parts = re.split(r"`([^`\n]+)`", sentence)
    return "".join(code(part) if i % 2 else _keep_spaces(part) for i, part in enumerate(parts)).strip()


def _keep_spaces(part: str) -> str:
    text = plain(part)
    return f"{' ' if part[:1].isspace() else ''}{text}{' ' if part[-1:].isspace() and text else ''}"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are Markdown already."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cell or ' ' for cell in line)} |" for line in lines)


def bullets(lines: Iterable[str]) -> str:
    """A list of lines that are Markdown already."""
    return "\n".join(f"- {line}" for line in lines)
