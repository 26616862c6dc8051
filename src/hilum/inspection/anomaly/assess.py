"""How good detectors are: every figure with a patient-level interval, and each pair on the same images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np

from hilum.errors import DataError
from hilum.evaluation.bootstrap import Patients, resampled
from hilum.evaluation.intervals import bounded_interval, percentile_interval, perfect_ranking_floor, share_interval
from hilum.evaluation.paired_tests import delong, holm
from hilum.evaluation.ranking import Ranking
from hilum.evaluation.values import Estimate, estimate_of, without_nan
from hilum.inspection.anomaly.rule import Rule, fit_rule
from hilum.inspection.anomaly.scores import Scores

SCHEMA = "hilum.anomaly/1"
PARTS = 5
"""Parts of the normal validation patients: the false-alarm rate on validation is that of thresholds from the others."""


@dataclass(frozen=True)
class Moments:
    """Mean and standard deviation of one score over the images of a class."""

    images: int
    mean: float
    std: float


@dataclass(frozen=True)
class SplitFigures:
    """What a detector does on one split.

    Args:
        images: class -> how many.
        auroc, auprc: abnormal against normal; the AUPRC depends on their proportion.
        sensitivity: share of the abnormal images beyond the threshold.
        false_alarms: share of the normal images beyond it. On validation, where the threshold comes from, of thresholds
            that were each set without the patient in question.
        by_class: abnormal class -> its sensitivity.
        moments: score -> class -> mean and standard deviation.
    """

    images: Mapping[str, int]
    auroc: Estimate
    auprc: Estimate
    sensitivity: Estimate
    false_alarms: Estimate
    by_class: Mapping[str, Estimate]
    moments: Mapping[str, Mapping[str, Moments]]


@dataclass(frozen=True)
class Assessment:
    """One detector, or a rule over several scores.

    Args:
        name: of the detector or rule.
        rule: its thresholds.
        splits: split -> figures.
    """

    name: str
    rule: Rule
    splits: Mapping[str, SplitFigures]

    def to_json(self) -> dict[str, Any]:
        """A JSON value; NaN becomes null."""
        return without_nan(asdict(self))

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Assessment:
        """The way back."""
        values: dict[str, Any] = {name: tuple(x) if isinstance(x, list) else x for name, x in document["rule"].items()}
        rule = Rule(**values)
        return cls(document["name"], rule, {name: _figures_of(each) for name, each in document["splits"].items()})


@dataclass(frozen=True)
class DetectorPair:
    """Two detectors on the same images.

    Args:
        difference: AUROC of the first minus that of the second, percentile interval of a patient-level bootstrap that
            draws the same patients for both.
        p: DeLong's test by patient; `corrected` after Holm's correction over all pairs of the split.
    """

    first: str
    second: str
    difference: Estimate
    p: float
    corrected: float

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> DetectorPair:
        """The way back from `asdict`."""
        return cls(**{**document, "difference": estimate_of(document["difference"])})


def assess(
    scores: Scores,
    rules: Mapping[str, Sequence[str]],
    *,
    rate: float,
    splits: Sequence[str],
    seed: int = 0,
    replicates: int = 1000,
) -> tuple[Assessment, ...]:
    """Figures of each detector or rule; thresholds come from the normal images of the validation split alone.

    Args:
        rules: name -> names of the scores that it looks at, one or more.
        rate: false-alarm rate that each may have.
        splits: of which figures are wanted.
        seed, replicates: of the bootstrap.

    Raises:
        DataError: too few normal validation images for the rate.
    """
    val = scores.split("val")
    normal = val.among(val.is_normal)
    found = []
    for name, parts in rules.items():
        rule = fit_rule({part: normal.of(part) for part in parts}, rate)
        figures = {
            split: _figures(scores.split(split), rule, held_out=split == "val", seed=seed, replicates=replicates)
            for split in splits
        }
        found.append(Assessment(name, rule, figures))
    return tuple(found)


def pair_up(
    scores: Scores, assessments: Sequence[Assessment], split: str, *, seed: int = 0, replicates: int = 1000
) -> tuple[DetectorPair, ...]:
    """Every pair of detectors on one split, the one with the higher AUROC first; Holm's correction is over all."""
    part = scores.split(split)
    abnormal, patients = ~part.is_normal, Patients.of(part.table["patient_id"].tolist())
    if abnormal.all() or not abnormal.any():
        return ()
    best = sorted(assessments, key=lambda each: -each.splits[split].auroc.value)
    values = {each.name: each.rule.score({name: part.of(name) for name in each.rule.names}) for each in best}
    drawn = {
        name: _replicates(Ranking.of(score, abnormal), patients, seed, replicates)[0] for name, score in values.items()
    }
    pairs = list(combinations(values, 2))
    tests = [delong(values[first], values[second], abnormal, patients).p for first, second in pairs]
    corrected = list(holm(tests)) if tests else list[float]()
    found = []
    for (first, second), p, after in zip(pairs, tests, corrected, strict=True):
        value = Ranking.of(values[first], abnormal).auroc() - Ranking.of(values[second], abnormal).auroc()
        low, high, _ = percentile_interval(drawn[first] - drawn[second])
        found.append(DetectorPair(first, second, Estimate(float(value), low, high), float(p), float(after)))
    return tuple(found)


