"""Sizes, aspect ratio and contrast of the pictures, by class and split."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from hilum.report.charts.distributions import Strip, plot_strips
from hilum.report.charts.palette import class_colour
from hilum.report.charts.svg import Figure
from hilum.report.pictures import draw_sample
from hilum.report.sections.section import Section, render
from hilum.report.study_folder import Study
from hilum.report.words import NO_BREAK, join_words, supported_decimals

DOTS = 90
"""Pictures drawn in a row of a strip chart; its median and quartiles are of all."""


def make_shapes(study: Study) -> Section | None:
    """Small multiples, one a measurement; what is the same in every picture is a sentence instead."""
    table = measure(study.manifest.table)
    charts: list[tuple[Figure, str]] = []
    sentences: list[str] = []
    for name, heading, axis, percent in MEASUREMENTS:
        values = table[name].dropna()
        if values.empty:
            sentences.append(f"The {heading.lower()} of the pictures was not measured.")
        elif values.nunique() == 1:
            sentences.append(_all_the_same(name, table))
        else:
            strips = tuple(_strips(study, table, name))
            charts.append(
                (plot_strips(strips, heading, axis, percent=percent), describe_strips(strips, heading, percent))
            )
    return Section("Size, aspect and contrast", render("shapes.html", charts=charts, sentences=sentences))


MEASUREMENTS = (
    ("side", "Shorter side", "pixels", False),
    ("aspect", "Aspect ratio", "width / height", False),
    ("contrast", "Contrast", "spread of the grey levels", True),
    ("mean", "Brightness", "mean grey level", True),
)


def measure(table: pd.DataFrame) -> pd.DataFrame:
    """The manifest with `side`, `aspect`, `contrast` and `mean`; NaN where a column is not there."""
    height, width = (pd.to_numeric(table[name], errors="coerce") for name in ("height", "width"))
    grey = {
        name: pd.to_numeric(table[name], errors="coerce") if name in table else np.nan for name in ("contrast", "mean")
    }
    return table.assign(side=np.minimum(height, width), aspect=width / height.where(height > 0), **grey)


def _all_the_same(name: str, table: pd.DataFrame) -> str:
    if name == "side":
        return f"The shorter side of every picture has {int(table['side'].dropna().iloc[0]):,} pixels."
    if name == "aspect":
        return f"Every picture has the same aspect ratio, {table['aspect'].dropna().iloc[0]:.2f} (width / height)."
    return f"Every picture has the same {name}."


def _strips(study: Study, table: pd.DataFrame, name: str) -> Iterator[Strip]:
    for position, label in enumerate(study.labels):
        for split in ("train", "test" if "test" in set(table["split"]) else "val"):
            rows = table[(table["label"] == label) & (table["split"] == split)].dropna(subset=[name])
            if len(rows):
                shown = rows.set_index("image_path")[name].loc[draw_sample(rows["image_path"], DOTS, study.facts.seed)]
                yield Strip.of(label, split, class_colour(position), rows[name].to_numpy(float), shown.to_numpy(float))


def describe_strips(strips: tuple[Strip, ...], heading: str, percent: bool) -> str:
    """Where classes stand apart, and where a class moved between splits: both can mislead a network."""
    train = [strip for strip in strips if strip.split == "train"]
    found = []
    if len(train) > 1:
        found.append(_compare(min(train, key=_median), max(train, key=_median), percent))
    moved = [strip.label for strip in strips if strip.split == "test" and _moved(strip, train)]
    if moved:
        found.append(f"the test median of {join_words(moved)} lies outside the middle half of training")
    return f"{heading}: {'; '.join(found)}." if found else f"{heading} of each class and split."


def _compare(low: Strip, high: Strip, percent: bool) -> str:
    if _median(low) == _median(high):
        return f"in training every class has the same median, {_write(low, high, percent)}"
    medians = f"{_write(low, high, percent)} ({low.label}) to {_write(high, low, percent)} ({high.label})"
    apart = low.quartiles[2] < high.quartiles[0]
    words = "do not touch: a network may learn this instead of disease" if apart else "overlap"
    return f"in training the median goes from {medians}; the middle halves of the two {words}"


def _write(strip: Strip, other: Strip, percent: bool) -> str:
    """A median with as many digits as it takes to tell it from the other."""
    values = [each * (100 if percent else 1) for each in (_median(strip), _median(other))]
    decimals = supported_decimals(min(values), 2 * max(values) - min(values), (0, 3)) if len(set(values)) > 1 else 2
    return f"{values[0]:,.{decimals}f}".removesuffix(".00") + (f"{NO_BREAK}%" if percent else "")


def _median(strip: Strip) -> float:
    return strip.quartiles[1]


def _moved(strip: Strip, train: list[Strip]) -> bool:
    before = next((other for other in train if other.label == strip.label), None)
    return before is not None and not before.quartiles[0] <= _median(strip) <= before.quartiles[2]
