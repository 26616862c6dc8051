"""How the chosen run was trained."""

from __future__ import annotations

import math

from hilum.report.charts.history import find_best_epoch, plot_accuracy, plot_loss
from hilum.report.sections.section import Section, render
from hilum.report.study_folder import Run, Study, column
from hilum.report.words import end_sentence, render_count, render_duration

WORSE = 1.05
"""A loss that is higher by this factor is higher by more than its noise from epoch to epoch."""


def make_training(study: Study) -> Section | None:
    """Loss and accuracy by epoch, and how training ended."""
    run = study.chosen
    if run is None or not run.history:
        return None
    val = run.evaluations.get("val")
    figures = [plot_loss(run.history), plot_accuracy(run.history, val.overall.get("accuracy") if val else None)]
    sentences = [_describe_loss(run), _describe_phases(run), _describe_end(run)]
    return Section(
        "Training",
        render(
            "panels.html",
            figures=[each for each in figures if each],
            sentence=" ".join(filter(None, sentences)),
            source="",
        ),
    )


def _describe_loss(run: Run) -> str:
    best = find_best_epoch(run.history)
    if best is None:
        return ""
    train, val = column(run.history, "train_loss"), column(run.history, "val_loss")
    start = f"The weights of epoch {best + 1} of {len(val)} were kept, with a validation loss of {val[best]:.3g}."
    if best == len(val) - 1 and len(val) > 1:
        return f"{start} That is the last epoch: longer training might have helped."
    if val[-1] > WORSE * val[best] and train[best] > WORSE * train[-1]:
        return (
            f"{start} After that the training loss went on falling, to {train[-1]:.3g}, while the validation loss "
            f"rose to {val[-1]:.3g}: it began to learn the training pictures by heart."
        )
    return start


def _describe_phases(run: Run) -> str:
    phases = list(dict.fromkeys(str(row.get("phase", "")) for row in run.history))
    if len(phases) < 2:
        return ""
    return f"Training had {len(phases)} phases; a dotted line marks where the next begins."


def _describe_end(run: Run) -> str:
    facts = run.environment
    parts = []
    if facts.get("stopped"):
        parts.append(end_sentence(str(facts["stopped"])))
    done, seconds, speed = facts.get("epochs_done"), facts.get("seconds"), facts.get("images_per_second")
    if done and isinstance(seconds, (int, float)) and math.isfinite(seconds):
        rate = f", {speed:,.0f} images a second" if isinstance(speed, (int, float)) else ""
        parts.append(f"{render_count(int(done), 'epoch')} took {render_duration(float(seconds))}{rate}.")
    return " ".join(parts)
