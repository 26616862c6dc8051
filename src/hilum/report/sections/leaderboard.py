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
    render_metric,
)

STATUS_WORDS = {"collapsed": "Collapsed", "failed": "Failed", "skipped": "Skipped"}


def make_leaderboard(study: Study) -> Section:
    """Every run that can be compared, best on validation first, its intervals drawn on one scale."""
    rows = [row for row in study.leaderboard if row.status == "done"]
    names = _columns(study, rows)
    sources = [
        (name, name in SHARES, find_range([row.figures[name] for row in rows if name in row.figures])) for name in names
    ]
    return Section(
        "On validation",
        render(
            "leaderboard.html",
            rows=[(row, _describe_run(row), _outcome(study, row.run)) for row in rows],
            columns=sources,
            sentence=_describe(study, rows, names),
            unknown=Estimate(math.nan, math.nan, math.nan),
        ),
    )


def make_fruitless(study: Study) -> Section | None:
    """Runs that collapsed, failed or were skipped, each with its sentence."""
    fruitless = [run for run in study.facts.runs if run.status != "done"]
    if not fruitless:
        return None
    entries = [(STATUS_WORDS.get(run.status, run.status), run, end_sentence(run.sentence)) for run in fruitless]
    return Section("Runs that came to nothing", render("fruitless.html", entries=entries))


def _columns(study: Study, rows: list[Standing]) -> tuple[str, ...]:
    order = ("auroc", "accuracy", "balanced_accuracy") if study.positive else ("accuracy", "balanced_accuracy", "auroc")
    return tuple(name for name in order if any(name in row.figures for row in rows))


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


def _describe(study: Study, rows: list[Standing], names: tuple[str, ...]) -> str:
    """What the order is worth: whether the first can be told from the others."""
    if not rows or not names:
        return "No run can be compared."
    if len(rows) == 1:
        return "Only one run can be compared, so there was nothing to choose."
    first = next((row for row in rows if row.chosen), rows[0])
    name = names[0]
    best = first.figures.get(name)
    if best is None:
        return f"{first.run} was chosen."
    close = [row.run for row in rows if row is not first and _overlap(row.figures.get(name), best)]
    figure = render_estimate(best, percent=name in SHARES)
    start = f"{first.run} was chosen, with {_article(name)} {render_metric(name)} of {figure} on validation."
    if not close:
        return f"{start} No other run's interval reaches its own."
    listed = join_words(close) if len(close) <= 3 else f"{len(close)} other runs"
    overlap = "The interval of {} overlaps" if len(close) == 1 else "The intervals of {} overlap"
    return f"{start} {overlap.format(listed)} with it: this validation split may not tell them apart."


def _article(name: str) -> str:
    return "an" if name[0] in "aeiou" else "a"


def _overlap(one: Estimate | None, other: Estimate) -> bool:
    if one is None or not all(map(math.isfinite, (one.ci_low, one.ci_high, other.ci_low, other.ci_high))):
        return False
    return one.ci_low <= other.ci_high and other.ci_low <= one.ci_high
