"""ROC and precision-recall curves, one small panel a class, with bands where there are any."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hilum.evaluation.values import Estimate
from hilum.report.charts.axes import Panel
from hilum.report.charts.svg import Figure, dot, line, text
from hilum.report.words import render_estimate, shorten

QUARTERS = (0.0, 0.25, 0.5, 0.75, 1.0)
MOST_POINTS = 400


@dataclass(frozen=True)
class Band:
    """Where a curve may lie: `low` and `high` at each `x`, float `[P]` in [0, 1]."""

    x: np.ndarray
    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True)
class OperatingPoint:
    """Where the decision "most probable class" lies on a curve, with an interval each way."""

    x: Estimate
    y: Estimate


def plot_roc(
    x: np.ndarray,
    y: np.ndarray,
    label: str,
    colour: str,
    auroc: Estimate,
    band: Band | None = None,
    point: OperatingPoint | None = None,
) -> Figure:
    """Sensitivity against false alarms.

    Args:
        x: float `[P]`, share of the other classes' images that are called `label`, ascending.
        y: float `[P]`, share of its own images that are.
    """
    panel = _panel(label, f"AUROC {render_estimate(auroc)}", "false alarms (1 − specificity)", "sensitivity")
    panel.add(line(*panel.at(0, 0), *panel.at(1, 1), "s-muted dashed"))
    _draw(panel, x, y, colour, band, point)
    return panel.figure(f"ROC of {label}", f"ROC curve of {label} against the rest: AUROC {render_estimate(auroc)}.")


def plot_precision_recall(
    x: np.ndarray,
    y: np.ndarray,
    label: str,
    colour: str,
    auprc: Estimate,
    prevalence: float,
    band: Band | None = None,
    point: OperatingPoint | None = None,
) -> Figure:
    """Precision against sensitivity; the dashed line is what chance would give.

    Args:
        x: float `[P]`, sensitivity.
        y: float `[P]`, precision there.
        prevalence: share of the images that are of this class.
    """
    panel = _panel(label, f"AUPRC {render_estimate(auprc)}", "sensitivity (recall)", "precision (PPV)")
    panel.add(line(*panel.at(0, prevalence), *panel.at(1, prevalence), "s-muted dashed"))
    above = panel.up(prevalence) - 5 if prevalence < 0.9 else panel.up(prevalence) + 14
    panel.add(text("chance", panel.left + 5, above, style="f-muted small"))
    _draw(panel, x, y, colour, band, point)
    words = f"Precision-recall curve of {label}: AUPRC {render_estimate(auprc)}, chance {prevalence:.2f}."
    return panel.figure(f"Precision and recall of {label}", words)


def _panel(label: str, figure: str, across: str, up: str) -> Panel:
    panel = Panel((0, 1), (0, 1), width=284, height=296, top=44)
    panel.heading(shorten(label, 32))
    panel.add(text(figure, panel.left, 33, style="f-muted"))
    panel.y_axis(up, QUARTERS)
    panel.x_axis(across, QUARTERS)
    return panel


def _draw(
    panel: Panel, x: np.ndarray, y: np.ndarray, colour: str, band: Band | None, point: OperatingPoint | None
) -> None:
    if band is not None:
        panel.band(band.x.tolist(), band.low.tolist(), band.high.tolist(), f"f-{colour}")
    panel.curve(thin_out(x, y), f"s-{colour}")
    if point is not None:
        panel.whisker(point.x.value, point.y.ci_low, point.y.ci_high, "s-ink")
        middle = panel.up(point.y.value)
        panel.add(line(panel.across(point.x.ci_low), middle, panel.across(point.x.ci_high), middle, "thick s-ink"))
        panel.add(dot(panel.across(point.x.value), middle, "f-ink", 4))


def thin_out(x: np.ndarray, y: np.ndarray, most: int = MOST_POINTS) -> Sequence[tuple[float, float]]:
    """A curve without points that no eye would miss: those on a straight line between their neighbours, then every n-th."""
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if len(x) > 2:
        turn = np.abs(np.diff(x[:-1]) * np.diff(y[1:]) - np.diff(y[:-1]) * np.diff(x[1:])) > 1e-12
        keep = np.concatenate([[True], turn, [True]])
        x, y = x[keep], y[keep]
    if len(x) > most:
        chosen = np.unique(np.linspace(0, len(x) - 1, most).round().astype(int))
        x, y = x[chosen], y[chosen]
    return list(zip(x.tolist(), y.tolist(), strict=True))
