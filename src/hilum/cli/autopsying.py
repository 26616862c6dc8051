"""`hilum autopsy`: read what somebody printed, take it apart, print what was found."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hilum.cli.terminal import print_json, print_line
from hilum.errors import UsageError

if TYPE_CHECKING:
    from hilum.autopsy import Autopsy, Finding, Report

WIDTH = 80
CANNOT_BE_TRUE = 5
NEEDS = "Such as `hilum autopsy report.json`, or `hilum autopsy '87 147 / 128 262, accuracy 86.7, n 234 390'`."


def run_autopsy_command(given: Sequence[str], *, out: Path | None, as_json: bool) -> int:
    """Takes apart and prints; returns the exit code."""
    from hilum.autopsy import take_apart

    if out is not None and out.suffix.casefold() not in (".html", ".json"):
        raise UsageError("--out", expected="a file that ends in .html or .json", found=str(out))
    result = take_apart(_report(given))
    if out is not None:
        write_autopsy(result, out)
    if as_json:
        print_json(result.to_json())
    else:
        print_line("\n".join(_lines(result)))
        if out is not None:
            print_line(str(out))
    return CANNOT_BE_TRUE if result.impossible else 0


def write_autopsy(result: Autopsy, out: Path) -> None:
    """Writes a page or, where the name ends so, JSON."""
    if out.suffix.casefold() == ".json":
        from hilum.workflow.record import write_json

        out.parent.mkdir(parents=True, exist_ok=True)
        write_json(out, result.to_json())
    else:
        from hilum.report.autopsy_page import write_autopsy_page

        write_autopsy_page(result, out)


def _report(given: Sequence[str]) -> Report:
    from hilum.autopsy import read_report, read_typed

    if not " ".join(given).strip():
        raise UsageError("hilum autopsy", expected="a file, - or typed figures", found="nothing", way_out=NEEDS)
    if list(given) == ["-"]:
        return read_typed(sys.stdin.read(), "standard input")
    return read_report(" ".join(given))


def _lines(result: Autopsy) -> Iterator[str]:
    from hilum.autopsy.describe import describe_autopsy

    yield "understood:"
    yield from (_wrapped(f"  {line}", "    ") for line in result.understood)
    if result.report.ignored:
        yield _wrapped(f"  not understood: {'; '.join(result.report.ignored)}", "    ")
    yield ""
    for finding in result.findings:
        yield _wrapped(_text(finding), "  ")
        yield ""
    yield _wrapped(describe_autopsy(result), "  ")


def _text(finding: Finding) -> str:
    where = f"{finding.where}: " if finding.where else ""
    return f"{finding.severity}: {where}{finding.sentence}"


def _wrapped(text: str, indent: str) -> str:
    return textwrap.fill(text, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
