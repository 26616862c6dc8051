"""Every trial of a search, one small panel a field: its value against the validation log loss."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from hilum.report.charts.axes import Panel, find_ticks, widen
from hilum.report.charts.svg import Figure, dot, side_by_side, text
from hilum.report.words import shorten

STATES = {"done": ("f-accent", 4.0), "pruned": ("f-muted", 2.5)}
"""Status -> style and radius; trials without a loss cannot be drawn."""


def plot_trials(trials: pd.DataFrame, fields: Sequence[tuple[str, bool]], name: str) -> Figure:
    """Finished trials as large dots, pruned ones as small grey ones at their last loss, the best with a word.

    Args:
        trials: `status`, `val_log_loss` and a column a field, the best first.
        fields: name, and whether its axis is logarithmic.
    """
    shown = trials[trials["status"].isin(STATES) & np.isfinite(trials["val_log_loss"].astype(float))]
    done = shown["val_log_loss"][shown["status"] == "done"].astype(float)
    # Pruned trials may lie far away; they stand at the upper edge then.
    ceiling = max(done.max(), float(np.quantile(shown["val_log_loss"].astype(float), 0.9)))
    panels = [_panel(shown, field, log, widen(done.min(), ceiling)) for field, log in fields]
    figure = side_by_side(panels, f"Trials of {name}")
    return figure


def _panel(shown: pd.DataFrame, field: str, log: bool, losses: tuple[float, float]) -> Figure:
    places, ticks, render = _places(shown[field], log)
    panel = Panel((min(ticks), max(ticks)), losses, width=284, height=264)
    panel.heading(shorten(field, 34))
    panel.y_axis("validation log loss", find_ticks(*losses))
    panel.x_axis("large dots: finished, small: pruned", ticks, render)
    rows = list(zip(places, shown["val_log_loss"].astype(float), shown["status"], strict=True))
    for place, loss, status in reversed(rows):
        style, radius = STATES[status]
        panel.add(dot(*panel.at(place, loss), style, radius))
    best_x, best_y = panel.at(*rows[0][:2])
    right = best_x < panel.width / 2
    panel.add(text("best", best_x + (7 if right else -7), best_y - 6, anchor="start" if right else "end"))
    value = shown[field].iloc[0]
    value = f"{value:.3g}" if isinstance(value, float) else str(value)
    return panel.figure(f"Trials by {field}", f"The best of {len(rows)} trials has {field} {value}.")


def _places(values: pd.Series, log: bool):
    """Where values lie on an axis, its ticks, and how a tick is written."""
    if values.map(lambda value: isinstance(value, str)).any():
        names = sorted(set(values.astype(str)), key=lambda name: (len(name), name))
        ticks = [-0.5, *range(len(names)), len(names) - 0.5]
        return values.astype(str).map(names.index).tolist(), ticks, lambda tick: _name(names, tick)
    numbers = values.astype(float)
    if log:
        numbers = np.log10(numbers)
        low, high = math.floor(numbers.min()), math.ceil(numbers.max())
        return numbers.tolist(), list(range(low, max(high, low + 1) + 1)), lambda tick: f"1e{tick:g}"
    return numbers.tolist(), list(find_ticks(*widen(numbers.min(), numbers.max(), 4), 4)), "{:g}".format


def _name(names: Sequence[str], tick: float) -> str:
    return shorten(names[int(tick)], 12) if float(tick).is_integer() else ""
