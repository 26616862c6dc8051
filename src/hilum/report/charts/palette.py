"""The colours of every figure: the same class has the same colour everywhere.

Chosen so that any two of the first three stay far apart, and all eight distinct, for normal, protan, deutan and tritan
sight (Machado et al. 2009, severity 1), with a contrast of at least 3:1 against the page. No red beside green.
"""

from __future__ import annotations

LIGHT = ("#0f56b3", "#e0650f", "#3f1a38", "#ab7d9a", "#7b2d0a", "#2792d8", "#7d2ee6", "#858c74")
DARK = ("#6299fb", "#ed9c2b", "#f7efd0", "#c63d9b", "#8f7236", "#7de8f5", "#7d55f5", "#92a08a")
PAPER = {"light": "#ffffff", "dark": "#14171a"}
INK = {"light": "#1b1f23", "dark": "#e8eaec"}
MUTED = {"light": "#5b646d", "dark": "#a3abb3"}
GRID = {"light": "#dde1e5", "dark": "#31373d"}
ACCENT = {"light": "#0f6f6a", "dark": "#4cc9be"}
FONT = "system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif"


def class_colour(position: int) -> str:
    """The name that the stylesheet gives the colour of a class; after eight they begin anew."""
    return f"c{position % len(LIGHT)}"


def render_stylesheet() -> str:
    """CSS for figures: `f-NAME` fills and `s-NAME` strokes, for light and dark.

    Literal colours rather than CSS variables, so that programs that draw an SVG file without a browser show them too.
    """
    dark = _rules(DARK, "dark")
    return (
        f".figure text{{font-family:{FONT};font-size:12px;font-variant-numeric:tabular-nums}}"
        ".figure .small{font-size:11px}.figure .strong{font-weight:600}"
        ".figure path,.figure line{fill:none;stroke-width:1}"
        ".figure .thick{stroke-width:2;stroke-linejoin:round;stroke-linecap:round}"
        ".figure .dashed{stroke-dasharray:3 3}.figure .area{stroke:none;opacity:.18}.figure .faint{opacity:.55}"
        f"{_rules(LIGHT, 'light')}@media (prefers-color-scheme:dark){{{dark}}}"
        f"@media print{{{_rules(LIGHT, 'light')}}}"
    )


def _rules(classes: tuple[str, ...], theme: str) -> str:
    named = {f"c{position}": colour for position, colour in enumerate(classes)}
    named |= {
        "paper": PAPER[theme],
        "ink": INK[theme],
        "muted": MUTED[theme],
        "grid": GRID[theme],
        "accent": ACCENT[theme],
    }
    return "".join(
        f".figure .f-{name}{{fill:{colour}}}.figure .s-{name}{{stroke:{colour}}}" for name, colour in named.items()
    )


def render_variables() -> str:
    """The same colours as CSS variables (`--ink`, `--accent`, `--c0`, ...), for the page around the figures."""
    light, dark = (_variables(theme) for theme in ("light", "dark"))
    return f":root{{{light}}}@media (prefers-color-scheme:dark){{:root{{{dark}}}}}@media print{{:root{{{light}}}}}"


def _variables(theme: str) -> str:
    named = {"paper": PAPER, "ink": INK, "muted": MUTED, "grid": GRID, "accent": ACCENT}
    classes = LIGHT if theme == "light" else DARK
    return "".join(
        [f"--{name}:{colours[theme]};" for name, colours in named.items()]
        + [f"--c{position}:{colour};" for position, colour in enumerate(classes)]
    )
