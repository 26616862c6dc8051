"""SVG as text: elements, and a Figure that knows its size and says what it shows."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from hilum.report.charts.palette import render_stylesheet
from hilum.report.words import make_visible


@dataclass(frozen=True)
class Figure:
    """A drawing.

    Args:
        width, height: its natural size, pixels.
        title: what it is, a few words.
        description: what can be seen in it, for someone who cannot see it.
        body: SVG elements.
        caption: the sentence that is printed beside it.
    """

    width: float
    height: float
    title: str
    description: str
    body: Markup
    caption: str = ""

    def inline(self) -> Markup:
        """For a page that holds `render_stylesheet()`; it may shrink, and is never stretched."""
        words = element("title", self.title) + element("desc", self.description)
        return element(
            "svg",
            words + self.body,
            class_="figure",
            role="img",
            viewBox=self._view(),
            width=self.width,
            height=self.height,
        )

    def mark(self) -> Markup:
        """For a place where the text beside it says the same: silent to a screen reader."""
        return element(
            "svg",
            self.body,
            class_="figure mark",
            aria_hidden="true",
            viewBox=self._view(),
            width=self.width,
            height=self.height,
        )

    def standalone(self) -> str:
        """A whole SVG file with its own colours and background."""
        style = element("style", Markup(render_stylesheet()))
        words = element("title", self.title) + element("desc", self.description)
        paper = element("rect", width=self.width, height=self.height, class_="f-paper")
        return element(
            "svg",
            words + style + paper + self.body,
            xmlns="http://www.w3.org/2000/svg",
            class_="figure",
            role="img",
            viewBox=self._view(),
            width=self.width,
            height=self.height,
        )

    def _view(self) -> str:
        return f"0 0 {number(self.width)} {number(self.height)}"


def element(tag: str, content: str | Markup = "", **attributes: object) -> Markup:
    """One element; text is escaped, `Markup` is not; `class_` and `aria_hidden` stand for `class` and `aria-hidden`."""
    written = "".join(
        f' {name.rstrip("_") if name.endswith("_") else name.replace("_", "-")}="{_attribute(value)}"'
        for name, value in attributes.items()
        if value is not None
    )
    inner = content if isinstance(content, Markup) else escape(make_visible(content))
    return Markup(f"<{tag}{written}>{inner}</{tag}>" if inner else f"<{tag}{written}/>")


def text(content: str, x: float, y: float, *, anchor: str = "start", style: str = "f-ink", rotate: float = 0) -> Markup:
    """A word at a point; `anchor` is start, middle or end; `rotate` in degrees, about the point."""
    turn = f"rotate({number(rotate)} {number(x)} {number(y)})" if rotate else None
    placed = None if anchor == "start" else anchor
    return element("text", content, x=x, y=y, text_anchor=placed, class_=style, transform=turn)


def line(x1: float, y1: float, x2: float, y2: float, style: str) -> Markup:
    """A straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=style)


def polyline(points: Iterable[tuple[float, float]], style: str, *, close: bool = False) -> Markup:
    """A line through points; with `close` the outline of an area."""
    way = "L".join(f"{number(x)} {number(y)}" for x, y in points)
    return element("path", d=f"M{way}{'Z' if close else ''}", class_=style) if way else Markup()


def dot(x: float, y: float, style: str, radius: float = 3.5) -> Markup:
    """A filled point."""
    return element("circle", cx=x, cy=y, r=radius, class_=style)


def side_by_side(figures: Sequence[Figure], title: str, columns: int = 3, gap: float = 16) -> Figure:
    """Several figures as one, in rows of `columns`."""
    columns = min(columns, len(figures))
    across = max(figure.width for figure in figures) + gap
    down = max(figure.height for figure in figures) + gap
    placed = [
        element(
            "g",
            figure.body,
            transform=f"translate({number(gap + i % columns * across)} {number(gap + i // columns * down)})",
        )
        for i, figure in enumerate(figures)
    ]
    description = " ".join(figure.description for figure in figures)
    rows = -(-len(figures) // columns)
    return Figure(columns * across + gap, rows * down + gap, title, description, Markup("").join(placed))


def text_width(content: str, size: float = 12) -> float:
    """About how wide a text will be, in pixels: no font is at hand when the page is written."""
    narrow, wide = set("iljtfrI.,:;'|!()[] "), set("mwMW@%")
    ems = sum(
        0.33
        if each in narrow
        else 0.92
        if each in wide
        else 1.0
        if _is_wide(each)
        else 0.68
        if each.isupper()
        else 0.57
        for each in content
    )
    return ems * size


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in "WF"


def number(value: float) -> str:
    """At most one decimal: a tenth of a pixel cannot be seen."""
    return f"{value:.1f}".removesuffix(".0")


def _attribute(value: object) -> str:
    return number(value) if isinstance(value, float) else str(escape(make_visible(str(value))))
