"""A figure with its interval as a dot with whiskers: in the row of a table, or several beneath each other."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from hilum.evaluation.values import Estimate
from hilum.report.charts.axes import Panel, Scale, find_ticks
from hilum.report.charts.svg import Figure, dot, line, text, text_width
from hilum.report.words import render_estimate, shorten

WIDTH, HEIGHT, INSET = 132.0, 16.0, 6.0


def find_range(estimates: Sequence[Estimate], high: float = 1.0) -> tuple[float, float]:
    """From a round number below every interval up to `high`: the shared scale of a table's marks."""
    ends = [end for each in estimates for end in (each.value, each.ci_low) if math.isfinite(end)]
    low = min(ends, default=0.0)
    return (next((edge for edge in (0.9, 0.8, 0.5) if edge <= low), 0.0), high)


def plot_mark(estimate: Estimate, ends: tuple[float, float], colour: str = "accent") -> Figure:
    """One estimate on a scale from `ends[0]` to `ends[1]`, to stand beside the number."""
    scale = Scale(*ends, INSET, WIDTH - INSET)
    body = line(INSET, HEIGHT / 2, WIDTH - INSET, HEIGHT / 2, "s-grid") + _draw(estimate, scale, HEIGHT / 2, colour)
    return Figure(WIDTH, HEIGHT, "", "", body)


def plot_scale(ends: tuple[float, float], *, percent: bool = False) -> Figure:
    """The numbers at the ends and the middle of the marks' scale, for the head of their column."""
    scale = Scale(*ends, INSET, WIDTH - INSET)
    ticks = ((ends[0], "start", 0.0), (sum(ends) / 2, "middle", scale(sum(ends) / 2)), (ends[1], "end", WIDTH))
    body = [
        text(f"{100 * tick:g} %" if percent else f"{tick:g}", x, 12, anchor=anchor, style="f-muted small")
        for tick, anchor, x in ticks
    ]
    return Figure(WIDTH, HEIGHT, "", "", Markup("").join(body))


def plot_estimates(names: Sequence[str], estimates: Sequence[Estimate], colours: Sequence[str], heading: str) -> Figure:
    """Estimates beneath each other, each under its name."""
    shown = [shorten(name, 26) for name in names]
    left = min(max(text_width(name) for name in shown) + 14, 190)
    panel = Panel((find_range(estimates)[0], 1.0), (0, 1), width=left + 190, height=74 + 26 * len(names), left=left)
    panel.heading(heading)
    panel.x_axis("", find_ticks(*panel.x, 4))
    for i, (name, estimate, colour) in enumerate(zip(shown, estimates, colours, strict=True)):
        y = panel.top + 13 + 26 * i
        panel.add(text(name, left - 10, y + 4, anchor="end"), line(left, y, panel.width - panel.right, y, "s-grid"))
        panel.add(_draw(estimate, panel.across, y, colour))
    listed = "; ".join(f"{name} {render_estimate(each)}" for name, each in zip(names, estimates, strict=True))
    return panel.figure(heading, f"{heading}: {listed}.")


def _draw(estimate: Estimate, scale: Scale, y: float, colour: str) -> Markup:
    if not math.isfinite(estimate.value):
        return Markup()
    parts = Markup()
    if math.isfinite(estimate.ci_low) and math.isfinite(estimate.ci_high):
        low, high = scale(estimate.ci_low), scale(estimate.ci_high)
        parts += line(low, y, high, y, f"thick s-{colour}")
        parts += Markup("").join(line(x, y - 4, x, y + 4, f"s-{colour}") for x in (low, high))
    return parts + dot(scale(estimate.value), y, f"f-{colour}", 4)
