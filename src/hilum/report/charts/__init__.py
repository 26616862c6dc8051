"""Figures as SVG: values of the evaluation in, `Figure` out."""

from hilum.report.charts.svg import Figure

__all__ = ["Figure"]