def _figures(part: Scores, rule: Rule, *, held_out: bool, seed: int, replicates: int) -> SplitFigures:
    values = {name: part.of(name) for name in rule.names}
    abnormal, patients = ~part.is_normal, Patients.of(part.table["patient_id"].tolist())
    calls = rule.calls(values)
    alarms = _held_out_calls(part, rule, patients, seed) if held_out else calls
    area, precision = _areas(rule.score(values), abnormal, patients, seed, replicates)
    labels = part.table["label"].to_numpy()
    classes = sorted(set(labels[abnormal].tolist()))
    return SplitFigures(
        images={label: int((labels == label).sum()) for label in (part.normal, *classes)},
        auroc=area,
        auprc=precision,
        sensitivity=_share(calls, patients, abnormal),
        false_alarms=_share(alarms, patients, ~abnormal),
        by_class={label: _share(calls, patients, labels == label) for label in classes},
        moments={
            name: {label: _moments(each[labels == label]) for label in (part.normal, *classes)}
            for name, each in values.items()
        },
    )


def _held_out_calls(part: Scores, rule: Rule, patients: Patients, seed: int) -> np.ndarray:
    """bool `[N]`: whether each normal image is beyond thresholds from the normal images of other patients."""
    calls = np.zeros(len(part.table), bool)
    normal = part.is_normal
    fold = np.random.default_rng([seed, 29]).permutation(patients.count)[patients.index] % PARTS
    for number in range(PARTS):
        kept, tried = normal & (fold != number), normal & (fold == number)
        try:
            own = fit_rule({name: part.of(name)[kept] for name in rule.names}, rule.rate)
        except DataError:  # too few for the rate without a fifth of them: the highest of them is the threshold
            own = fit_rule({name: part.of(name)[kept] for name in rule.names}, 1 / (kept.sum() + 1) + 1e-9)
        calls[tried] = own.calls({name: part.of(name)[tried] for name in rule.names})
    return calls


def _areas(
    score: np.ndarray, abnormal: np.ndarray, patients: Patients, seed: int, replicates: int
) -> tuple[Estimate, Estimate]:
    if abnormal.all() or not abnormal.any():
        nothing = Estimate(float("nan"), float("nan"), float("nan"))
        return nothing, nothing
    ranking = Ranking.of(score, abnormal)
    drawn = _replicates(ranking, patients, seed, replicates)
    smaller = min(patients.among(abnormal), patients.among(~abnormal))
    floor = perfect_ranking_floor(patients.effective(abnormal), patients.effective(~abnormal))
    found = []
    for value, values in zip(ranking.areas(), drawn, strict=True):
        interval = bounded_interval(float(value), values, patients=smaller, floor=floor, ceiling=1 - floor)
        found.append(Estimate(float(value), interval.low, interval.high))
    return found[0], found[1]


def _replicates(ranking: Ranking, patients: Patients, seed: int, replicates: int) -> tuple[np.ndarray, np.ndarray]:
    parts = [ranking.areas(weights) for weights in resampled(patients, replicates=replicates, seed=seed)]
    return np.concatenate([area for area, _ in parts]), np.concatenate([precision for _, precision in parts])


def _share(hit: np.ndarray, patients: Patients, inside: np.ndarray) -> Estimate:
    interval, k, n = share_interval(hit, patients, inside), int((hit & inside).sum()), int(inside.sum())
    return Estimate(k / n if n else float("nan"), interval.low, interval.high, k, n)


def _moments(values: np.ndarray) -> Moments:
    spread = float(values.std(ddof=1)) if len(values) > 1 else float("nan")
    return Moments(len(values), float(values.mean()) if len(values) else float("nan"), spread)


def _numbers(document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: float("nan") if value is None else value for name, value in document.items()}


def _figures_of(document: Mapping[str, Any]) -> SplitFigures:
    named = {name: estimate_of(document[name]) for name in ("auroc", "auprc", "sensitivity", "false_alarms")}
    by_class = {label: estimate_of(each) for label, each in document["by_class"].items()}
    moments = {
        name: {label: Moments(**_numbers(each)) for label, each in classes.items()}
        for name, classes in document["moments"].items()
    }
    return SplitFigures(images=document["images"], by_class=by_class, moments=moments, **named)
