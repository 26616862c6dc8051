"""The runs compared on validation, and those that came to nothing."""

from __future__ import annotations

import math

from hilum.evaluation.values import Estimate
from hilum.report.charts.intervals import find_range
from hilum.report.sections.section import Section, render
from hilum.report.study_folder import RunOutcome, Standing, Study
from hilum.report.words import (
    SHARES,
    end_sentence,
    join_words,
    render_count,
    render_duration,
    render_estimate,
)

STATUS_WORDS = {"collapsed": "Collapsed", "failed": "Failed", "skipped": "Skipped"}


def make_leaderboard(study: Study) -> Section:
    """Every run that has figures, best on validation first, its intervals drawn on one scale."""
    rows = [row for row in study.leaderboard if _has_figures(row)]
    columns = [
        (name, name in SHARES, find_range([row.figures[name] for row in rows if name in row.figures]))
        for name in ("auroc", "accuracy", "balanced_accuracy")
        if any(name in row.figures for row in rows)
    ]
    best = next((row.group for row in rows if row.chosen), None)
    alike = [row for row in rows if best is not None and row.group == best]
    return Section(
        "On validation",
        render(
            "leaderboard.html",
            rows=[(row, _tags(row, row in alike), _describe_run(row), _outcome(study, row.run)) for row in rows],
            columns=columns,
            sentence=_describe([row for row in rows if row.status == "done"]),
            unknown=Estimate(math.nan, math.nan, math.nan),
        ),
    )


def make_fruitless(study: Study) -> Section | None:
    """Runs without figures, because they failed or were skipped, each with its sentence."""
    shown = {row.run for row in study.leaderboard if _has_figures(row)}
    fruitless = [run for run in study.facts.runs if run.status != "done" and run.run not in shown]
    if not fruitless:
        return None
    entries = [(STATUS_WORDS.get(run.status, run.status), run, end_sentence(run.sentence)) for run in fruitless]
    return Section("Runs that came to nothing", render("fruitless.html", entries=entries))


def _has_figures(row: Standing) -> bool:
    return any(math.isfinite(figure.value) for figure in row.figures.values())


def _outcome(study: Study, run: str) -> str:
    found: list[RunOutcome] = [outcome for outcome in study.facts.runs if outcome.run == run]
    return end_sentence(found[0].sentence) if found else ""


def _describe_run(row: Standing) -> str:
    weights = "random weights at the start" if row.weights in ("", "none") else f"{row.weights} weights at the start"
    parts = [row.model, weights]
    if row.parameters is not None:
        parts.append(f"{_in_millions(row.parameters)} parameters")
    if row.epochs is not None:
        parts.append(render_count(row.epochs, "epoch"))
    if math.isfinite(row.seconds):
        parts.append(render_duration(row.seconds))
    return ", ".join(part for part in parts if part)


def _in_millions(parameters: int) -> str:
    return f"{parameters / 1e6:.1f} million" if parameters >= 1e6 else f"{parameters:,}"


def _tags(row: Standing, alike: bool) -> tuple[str, ...]:
    """Words beside the name: `chosen`, `not told apart`, and what became of a run that is not done."""
    told = () if row.chosen or not alike else ("not told apart",)
    return (*(("chosen",) if row.chosen else ()), *told, *(() if row.status == "done" else (row.status,)))


def _describe(rows: list[Standing]) -> str:
    """What the order is worth: whether the first can be told from the others."""
    first = next((row for row in rows if row.chosen), rows[0] if rows else None)
    best = first.figures.get("auroc") if first else None
    if first is None or best is None:
        return "No run gave answers that depend on the pictures."
    if len(rows) == 1:
        return "Only one run can be compared, so there was nothing to choose."
    start = f"{first.run} was chosen, with an AUROC of {render_estimate(best)} on validation."
    if first.group is not None:
        return f"{start} {_describe_group(first, rows)}"
    close = [row.run for row in rows if row is not first and _overlap(row.figures.get("auroc"), best)]
    if not close:
        return f"{start} No other run's interval reaches its own."
    listed = join_words(close) if len(close) <= 3 else f"{len(close)} other runs"
    overlap = "The interval of {} overlaps" if len(close) == 1 else "The intervals of {} overlap"
    return f"{start} {overlap.format(listed)} with it: this validation split may not tell them apart."


def _describe_group(first: Standing, rows: list[Standing]) -> str:
    alike = [row.run for row in rows if row is not first and row.group == first.group]
    if not alike:
        return "Tested in pairs, it is better than every other run, more surely than chance."
    listed = join_words(alike) if len(alike) <= 3 else f"{len(alike)} other runs"
    return f"Tested in pairs, {listed} cannot be told apart from it: to prefer it to these is little more than a draw."


def _overlap(one: Estimate | None, other: Estimate) -> bool:
    if one is None or not all(map(math.isfinite, (one.ci_low, one.ci_high, other.ci_low, other.ci_high))):
        return False
    return one.ci_low <= other.ci_high and other.ci_low <= one.ci_high
