"""What a person sees while a command works: lines and bars on standard error, results on standard output."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from hilum.workflow.voice import Bar


class Terminal:
    """A study's voice: one line a stage with its time, a bar for what takes longer than two seconds.

    Args:
        quiet: only warnings.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet

    def say(self, line: str) -> None:
        if not self.quiet:
            _to_stderr(line)

    def warn(self, sentence: str) -> None:
        _to_stderr(_wrapped(f"  ! {sentence}", "    "))

    @contextmanager
    def stage(self, name: str) -> Iterator[Bar]:
        started = time.monotonic()
        with _bar(name, self.quiet) as bar:
            yield bar
        self.say(f"{name:<28} {_clock(time.monotonic() - started):>9}")


@contextmanager
def _bar(name: str, quiet: bool) -> Iterator[Bar]:
    if quiet or not sys.stderr.isatty():
        yield lambda done, total, words="": None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[words]}"),
    )
    began = time.monotonic()
    with Progress(*columns, console=Console(stderr=True), transient=True, refresh_per_second=4) as progress:
        task = progress.add_task(name, total=None, words="", rate="", visible=False)

        def bar(done: int, total: int, words: str = "") -> None:
            passed = time.monotonic() - began
            rate = f"{done / passed:.3g}/s" if passed > 0.5 else ""
            progress.update(task, completed=done, total=total, words=words, rate=rate, visible=passed > 2)

        yield bar


def print_line(text: str = "") -> None:
    """A result, on standard output."""
    sys.stdout.write(text + "\n")


def print_json(document: Mapping[str, Any] | list[Any]) -> None:
    """One JSON document on standard output and nothing else there."""
    sys.stdout.write(json.dumps(document, indent=1, default=str) + "\n")


def render_table(rows: Sequence[tuple[str, ...]], header: tuple[str, ...]) -> str:
    """Columns of text, the first to the left, the others to the right."""
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    lines = []
    for row in (header, *rows):
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _to_stderr(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def _wrapped(text: str, indent: str) -> str:
    import textwrap

    return textwrap.fill(text, 80, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _clock(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60):02} s"
