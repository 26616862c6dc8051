"""`hilum plan`: how many images a question needs, or what so many can answer."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from hilum.cli.terminal import print_json, print_line, render_table
from hilum.errors import UsageError

if TYPE_CHECKING:
    from hilum.evaluation.planning import Plan

WIDTH = 80


def run_plan_command(plan: Plan, *, out: Path | None, as_json: bool) -> int:
    """Prints a plan; returns the exit code."""
    from hilum.workflow.record import write_json

    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_json(out, plan.to_json())
    if as_json:
        print_json(plan.to_json())
        return 0
    needed = [each for each in plan.answers if not each.given]
    rows = [(each.question, _count(each.images), _count(each.total), _count(each.patients)) for each in needed]
    if rows:
        print_line(render_table(rows, ("what is asked", "images", "in all", "patients")))
        print_line()
    for line in [*(each.sentence for each in plan.answers), *plan.notes]:
        print_line(textwrap.fill(line, WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False))
    if out is not None:
        print_line(str(out))
    return 0


def numbers_of(text: str, option: str) -> tuple[float, ...]:
    """Numbers of a comma-separated list; nothing gives none.

    Raises:
        UsageError: something that is no number.
    """
    try:
        return tuple(float(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise UsageError(option, expected="numbers such as 0.05 or 0.05,0.1", found=text) from None


def _count(number: int | None) -> str:
    return "-" if number is None else f"{number:,}"
