"""The confusion matrix as a picture: one hue, the darker the larger the share of the true class."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from hilum.report.charts.svg import Figure, element, text, text_width
from hilum.report.words import render_percent, shorten

CELL = 74.0


def plot_confusion(confusion: Sequence[Sequence[int]], labels: Sequence[str]) -> Figure:
    """Counts and row shares; rows are the true class, columns the answer."""
    shown = [shorten(label, 22) for label in labels]
    left = max(text_width(label) for label in shown) + 34
    slanted = max(text_width(label) for label in shown) > CELL - 6
    top = 34 + (max(text_width(label) for label in shown) * 0.72 if slanted else 16)
    parts = [text("answer", left, 16, style="f-muted"), text("true", 16, top - 8, style="f-muted")]
    for j, label in enumerate(shown):
        x = left + (j + 0.5) * CELL
        parts.append(
            text(
                label,
                x - (12 if slanted else 0),
                top - 8,
                anchor="start" if slanted else "middle",
                rotate=-45 if slanted else 0,
            )
        )
    for i, (label, row) in enumerate(zip(shown, confusion, strict=True)):
        parts.append(text(label, left - 10, top + (i + 0.5) * CELL + 4, anchor="end"))
        parts.extend(_cell(left + j * CELL, top + i * CELL, count, sum(row)) for j, count in enumerate(row))
    side = CELL * len(labels)
    listed = "; ".join(
        f"{label}: {', '.join(f'{count} answered {other}' for other, count in zip(labels, row, strict=True))}"
        for label, row in zip(labels, confusion, strict=True)
    )
    width = left + side + (top * 0.6 if slanted else 0) + 16
    return Figure(width, top + side + 16, "Confusion matrix", f"Of each true class: {listed}.", Markup("").join(parts))


def _cell(x: float, y: float, count: int, total: int) -> Markup:
    share = count / total if total else 0.0
    middle = x + CELL / 2
    return (
        element("rect", x=x + 1, y=y + 1, width=CELL - 2, height=CELL - 2, class_="f-grid", opacity="0.4")
        + element(
            "rect", x=x + 1, y=y + 1, width=CELL - 2, height=CELL - 2, class_="f-accent", opacity=f"{0.55 * share:.2f}"
        )
        + text(str(count), middle, y + CELL / 2, anchor="middle", style="f-ink strong")
        + text(render_percent(share), middle, y + CELL / 2 + 16, anchor="middle", style="f-ink small")
    )
