"""In how many settings two compared runs differ: a figure cannot say which of several made the difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hilum.recipes.convert import find_differences
from hilum.workflow.record import read_json

SHOWN = 6


def settings_apart(runs: Sequence[str], run_dirs: Mapping[str, Path]) -> dict[str, dict[str, Any]]:
    """For each run but the first, its settings that are not the first one's.

    Args:
        runs: best first.
        run_dirs: run -> folder with its `recipe.json`; runs without one are left out.

    Returns:
        Run -> `settings` (each with `setting, best, this`) and a `sentence`.
    """
    recipes = {run: document for run in runs if (document := read_json(run_dirs[run] / "recipe.json"))}
    if not runs or runs[0] not in recipes:
        return {}
    best = recipes.pop(runs[0])
    found = {run: find_differences(best, each) for run, each in recipes.items()}
    return {
        run: {
            "settings": [dict(zip(("setting", "best", "this"), row, strict=True)) for row in rows],
            "sentence": describe_settings(runs[0], run, rows),
        }
        for run, rows in found.items()
    }


def describe_settings(first: str, second: str, rows: Sequence[tuple[str, str, str]]) -> str:
    """What a difference between two runs may be put down to, in one sentence."""
    if not rows:
        return f"{first} and {second} have the same settings: seed, data or chance set them apart."
    shown = ", ".join(f"{name} {a or 'none'} against {b or 'none'}" for name, a, b in rows[:SHOWN])
    if len(rows) == 1:
        return f"{first} and {second} differ in one setting: {shown}."
    more = f", and {len(rows) - SHOWN} more" if len(rows) > SHOWN else ""
    return (
        f"{first} and {second} differ in {len(rows)} settings, so their figures cannot say which of them made the "
        f"difference: {shown}{more}."
    )
