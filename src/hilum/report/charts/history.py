"""How training went: loss and accuracy by epoch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from hilum.evaluation.values import Estimate
from hilum.report.charts.axes import Panel, find_ticks, widen
from hilum.report.charts.svg import Figure, dot, line, text
from hilum.report.study_folder import column
from hilum.report.words import render_estimate

History = Sequence[Mapping[str, Any]]
TRAIN, VAL = "s-muted", "s-accent"


def find_best_epoch(history: History) -> int | None:
    """Position of the epoch whose weights were kept: the last one marked, else the lowest validation loss."""
    marked = [i for i, value in enumerate(column(history, "best")) if value == 1]
    losses = [value if math.isfinite(value) else math.inf for value in column(history, "val_loss")]
    if marked:
        return min(marked, key=lambda i: (losses[i], -i))
    return losses.index(min(losses)) if losses and min(losses) < math.inf else None


def plot_loss(history: History) -> Figure | None:
    """Training and validation loss; None without a finished epoch."""
    train, val = column(history, "train_loss"), column(history, "val_loss")
    known = [value for value in [*train, *val] if math.isfinite(value)]
    if not known:
        return None
    panel = _panel(history, widen(min(0.0, *known), max(known)))
    panel.heading("Loss")
    panel.y_axis("cross-entropy", find_ticks(*panel.y))
    _draw_lines(panel, train, val)
    return panel.figure("Loss by epoch", f"Training and validation loss over {len(history)} epochs.")


def plot_accuracy(history: History, measured: Estimate | None = None) -> Figure | None:
    """Training and validation accuracy; `measured` is the validation figure of the weights that were kept."""
    train, val = column(history, "train_accuracy"), column(history, "val_accuracy")
    known = [value for value in [*train, *val] if math.isfinite(value)]
    if not known:
        return None
    ends = known + ([measured.ci_low] if measured and math.isfinite(measured.ci_low) else [])
    panel = _panel(history, (widen(min(ends), 1.0)[0], 1.0))
    panel.heading("Accuracy")
    panel.y_axis("share of images right", find_ticks(*panel.y), _percent)
    _draw_lines(panel, train, val)
    best = find_best_epoch(history)
    words = ""
    if measured and best is not None:
        panel.whisker(best + 1, measured.ci_low, measured.ci_high, VAL)
        panel.add(dot(*panel.at(best + 1, measured.value), "f-accent", 4))
        words = f" The weights that were kept: {render_estimate(measured, percent=True)} on validation."
    return panel.figure("Accuracy by epoch", f"Training and validation accuracy over {len(history)} epochs.{words}")


def _percent(value: float) -> str:
    return f"{100 * value:.0f} %"


def _panel(history: History, y: tuple[float, float]) -> Panel:
    epochs = len(history)
    panel = Panel(x=(0.5 if epochs == 1 else 1, max(epochs, 1.5)), y=y, width=334, left=56, right=64)
    ticks = [tick for tick in find_ticks(1, epochs, 6) if tick == int(tick)] if epochs > 1 else [1]
    panel.x_axis("epoch", ticks)
    _mark_phases(panel, history)
    _mark_best(panel, find_best_epoch(history))
    return panel


def _mark_phases(panel: Panel, history: History) -> None:
    phases = [row.get("phase") for row in history]
    for i in range(1, len(phases)):
        if phases[i] != phases[i - 1]:
            x = panel.across(i + 0.5)
            panel.add(line(x, panel.top, x, panel.height - panel.bottom, "s-muted dashed faint"))


def _mark_best(panel: Panel, best: int | None) -> None:
    if best is None:
        return
    x = panel.across(best + 1)
    panel.add(line(x, panel.top, x, panel.height - panel.bottom, "s-accent faint"))
    anchor = "start" if x < panel.width * 0.25 else "end" if x > panel.width * 0.6 else "middle"
    panel.add(text(f"kept: epoch {best + 1}", x, panel.top - 4, anchor=anchor, style="f-accent small"))


def _draw_lines(panel: Panel, train: Sequence[float], val: Sequence[float]) -> None:
    for values, style in ((train, TRAIN), (val, VAL)):
        panel.curve([(i + 1.0, value) for i, value in enumerate(values)], style)
    panel.end_labels(
        [("training", _last(train), "f-muted"), ("validation", _last(val), "f-accent")],
    )


def _last(values: Sequence[float]) -> float:
    return next((value for value in reversed(values) if math.isfinite(value)), math.nan)
