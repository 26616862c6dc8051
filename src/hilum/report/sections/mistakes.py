"""The surest mistakes as pictures, and beside them pictures that the network was surely right about."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from hilum.data.predictions import Predictions
from hilum.report.charts.palette import class_colour
from hilum.report.pictures import Thumbnail, read_thumbnail
from hilum.report.sections.section import Section, name_source, render
from hilum.report.study_folder import Study
from hilum.report.words import render_count, render_percent

MISTAKES = 12
RIGHT_PER_CLASS = 3
SURE = 0.9


@dataclass(frozen=True)
class Answer:
    """What the network said of one picture.

    Args:
        thumbnail: the picture.
        true, said: class names, each with the name of its colour.
        probability: of what it said, in [0, 1].
    """

    thumbnail: Thumbnail
    true: tuple[str, str]
    said: tuple[str, str]
    probability: float


def make_mistakes(study: Study) -> Section | None:
    """The wrong answers that the network was most sure of."""
    table = _answers(study)
    if table is None:
        return None
    wrong = table[table["true"] != table["said"]].sort_values(["probability", "image_path"], ascending=[False, True])
    return Section(
        "The surest mistakes",
        render(
            "answers.html",
            answers=_show(study, wrong.head(MISTAKES)),
            sentence=_describe(wrong),
            source=name_source(study),
        ),
    )


def make_right(study: Study) -> Section | None:
    """For each class the right answers that the network was most sure of."""
    table = _answers(study)
    if table is None:
        return None
    right = table[table["true"] == table["said"]].sort_values(["probability", "image_path"], ascending=[False, True])
    each = RIGHT_PER_CLASS if len(study.labels) <= 4 else 1
    first = right.groupby("true", sort=False).head(each)
    first = first.sort_values("true", key=lambda names: names.map(study.labels.index), kind="stable")
    if first.empty:
        return None
    sentence = "For comparison, the right answers that it was surest of in each class."
    return Section(
        "Surely right",
        render("answers.html", answers=_show(study, first), sentence=sentence, source=name_source(study)),
    )


def _answers(study: Study) -> pd.DataFrame | None:
    """One row an image: `image_path`, the names of the `true` class and of what was `said`, and its `probability`."""
    predictions: Predictions | None = study.chosen.predictions if study.chosen else None
    if predictions is None:
        return None
    names = np.array(list(predictions.labels), dtype=object)
    said = predictions.decisions
    return pd.DataFrame(
        {
            "image_path": predictions.table["image_path"].to_numpy(),
            "true": names[predictions.target],
            "said": names[said],
            "probability": predictions.probs[np.arange(len(said)), said],
        }
    )


def _describe(wrong: pd.DataFrame) -> str:
    if wrong.empty:
        return "There is no mistake to show."
    sure = int((wrong["probability"] >= SURE).sum())
    shown = min(MISTAKES, len(wrong))
    how_many = f"In {sure:,} of them" if sure else "In none of them"
    start = (
        f"All {render_count(shown, 'mistake')}"
        if shown == len(wrong)
        else f"{shown} of {render_count(len(wrong), 'mistake')}"
    )
    return f"{start}, the surest first. {how_many} the network stated a probability of {render_percent(SURE)} or more."


def _show(study: Study, rows: pd.DataFrame) -> tuple[Answer, ...]:
    digests = dict(zip(study.manifest.table["image_path"], study.manifest.table["sha256"].astype(str), strict=True))
    return tuple(
        Answer(
            read_thumbnail(study.manifest, row.image_path, digests.get(row.image_path, "")),
            _class(study, row.true),
            _class(study, row.said),
            float(row.probability),
        )
        for row in rows.itertuples()
    )


def _class(study: Study, name: str) -> tuple[str, str]:
    return name, class_colour(study.labels.index(name))
