"""ROC and precision-recall curves, one small panel a class, with bands where there are any."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hilum.evaluation.curves import Band, Curve
from hilum.evaluation.values import Estimate
from hilum.report.charts.axes import Panel
from hilum.report.charts.svg import Figure, dot, line, text
from hilum.report.words import render_estimate, shorten

QUARTERS = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class OperatingPoint:
    """Where the decision "most probable class" lies on a curve, with an interval each way."""

    x: Estimate
    y: Estimate


def plot_roc(
    curve: Curve, band: Band | None, label: str, colour: str, auroc: Estimate, point: OperatingPoint
) -> Figure:
    """Sensitivity against false alarms; the dashed line is what guessing gives."""
    panel = _panel(label, f"AUROC {render_estimate(auroc)}", "false alarms (1 − specificity)", "sensitivity")
    panel.add(line(*panel.at(0, 0), *panel.at(1, 1), "s-muted dashed"))
    if band is not None:
        panel.band(band.x.tolist(), band.low.tolist(), band.high.tolist(), f"f-{colour}")
    _draw(panel, curve, colour, point)
    return panel.figure(f"ROC of {label}", f"ROC curve of {label} against the rest: AUROC {render_estimate(auroc)}.")


def plot_precision_recall(
    curve: Curve, prevalence: float, label: str, colour: str, auprc: Estimate, point: OperatingPoint
) -> Figure:
    """Precision against sensitivity; the dashed line is what guessing gives.

    Args:
        prevalence: share of the images that are of this class, in [0, 1].
    """
    panel = _panel(label, f"AUPRC {render_estimate(auprc)}", "sensitivity (recall)", "precision (PPV)")
    panel.add(line(*panel.at(0, prevalence), *panel.at(1, prevalence), "s-muted dashed"))
    above = panel.up(prevalence) - 5 if prevalence < 0.9 else panel.up(prevalence) + 14
    panel.add(text("guessing", panel.left + 5, above, style="f-muted small"))
    _draw(panel, curve, colour, point)
    words = f"Precision-recall curve of {label}: AUPRC {render_estimate(auprc)}; guessing gives {prevalence:.2f}."
    return panel.figure(f"Precision and recall of {label}", words)


def complement(estimate: Estimate) -> Estimate:
    """1 minus a share, its interval turned round."""
    return Estimate(1 - estimate.value, 1 - estimate.ci_high, 1 - estimate.ci_low)


def _panel(label: str, figure: str, across: str, up: str) -> Panel:
    panel = Panel((0, 1), (0, 1), width=284, height=296, top=44)
    panel.heading(shorten(label, 32))
    panel.add(text(figure, panel.left, 33, style="f-muted"))
    panel.y_axis(up, QUARTERS)
    panel.x_axis(across, QUARTERS)
    return panel


def _draw(panel: Panel, curve: Curve, colour: str, point: OperatingPoint) -> None:
    panel.curve(list(zip(curve.x.tolist(), curve.y.tolist(), strict=True)), f"s-{colour}")
    if not math.isfinite(point.x.value + point.y.value):
        return
    panel.whisker(point.x.value, point.y.ci_low, point.y.ci_high, "s-ink")
    middle = panel.up(point.y.value)
    panel.add(line(panel.across(point.x.ci_low), middle, panel.across(point.x.ci_high), middle, "thick s-ink"))
    panel.add(dot(panel.across(point.x.value), middle, "f-ink", 4))
