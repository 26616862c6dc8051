"""`hilum tune`: a search, its trials as a table, the winner as a recipe file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hilum.cli.terminal import Terminal, print_json, print_line, render_table
from hilum.cli.training import FAILED, INTERRUPTED, REJECTED, chosen_recipe
from hilum.workflow.options import Options
from hilum.workflow.several import refuse_several

if TYPE_CHECKING:
    from hilum.workflow.tune import Tuning


def run_tune_command(
    recipe: str,
    data: Path,
    options: Options,
    *,
    trials: int,
    space: Sequence[str],
    changes: Sequence[str],
    val_fraction: float | None,
    as_json: bool,
) -> int:
    """Searches; returns the exit code."""
    from hilum.recipes.convert import to_json
    from hilum.workflow.tune import to_json_space, tune_recipe

    refuse_several("hilum tune")
    chosen, options = chosen_recipe(recipe, options, changes, val_fraction)
    result = tune_recipe(chosen, data, options, trials=trials, space=space, voice=Terminal(quiet=as_json))
    if as_json:
        rows = result.trials.astype(object).where(result.trials.notna(), None)
        print_json(
            {
                "folder": str(result.folder),
                "headline": result.headline,
                "space": to_json_space(result.space),
                "trials": rows.to_dict("records"),
                "best": to_json(result.best) if result.best else None,
                "rejected": result.rejected,
            }
        )
    else:
        print_line()
        print_line(_table(result))
        print_line()
        print_line(result.headline)
        print_line(str(result.folder / "best.json") if result.best else str(result.folder))
    if result.interrupted:
        return INTERRUPTED
    if result.best is None:
        return FAILED
    return REJECTED if result.rejected else 0


def _table(result: Tuning) -> str:
    fields = [each.field for each in result.space]
    rows = []
    for row in result.trials.to_dict("records"):
        loss = row["val_log_loss"]
        cells = [str(row["trial"]), row["status"], "-" if loss is None or loss != loss else f"{loss:.4f}"]
        rows.append((*cells, *(_cell(row[field]) for field in fields)))
    return render_table(rows, ("trial", "status", "log loss", *fields))


def _cell(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
