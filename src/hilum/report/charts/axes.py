"""A panel with two axes, in data units."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from hilum.report.charts.svg import Figure, dot, line, polyline, text

Point = tuple[float, float]


@dataclass(frozen=True)
class Scale:
    """Data units -> pixels, linear.

    Args:
        low, high: the data at the two ends.
        start, end: the pixels there.
    """

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        share = (value - self.low) / ((self.high - self.low) or 1.0)
        return self.start + min(max(share, 0.0), 1.0) * (self.end - self.start)


def find_ticks(low: float, high: float, count: int = 5) -> tuple[float, ...]:
    """Round numbers (1, 2 or 5 times a power of ten apart) inside an interval, about `count` of them."""
    span = high - low
    if not math.isfinite(span) or span <= 0:
        return (low,)
    rough = span / max(count, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = power * next(factor for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return tuple(round(i * step, 12) for i in range(first, last + 1))


def widen(low: float, high: float, count: int = 5) -> tuple[float, float]:
    """The interval stretched to the round numbers just outside it."""
    if high <= low:
        margin = abs(low) * 0.1 or 1.0
        low, high = low - margin, high + margin
    ticks = find_ticks(low, high, count)
    step = ticks[1] - ticks[0] if len(ticks) > 1 else high - low
    return round(math.floor(low / step + 1e-9) * step, 12), round(math.ceil(high / step - 1e-9) * step, 12)


@dataclass
class Panel:
    """Collects what is drawn between two axes, then becomes a Figure.

    Args:
        x, y: (low, high) of the data.
        width, height: of the whole panel, pixels.
        left, right, top, bottom: the margins.
    """

    x: tuple[float, float]
    y: tuple[float, float]
    width: float = 300
    height: float = 264
    left: float = 50
    right: float = 14
    top: float = 30
    bottom: float = 44
    parts: list[Markup] = field(default_factory=list)

    @property
    def across(self) -> Scale:
        return Scale(*self.x, self.left, self.width - self.right)

    @property
    def up(self) -> Scale:
        return Scale(*self.y, self.height - self.bottom, self.top)

    def at(self, x: float, y: float) -> Point:
        """Data -> pixels."""
        return self.across(x), self.up(y)

    def add(self, *parts: Markup) -> None:
        """Elements in pixels."""
        self.parts.extend(parts)

    def heading(self, content: str, style: str = "f-ink strong") -> None:
        """What the panel is about, above it."""
        self.add(text(content, self.left, 16, style=style))

    def x_axis(self, label: str, ticks: Sequence[float], render: Callable[[float], str] = "{:g}".format) -> None:
        """Ticks and label below."""
        base = self.height - self.bottom
        self.add(line(self.left, base, self.width - self.right, base, "s-muted"))
        for tick in ticks:
            self.add(line(self.across(tick), base, self.across(tick), base + 4, "s-muted"))
            self.add(text(render(tick), self.across(tick), base + 17, anchor="middle", style="f-muted small"))
        middle = (self.left + self.width - self.right) / 2
        self.add(text(label, middle, self.height - 8, anchor="middle", style="f-muted"))

    def y_axis(self, label: str, ticks: Sequence[float], render: Callable[[float], str] = "{:g}".format) -> None:
        """Ticks, grid lines and label on the left."""
        for tick in ticks:
            self.add(line(self.left, self.up(tick), self.width - self.right, self.up(tick), "s-grid"))
            self.add(text(render(tick), self.left - 6, self.up(tick) + 4, anchor="end", style="f-muted small"))
        middle = (self.top + self.height - self.bottom) / 2
        self.add(text(label, 11, middle, anchor="middle", style="f-muted", rotate=-90))

    def curve(self, points: Sequence[Point], style: str) -> None:
        """A line through data points; NaN breaks it."""
        for stretch in _stretches(points):
            self.add(polyline([self.at(*point) for point in stretch], f"thick {style}"))
            if len(stretch) == 1:
                self.add(dot(*self.at(*stretch[0]), style.replace("s-", "f-"), 2.5))

    def band(self, x: Sequence[float], low: Sequence[float], high: Sequence[float], style: str) -> None:
        """The area between two curves."""
        outline = [*zip(x, low, strict=True), *zip(reversed(x), reversed(high), strict=True)]
        self.add(polyline([self.at(*point) for point in outline], f"area {style}", close=True))

    def whisker(self, x: float, low: float, high: float, style: str) -> None:
        """An upright interval."""
        if math.isfinite(low) and math.isfinite(high):
            self.add(line(self.across(x), self.up(low), self.across(x), self.up(high), f"thick {style}"))

    def end_labels(self, labels: Sequence[tuple[str, float, str]], gap: float = 14) -> None:
        """Names to the right of where lines end, moved apart where they would touch.

        Args:
            labels: text, y in data units, style.
        """
        known = sorted((label for label in labels if math.isfinite(label[1])), key=lambda label: -label[1])
        heights = spread([self.up(y) for _, y, _ in known], gap, self.top + 4, self.height - self.bottom - 2)
        for (content, _, style), height in zip(known, heights, strict=True):
            self.add(text(content, self.width - self.right + 5, height + 4, style=style))

    def figure(self, title: str, description: str, caption: str = "") -> Figure:
        """The finished drawing."""
        return Figure(self.width, self.height, title, description, Markup("").join(self.parts), caption)


def spread(positions: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Ascending positions moved by as little as needed to be `gap` apart, from `low`, and if it fits up to `high`."""
    moved: list[float] = []
    for position in positions:
        moved.append(max(position, moved[-1] + gap if moved else low))
    ceiling = high
    for i in reversed(range(len(moved))):
        moved[i] = max(min(moved[i], ceiling), low + i * gap)
        ceiling = moved[i] - gap
    return moved


def _stretches(points: Sequence[Point]) -> list[list[Point]]:
    stretches: list[list[Point]] = [[]]
    for point in points:
        if all(map(math.isfinite, point)):
            stretches[-1].append(point)
        elif stretches[-1]:
            stretches.append([])
    return [stretch for stretch in stretches if stretch]
