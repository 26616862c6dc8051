"""How a measurement is spread in each class: every picture a dot, the middle half as a bar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from hilum.report.charts.axes import Panel, find_ticks, widen
from hilum.report.charts.svg import Figure, dot, element, line, text, text_width
from hilum.report.words import shorten

ROW = 22.0


@dataclass(frozen=True)
class Strip:
    """One row of a strip chart.

    Args:
        label: its class.
        split: its split, printed small.
        colour: name of the colour of its class.
        quartiles: of all its values.
        shown: float `[N]`: the values that are drawn as dots, at least one.
    """

    label: str
    split: str
    colour: str
    quartiles: tuple[float, float, float]
    shown: np.ndarray

    @classmethod
    def of(cls, label: str, split: str, colour: str, values: np.ndarray, shown: np.ndarray) -> Strip:
        """The quartiles of `values`, and `shown` of them."""
        low, middle, high = map(float, np.quantile(values, [0.25, 0.5, 0.75]))
        return cls(label, split, colour, (low, middle, high), shown)


def plot_strips(strips: Sequence[Strip], heading: str, axis: str, *, percent: bool = False) -> Figure:
    """One row a class and split, on one axis."""
    labels = {strip.label: shorten(strip.label, 20) for strip in strips}
    left = (
        max(1.16 * text_width(label) for label in labels.values())
        + max(text_width(strip.split, 11) for strip in strips)
        + 22
    )
    values = np.concatenate([strip.shown for strip in strips])
    bottom = 30 + ROW * len(strips) + 6 * (len(labels) - 1)
    panel = Panel(
        widen(float(values.min()), float(values.max()), 4),
        (0, 1),
        width=left + 156,
        height=bottom + 48,
        left=left,
        right=24,
    )
    panel.heading(heading)
    panel.x_axis(axis, find_ticks(*panel.x, 4), (lambda tick: f"{100 * tick:g} %") if percent else "{:g}".format)
    y = panel.top - ROW / 2
    for i, strip in enumerate(strips):
        first = i == 0 or strips[i - 1].label != strip.label
        y += ROW + (6 if first and i else 0)
        if first:
            panel.add(text(labels[strip.label], 0, y + 4, style=f"f-{strip.colour} strong"))
        panel.add(text(strip.split, left - 8, y + 4, anchor="end", style="f-muted small"), _draw(strip, panel, y, i))
    listed = "; ".join(f"{s.label}, {s.split}: median {s.quartiles[1]:.3g}" for s in strips)
    return panel.figure(heading, f"{heading} of each class and split. {listed}.")


def _draw(strip: Strip, panel: Panel, y: float, seed: int) -> Markup:
    low, middle, high = map(panel.across, strip.quartiles)
    jitter = np.random.default_rng(seed).uniform(-5, 5, len(strip.shown))
    dots = "".join(
        dot(panel.across(float(value)), float(y + shift), f"f-{strip.colour}", 1.8)
        for value, shift in zip(strip.shown, jitter, strict=True)
    )
    bar = element(
        "rect", x=low, y=y - 6, width=max(high - low, 1.0), height=12.0, rx=2, class_=f"f-{strip.colour}", opacity="0.3"
    )
    return element("g", Markup(dots), class_="faint") + bar + line(middle, y - 8, middle, y + 8, "thick s-ink")
