"""What is left of an answer without what a map marks, and how a map changes as weights become random."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from hilum.report.charts.axes import Panel
from hilum.report.charts.svg import Figure

LINES = (("elsewhere", "elsewhere", "muted"), ("map", "what the map marks", "accent"))
STYLES = ("accent", "c1", "c2", "c3")


def plot_retention(deletion: Mapping[str, Any], name: str) -> Figure:
    """Probability of the answer over the share of the picture that was deleted, by the map and elsewhere.

    Args:
        deletion: `fractions`, `start` and, for `map` and `elsewhere`, an estimate at each fraction.
        name: of the method.
    """
    fractions = [0.0, *deletion["fractions"]]
    panel = Panel((0, max(fractions)), (0, 1), width=420, left=56, right=130)
    panel.heading("Pictures with a part deleted")
    panel.x_axis("share of the picture deleted", fractions, _percent)
    panel.y_axis("probability of the answer", (0, 0.25, 0.5, 0.75, 1.0))
    ends = []
    for key, words, colour in LINES:
        points = [deletion["start"], *deletion[key]]
        lows, highs = ([_number(each[end]) for each in points] for end in ("ci_low", "ci_high"))
        if all(map(math.isfinite, [*lows, *highs])):
            panel.band(fractions, lows, highs, f"f-{colour}")
        values = [_number(each["value"]) for each in points]
        panel.curve(list(zip(fractions, values, strict=True)), f"s-{colour}")
        ends.append((words, values[-1], f"f-{colour}"))
    panel.end_labels(ends)
    at = len(fractions) // 2
    left, other = (_number(deletion[key][at - 1]["value"]) for key in ("map", "elsewhere"))
    caption = (
        f"Without the {_percent(fractions[at])} that {name} marks most, {_percent(left)} of probability is left for "
        f"the answer; without the same shape elsewhere, {_percent(other)}. The further the coloured line runs below "
        "the grey one, the more the map marks what counts. Bands: 95 %."
    )
    return panel.figure("Deletion", caption, caption)


def plot_cascade(steps: Mapping[str, Sequence[Mapping[str, Any]]], shown: str) -> Figure:
    """Likeness of each method's maps to those of the network with more and more random stages.

    Args:
        steps: method -> for each step `stages` and an estimate.
        shown: the method whose curve is the accented one.
    """
    longest = max(steps.values(), key=len)
    count = len(longest)
    panel = Panel((0, count), (-0.5, 1), width=440, left=56, right=150)
    panel.heading("Weights made random, from the head down")
    names = ["none", *(f"{len(each['stages'])}" for each in longest[:-1]), "all"]
    panel.x_axis("stages with random weights", tuple(range(count + 1)), lambda at: names[int(at)])
    panel.y_axis("likeness to the map", (-0.5, 0, 0.5, 1.0))
    panel.curve([(0, 0.5), (count, 0.5)], "s-muted dashed")
    others = iter(STYLES[1:])
    ends = []
    for name, each in steps.items():
        colour = STYLES[0] if name == shown else next(others)
        values = [1.0, *(_number(step["value"]) for step in each)]
        panel.curve(list(enumerate(values)), f"s-{colour}")
        ends.append((name, values[-1], f"f-{colour}"))
        if name == shown:
            panel.whisker(count, _number(each[-1]["ci_low"]), _number(each[-1]["ci_high"]), f"s-{colour}")
    panel.end_labels(ends)
    last = _number(steps[shown][-1]["value"])
    caption = (
        f"Rank correlation with the map of the trained network. With all weights random {shown} is left with "
        f"{last:.2f}; a map that stayed above the dashed line would show the picture rather than what was learned."
    )
    return panel.figure("Cascading randomisation", caption, caption)


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _percent(value: float) -> str:
    return f"{100 * value:.0f}\u00a0%"
