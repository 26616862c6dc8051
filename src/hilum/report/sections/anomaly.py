"""What looks unlike the normal images: each detector's figures, its scores class by class, and pictures drawn again."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from hilum.evaluation.values import Estimate
from hilum.inspection.anomaly import Assessment, Scores, read_scores
from hilum.inspection.anomaly.assess import DetectorPair, SplitFigures
from hilum.report import words
from hilum.report.charts.distributions import Strip, plot_strips
from hilum.report.charts.intervals import find_range
from hilum.report.charts.palette import class_colour
from hilum.report.charts.svg import Figure
from hilum.report.pictures import draw_sample, encode_picture
from hilum.report.sections.section import Section, render
from hilum.report.study_folder import Study

FOLDER, FILE = "inspection/anomaly", "anomaly.json"
DOTS = 90
SPLITS = {"val": "validation", "test": "test"}
KINDS = {"highest": "drawn worst", "lowest": "drawn best", "drawn": "drawn at random"}
MOMENTS = ("error", "density")
SHORT = {
    "error": "Reconstruction error",
    "density": "Density of the code",
    "error-or-density": "Error or density",
    "gaussian": "Gaussian",
    "kde": "Kernel density",
    "knn": "Nearest normals",
    "patches": "Patches",
}
"""Names of detectors above a small chart."""


@dataclass(frozen=True)
class Found:
    """The files of a folder with anomaly scores.

    Args:
        labels: classes in the order of their colours.
    """

    folder: Path
    document: Mapping[str, Any]
    assessments: tuple[Assessment, ...]
    scores: Scores
    labels: tuple[str, ...]

    @classmethod
    def read(cls, folder: Path, labels: Sequence[str] = ()) -> Found | None:
        """None where nothing was looked for."""
        path = folder / FILE
        if not path.exists():
            return None
        document = json.loads(path.read_text(encoding="utf-8"))
        if "detectors" not in document:
            return None
        scores = read_scores(folder / document["scores"])
        others = sorted(set(scores.table["label"]) - {scores.normal})
        found = tuple(Assessment.from_json(each) for each in document["detectors"])
        return cls(folder, document, found, scores, tuple(labels) or (scores.normal, *others))

    @property
    def splits(self) -> tuple[str, ...]:
        """Those that have figures."""
        return tuple(self.assessments[0].splits)

    def pairs(self, split: str) -> tuple[DetectorPair, ...]:
        """Every two detectors on one split."""
        return tuple(DetectorPair.from_json(each) for each in self.document["pairs"].get(split, ()))

    def colour(self, label: str) -> str:
        """Of a class."""
        return class_colour(self.labels.index(label))


def make_anomaly(study: Study) -> Section | None:
    """The detectors of the chosen run, where a study looked for anomalies."""
    found = Found.read(study.chosen.folder / FOLDER, study.labels) if study.chosen else None
    return None if found is None else Section("What looks unlike the normal images", render_found(found))


def render_found(found: Found, *, result: bool = True) -> Markup:
    """Everything under the heading.

    Args:
        result: begin with what came out.
    """
    return render(
        "anomaly.html",
        sentence=describe_result(found) if result else "",
        setting=describe_setting(found),
        tables=[_table(found, split) for split in found.splits],
        moments=list(_moments(found)),
        charts=list(_charts(found)),
        pictures=list(_pictures(found)),
        remarks=[words.end_sentence(each) for each in found.document["remarks"]],
        value=words.render_value,
        interval=words.render_interval,
        source=f"{found.document['scores']} (SHA-256 {found.document['scores_sha256'][:12]}…)",
    )


def describe_result(found: Found) -> str:
    """What came out, in plain words: the best detector, and what the thresholds keep of their promise."""
    split = found.splits[-1]
    best = max(found.assessments, key=lambda each: _rank(each.splits[split]))
    figures = best.splits[split]
    if not math.isfinite(figures.auroc.value):
        return "There is no abnormal image to try the detectors on."
    title = found.document["titles"][best.name]
    where = f"{words.render_count(sum(figures.images.values()), 'image')} of {SPLITS[split]}"
    said = (
        f"{title} ranks {where} best, with an AUROC of {words.render_estimate(figures.auroc)}. Its threshold finds "
        f"{words.render_estimate(figures.sensitivity, percent=True)} of the abnormal images and calls "
        f"{words.render_estimate(figures.false_alarms, percent=True)} of the normal ones abnormal, "
        f"where {100 * found.document['rate']:g} % was asked for."
    )
    alike = [pair for pair in found.pairs(split) if pair.first == best.name and pair.corrected >= 0.05]
    if alike:
        names = [found.document["titles"][pair.second] for pair in alike]
        said += f" On these images it cannot be told apart from: {words.join_words(names)}."
    return f"{said} {_kept(figures, found.document['rate'])}".strip()


def _kept(figures: SplitFigures, rate: float) -> str:
    if figures.false_alarms.ci_low > rate:
        return (
            "The promise of the threshold is not kept here: the normal images of this split are not like those that it "
            "was set on."
        )
    return ""


def _rank(figures: SplitFigures) -> float:
    return figures.auroc.value if math.isfinite(figures.auroc.value) else -1.0


def describe_setting(found: Found) -> str:
    """What the detectors have seen, and where thresholds come from."""
    document = found.document
    fitted = document["fitted_on"]
    said = (
        f"Every detector was fitted on the {fitted['images']:,} {document['normal']} training images of "
        f"{words.render_count(fitted['patients'], 'patient')} and on no other; each threshold comes from normal "
        "validation images alone."
    )
    if document.get("backbone") == "trained":
        said += (
            " The embeddings and patches are those of a network that was trained with the labels of all classes, so it "
            "knows these abnormal images; one of another kind may be found less well."
        )
    elif document.get("backbone") == "untouched":
        said += " The embeddings and patches are those of pre-trained weights that no label of these data has changed."
    return said


def _table(found: Found, split: str) -> dict[str, Any]:
    ordered = sorted(found.assessments, key=lambda each: -_rank(each.splits[split]))
    figures = {each.name: each.splits[split] for each in ordered}
    first = ordered[0].name
    pairs = {pair.second: pair for pair in found.pairs(split) if pair.first == first}
    columns = {
        name: find_range([getattr(each, name) for each in figures.values()])
        if name in ("auroc", "auprc")
        else (0.0, 1.0)
        for name in ("auroc", "auprc", "sensitivity", "false_alarms")
    }
    counts = figures[first].images
    return {
        "split": SPLITS[split],
        "counts": words.join_words([f"{count:,} {label}" for label, count in counts.items()]),
        "columns": columns,
        "rows": [
            {
                "title": found.document["titles"][name],
                "own": name == found.document.get("own_rule"),
                "pair": _describe_pair(pairs.get(name)),
                "figures": {column: getattr(each, column) for column in columns},
            }
            for name, each in figures.items()
        ],
        "validation": split == "val",
    }


def _describe_pair(pair: DetectorPair | None) -> str:
    if pair is None:
        return ""
    verdict = "not told apart from the first" if pair.corrected >= 0.05 else "worse than the first"
    return f"{verdict}: AUROC {words.render_difference(_turned(pair.difference))}"


def _turned(difference: Estimate) -> Estimate:
    return Estimate(0.0 - difference.value, 0.0 - difference.ci_high, 0.0 - difference.ci_low)


def _moments(found: Found) -> Iterator[dict[str, Any]]:
    """Mean and standard deviation of the autoencoder's scores, by split and class."""
    for assessment in found.assessments:
        if assessment.name not in MOMENTS:
            continue
        for split in found.splits:
            classes = assessment.splits[split].moments[assessment.name]
            cells = [(label, each.images, *_rounded(each.mean, each.std)) for label, each in classes.items()]
            yield {
                "title": found.document["titles"][assessment.name],
                "split": SPLITS[split],
                "threshold": f"{assessment.rule.thresholds[0]:.4g}",
                "cells": cells,
            }


