"""The parts of a difference beneath each other, each with its interval, around zero."""

from __future__ import annotations

import math
from collections.abc import Mapping

from hilum.evaluation.values import Estimate
from hilum.report.charts.axes import Panel, find_ticks, widen
from hilum.report.charts.svg import Figure, dot, element, line, text
from hilum.report.words import render_difference

LEFT, ROW = 168.0, 30.0


def plot_parts(parts: Mapping[str, Estimate], chance: Estimate) -> Figure:
    """Dots with whiskers in points of accuracy; the grey area is what chance alone gives.

    Args:
        parts: name -> share, the sum first.
        chance: 0 with its interval.
    """
    ends = [100 * end for each in (*parts.values(), chance) for end in (each.ci_low, each.ci_high, each.value)]
    known = [end for end in ends if math.isfinite(end)]
    low, high = widen(min([*known, 0.0]), max([*known, 1.0]))
    panel = Panel((low, high), (0, 1), width=LEFT + 300, height=78 + ROW * len(parts), left=LEFT)
    panel.heading("Points of accuracy")
    bottom = panel.height - panel.bottom
    if math.isfinite(chance.ci_low):
        left, right = panel.across(100 * chance.ci_low), panel.across(100 * chance.ci_high)
        wide, tall = right - left, bottom - panel.top
        panel.add(element("rect", x=left, y=panel.top, width=wide, height=tall, class_="f-grid"))
    panel.add(line(panel.across(0), panel.top, panel.across(0), bottom, "s-muted dashed"))
    panel.x_axis("grey: what chance alone would give", find_ticks(low, high, 6))
    for i, (name, estimate) in enumerate(parts.items()):
        y, style = panel.top + ROW * (i + 0.5), "accent" if i else "ink"
        panel.add(text(name, LEFT - 10, y + 4, anchor="end", style="f-ink strong" if i == 0 else "f-ink"))
        if math.isfinite(estimate.ci_low):
            panel.add(
                line(
                    panel.across(100 * estimate.ci_low), y, panel.across(100 * estimate.ci_high), y, f"thick s-{style}"
                )
            )
        panel.add(dot(panel.across(100 * estimate.value), y, f"f-{style}", 4))
    listed = "; ".join(f"{name} {render_difference(each, points=True)}" for name, each in parts.items())
    return panel.figure("Validation minus test", f"In points of accuracy: {listed}.")
