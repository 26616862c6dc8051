"""Whether a stated probability can be taken at its word."""

from __future__ import annotations

from collections.abc import Sequence

from hilum.evaluation.curves import ReliabilityBin
from hilum.report.charts.axes import Panel
from hilum.report.charts.roc import QUARTERS
from hilum.report.charts.svg import Figure, dot, element, line, text
from hilum.report.words import render_percent

BARS = 46.0


def plot_reliability(
    bins: Sequence[ReliabilityBin], colour: str = "accent", heading: str = "Stated and kept"
) -> Figure:
    """Share of right answers against the probability that was stated, and beneath it the images of each bin."""
    panel = Panel((0, 1), (0, 1), width=320, height=340, bottom=44 + BARS + 12)
    panel.heading(heading)
    panel.y_axis("share that was right", QUARTERS)
    panel.add(line(*panel.at(0, 0), *panel.at(1, 1), "s-muted dashed"))
    panel.add(text("stated = kept", panel.across(0.3) - 6, panel.up(0.34), style="f-muted small", anchor="end"))
    for each in bins:
        panel.whisker(each.confidence, each.share.ci_low, each.share.ci_high, f"s-{colour}")
        panel.add(dot(*panel.at(each.confidence, each.share.value), f"f-{colour}", 4))
    _draw_counts(panel, bins, colour)
    listed = "; ".join(
        f"stated {render_percent(each.confidence)}, right {render_percent(each.share.value)} of {each.images:,} images"
        for each in bins
    )
    return panel.figure("Reliability diagram", f"{listed}.")


def _draw_counts(panel: Panel, bins: Sequence[ReliabilityBin], colour: str) -> None:
    base = panel.height - 44
    most = max((each.images for each in bins), default=1)
    for each in bins:
        tall = max(BARS * each.images / most, 1.0)
        left, right = panel.across(each.low) + 1, panel.across(each.high) - 1
        panel.add(element("rect", x=left, y=base - tall, width=right - left, height=tall, class_=f"f-{colour} faint"))
    panel.add(text(f"{most:,}", panel.left - 6, base - BARS + 8, anchor="end", style="f-muted small"))
    panel.add(text("images", 11, base - BARS / 2, anchor="middle", style="f-muted", rotate=-90))
    panel.add(
        line(panel.left, panel.height - panel.bottom, panel.width - panel.right, panel.height - panel.bottom, "s-muted")
    )
    panel.add(line(panel.left, base, panel.width - panel.right, base, "s-muted"))
    for tick in QUARTERS:
        panel.add(text(f"{tick:g}", panel.across(tick), base + 17, anchor="middle", style="f-muted small"))
    panel.add(
        text(
            "stated probability",
            (panel.left + panel.width - panel.right) / 2,
            panel.height - 8,
            anchor="middle",
            style="f-muted",
        )
    )
