"""Which run is best on validation.

Selection sees validation figures only. The order is: runs that are done, then those that collapsed, then those that
failed or were skipped; within each the higher validation AUROC (of the positive class, or macro), to three decimals;
where that is equal, the lower validation log loss.

Why AUROC and not accuracy or log loss alone: it uses every probability, needs no threshold (thresholds are fitted
later, on the same validation images), and hardly moves with what label smoothing or a temperature does to all
probabilities alike (a binary one not at all). Why only three decimals: with the usual hundreds of validation images the
fourth is noise, and AUROC saturates; among runs at 0.999 the log loss, which never saturates, still tells one from
another. Accuracy is coarse (one image in 81 is 1.2 points) and depends on the class proportions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from hilum.evaluation.values import Estimate, Evaluation

FIGURES = ("accuracy", "balanced_accuracy", "auroc")
DECIMALS = 3


@dataclass(frozen=True)
class Entry:
    """One run of a study.

    Args:
        run: folder name.
        recipe, model: names.
        weights: `none`, or where they came from.
        parameters: of the network; None where it was never made.
        status: `done`, `collapsed`, `failed` or `skipped`; `done` becomes `collapsed` where a verdict says so.
        epochs: done.
        seconds: of training.
        validation: None where the run has no validation predictions.
    """

    run: str
    recipe: str
    model: str
    weights: str
    parameters: int | None
    status: str
    epochs: int | None
    seconds: float | None
    validation: Evaluation | None = None

    @property
    def outcome(self) -> str:
        """The status after a look at the verdicts."""
        return "collapsed" if self.status == "done" and self.validation and self.validation.collapsed else self.status


def rank(entries: Sequence[Entry]) -> list[Entry]:
    """Best on validation first; equal ones in the order of their run folders."""
    return sorted(entries, key=_place)


def choose_run(entries: Sequence[Entry]) -> str | None:
    """The run that is to be opened on test.

    The first of the order if it is done. If every run collapsed, the best one whose validation AUROC is above 0.5 with
    its whole interval (it calls one class, but another threshold would help it); if there is none, None: opening the
    test split would teach nothing.
    """
    best = [entry for entry in rank(entries) if entry.validation is not None]
    done = [entry for entry in best if entry.outcome == "done"]
    ranking = [entry for entry in best if entry.outcome == "collapsed" and _figure(entry, "auroc").ci_low > 0.5]
    return next((entry.run for entry in (*done, *ranking)), None)


def build_leaderboard(entries: Sequence[Entry], groups: Mapping[str, int] | None = None) -> pd.DataFrame:
    """One row a run, best first: facts, validation figures with the ends of their intervals, `chosen` 1 or 0.

    Args:
        groups: run -> group, as `compare` gives them: runs of group 1 cannot be told apart from the best.
    """
    chosen = choose_run(entries)
    rows = [{**_row(entry, entry.run == chosen), "group": (groups or {}).get(entry.run)} for entry in rank(entries)]
    table = pd.DataFrame(rows, columns=_columns())
    whole = ("parameters", "epochs", "group")  # whole numbers also beside a missing one
    return table.astype(dict.fromkeys(whole, "Int64"))


def write_leaderboard(path: Path, entries: Sequence[Entry]) -> None:
    """Writes `leaderboard.csv`; a figure that is not there is an empty cell."""
    partial = path.with_name(path.name + ".partial")
    build_leaderboard(entries).to_csv(partial, index=False)
    partial.replace(path)


def _place(entry: Entry) -> tuple[int, float, float, str]:
    group = {"done": 0, "collapsed": 1}.get(entry.outcome, 2) if entry.validation else 3
    auroc, loss = _figure(entry, "auroc").value, _figure(entry, "log_loss").value
    return (
        group,
        -round(auroc, DECIMALS) if auroc == auroc else 1.0,
        loss if loss == loss else float("inf"),
        entry.run,
    )


def _row(entry: Entry, chosen: bool) -> dict[str, Any]:
    row: dict[str, Any] = {name: getattr(entry, name) for name in _FACTS}
    row |= {"status": entry.outcome, "val_loss": _figure(entry, "log_loss").value}
    for name in FIGURES:
        estimate = _figure(entry, name)
        row |= {
            f"val_{name}": estimate.value,
            f"val_{name}_low": estimate.ci_low,
            f"val_{name}_high": estimate.ci_high,
        }
    return row | {"chosen": int(chosen)}


_FACTS = ("run", "recipe", "model", "weights", "parameters", "status", "epochs", "seconds")


def _columns() -> list[str]:
    ends = [f"val_{name}{end}" for name in FIGURES for end in ("", "_low", "_high")]
    return [*_FACTS, "val_loss", *ends, "chosen", "group"]


def _figure(entry: Entry, name: str) -> Estimate:
    missing = Estimate(float("nan"), float("nan"), float("nan"))
    return entry.validation.overall.get(name, missing) if entry.validation else missing