def _charts(found: Found) -> Iterator[tuple[Figure, str]]:
    """How the scores of each detector are spread, class by class, counted from normal median (0) to threshold (1)."""
    for each in found.assessments:
        values = each.rule.score({name: found.scores.of(name) for name in each.rule.names})
        strips = list(_strips(found, values))
        figure = plot_strips(strips, SHORT.get(each.name, each.name), "1 is the threshold")
        yield figure, _describe_strips(found, values)


def _strips(found: Found, values: np.ndarray) -> Iterator[Strip]:
    table = found.scores.table
    clipped = np.clip(values, np.quantile(values, 0.002), np.quantile(values, 0.998))
    for label in found.labels:
        for split in found.splits:
            rows = ((table["label"] == label) & (table["split"] == split)).to_numpy()
            if rows.any():
                names = set(draw_sample(table["image_path"][rows], DOTS, found.document["seed"]))
                shown = rows & table["image_path"].isin(names).to_numpy()
                yield Strip.of(label, split, found.colour(label), values[rows], clipped[shown])


def _describe_strips(found: Found, values: np.ndarray) -> str:
    split, table = found.splits[-1], found.scores.table
    beyond = []
    for label in found.labels:
        rows = ((table["split"] == split) & (table["label"] == label)).to_numpy()
        if rows.any():
            beyond.append(f"{words.render_percent(float((values[rows] > 1).mean()))} of {label}")
    return f"Beyond the threshold on {SPLITS[split]}: {words.join_words(beyond)}."


def _pictures(found: Found) -> Iterator[dict[str, Any]]:
    import cv2

    for each in found.document["pictures"]:
        strip = cv2.imread(str(found.folder / each["file"]), cv2.IMREAD_GRAYSCALE)
        if strip is None or strip.shape[1] != 3 * strip.shape[0]:
            continue
        yield {
            "label": each["label"],
            "colour": found.colour(each["label"]),
            "kind": KINDS.get(each["kind"], each["kind"]),
            "error": f"{each['error']:.4f}",
            "image_path": each["image_path"],
            "uris": [encode_picture(part)[0] for part in np.hsplit(strip, 3)],
        }


def _rounded(mean: float, std: float) -> tuple[str, str]:
    """Both to the second digit of the deviation."""
    if not (math.isfinite(mean) and math.isfinite(std) and std > 0):
        return f"{mean:.4g}", f"{std:.2g}"
    digits = 1 - math.floor(math.log10(std))
    first, second = (f"{round(each, digits):.{max(digits, 0)}f}" for each in (mean, std))
    return first, second
