"""`hilum replay`: the reference systems beside their reports."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hilum.cli.terminal import Terminal, print_json, print_line, render_table
from hilum.cli.types import names_of
from hilum.errors import UsageError
from hilum.workflow.several import refuse_several

if TYPE_CHECKING:
    from hilum.replay.measure import Cell
    from hilum.replay.systems import System
    from hilum.replay.values import Line, Replay, Settings

INTERRUPTED, NOTHING = 130, 4
SCHEMA = "hilum.replay/1"


def run_replay_command(systems: tuple[System, ...], settings: Settings, *, as_json: bool) -> int:
    """Runs, writes table and page, prints; returns the exit code."""
    from hilum.replay.page import PAGE, describe_replay, write_page
    from hilum.replay.run import replay
    from hilum.replay.table import TABLE, write_table_of

    refuse_several("hilum replay")
    result = replay(systems, settings, Terminal(quiet=as_json))
    table, page = write_table_of(result, settings.out / TABLE), write_page(result, settings.out / PAGE)
    if as_json:
        print_json({**_document(result), "sentence": describe_replay(result), "table": str(table), "page": str(page)})
    else:
        print_line()
        print_line(_table(result.lines))
        print_line()
        print_line(describe_replay(result))
        print_line(str(page))
    if result.interrupted:
        return INTERRUPTED
    return 0 if result.counts["followed"] + result.counts["corrected"] else NOTHING


def sources_of(texts: Sequence[str], systems: tuple[System, ...]) -> dict[str, Path]:
    """Letter -> data root, from `PATH` for all systems or `A,C,E=PATH` for some.

    Raises:
        UsageError: a letter that is not asked for, or a path where there is nothing.
    """
    letters, found = [system.letter for system in systems], dict[str, Path]()
    for text in texts:
        head, equals, tail = text.partition("=")
        named = [letter.upper() for letter in names_of(head)] if equals else letters
        for letter in named:
            if letter not in letters:
                raise UsageError(f"DATA {text}", expected=f"letters among {', '.join(letters)}", found=letter)
            found[letter] = Path(tail if equals else text)
        path = Path(tail if equals else text)
        if not path.exists():
            raise UsageError(f"DATA {text}", expected="a folder of X-rays or a manifest file", found="nothing there")
    return found


def _document(result: Replay) -> dict[str, Any]:
    from dataclasses import asdict

    lines = [
        {**asdict(line.figure), "followed": line.followed.to_json(), "corrected": line.corrected.to_json()}
        for line in result.lines
    ]
    facts = {"systems": [each.letter for each in result.systems], "data": dict(result.data), "counts": result.counts}
    return {"schema": SCHEMA, **facts, "seed": result.settings.seed, "interrupted": result.interrupted, "lines": lines}


def _table(lines: Sequence[Line]) -> str:
    rows: list[tuple[str, ...]] = []
    before = ""
    for line in lines:
        if line.followed.empty and line.corrected.empty:
            continue
        if line.figure.row != before:
            rows.append((before := line.figure.row, "", "", ""))
        rows.append(
            (f"  {line.figure.figure}"[:30], line.figure.text[:9], *map(_value, (line.followed, line.corrected)))
        )
    return render_table(rows, ("", "reported", "followed", "corrected"))


def _value(cell: Cell) -> str:
    from hilum.report.words import render_estimate

    if cell.estimate is None or cell.estimate.ci_low != cell.estimate.ci_low:
        return cell.text or ("not defined" if cell.estimate else "-")
    return render_estimate(cell.estimate)
