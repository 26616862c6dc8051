"""Points of curves, thinned to what a page can show, with pointwise bands."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np

from hilum.evaluation.bootstrap import Patients, resampled
from hilum.evaluation.intervals import percentile_interval, share_interval
from hilum.evaluation.metrics import ECE_BINS, calibration_bin, divide
from hilum.evaluation.values import Estimate

MOST_POINTS = 200


@dataclass(frozen=True)
class Curve:
    """Points of a curve, in the order of a falling threshold.

    Args:
        x, y: float `[M]` in [0, 1]; ROC: 1 - specificity and sensitivity; precision-recall: sensitivity and PPV.
        threshold: float `[M]`: images that score at least this are called positive; infinity calls none.
    """

    x: np.ndarray
    y: np.ndarray
    threshold: np.ndarray


@dataclass(frozen=True)
class Band:
    """Pointwise intervals of y at fixed x, each float `[M]`; no simultaneous band."""

    x: np.ndarray
    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True)
class ReliabilityBin:
    """Images whose confidence lies in (low, high]: what was promised and what was kept.

    Args:
        confidence: mean confidence.
        share: of these images, the share that were hits.
    """

    low: float
    high: float
    images: int
    patients: int
    confidence: float
    share: Estimate


def roc_curve(score: np.ndarray, positive: np.ndarray, *, most_points: int = MOST_POINTS) -> Curve:
    """ROC curve from (0, 0) to (1, 1), to be joined by straight lines; NaN where one kind has no image.

    Args:
        score: float `[N]`, higher for the positive class.
        positive: bool `[N]`.
        most_points: the points that matter most to the shape are kept, the two ends always.
    """
    threshold, hits, false_alarms = _counts(score, positive)
    x, y = divide(false_alarms, false_alarms[-1]), divide(hits, hits[-1])
    return _thinned(x, y, threshold, most_points)


def pr_curve(score: np.ndarray, positive: np.ndarray, *, most_points: int = MOST_POINTS) -> Curve:
    """Precision-recall curve. Its first point has sensitivity 0 and the PPV of the highest score; the area under the
    unthinned steps, each PPV held to the left, is the average precision.
    """
    threshold, hits, false_alarms = _counts(score, positive)
    x, y = divide(hits, hits[-1]), divide(hits, hits + false_alarms)
    y[0] = y[1] if len(y) > 1 else np.nan
    return _thinned(x, y, threshold, most_points)


def roc_band(
    score: np.ndarray,
    positive: np.ndarray,
    patients: Patients,
    *,
    points: int = 101,
    replicates: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Band:
    """Percentiles of the sensitivity at fixed false positive rates, from a patient-level bootstrap.

    Args:
        points: of the grid from 0 to 1.
    """
    grid, positive = np.linspace(0, 1, points), np.asarray(positive, dtype=bool)
    order = np.argsort(-np.asarray(score), kind="stable")
    last = _last_of_ties(np.asarray(score)[order])
    drawn = [
        _sensitivities(weights[:, order], positive[order], last, grid)
        for weights in resampled(patients, replicates=replicates, seed=seed)
    ]
    ends = [percentile_interval(column, level)[:2] for column in np.concatenate(drawn).T]
    return Band(grid, *(np.array(end) for end in zip(*ends, strict=True)))


def reliability(
    confidence: np.ndarray, hit: np.ndarray, patients: Patients, *, bins: int = ECE_BINS, level: float = 0.95
) -> tuple[ReliabilityBin, ...]:
    """Bins of a reliability diagram that have images, in rising order; the bins of `metrics.ece`.

    Args:
        confidence: float `[N]` in [0, 1]: the largest probability of each image, or that of the positive class.
        hit: bool `[N]`: whether that class is the true one.
    """
    confidence, hit = np.asarray(confidence), np.asarray(hit, dtype=bool)
    which = calibration_bin(confidence, bins)
    return tuple(_bin(int(each), which == each, confidence, hit, patients, bins, level) for each in np.unique(which))


def thin(points: np.ndarray, most: int = MOST_POINTS) -> np.ndarray:
    """Which points of a polyline to keep: both ends, then again and again the point farthest from the line so far,
    until none is off it or enough are kept (Douglas and Peucker, with a budget instead of a tolerance).

    Args:
        points: float `[M, 2]`.

    Returns:
        int `[at most `most`]`, rising.
    """
    if len(points) < 3 or not np.isfinite(points).all():
        return np.arange(len(points))[:most]
    kept, open_spans = [0, len(points) - 1], [_farthest(points, 0, len(points) - 1)]
    while open_spans and len(kept) < most:
        distance, index, start, end = heapq.heappop(open_spans)
        if -distance < 1e-12:
            break
        kept.append(index)
        for span in ((start, index), (index, end)):
            if span[1] - span[0] > 1:
                heapq.heappush(open_spans, _farthest(points, *span))
    return np.array(sorted(kept))


def _farthest(points: np.ndarray, start: int, end: int) -> tuple[float, int, int, int]:
    along = points[end] - points[start]
    offset = points[start + 1 : end] - points[start]
    length = float(np.hypot(*along))
    across = np.abs(offset[:, 0] * along[1] - offset[:, 1] * along[0])
    distance = across / length if length > 0 else np.hypot(offset[:, 0], offset[:, 1])
    worst = int(distance.argmax())
    return -float(distance[worst]), start + 1 + worst, start, end


def _counts(score: np.ndarray, positive: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Thresholds, falling from infinity, and the positives and negatives that score at least as much."""
    score, positive = np.asarray(score, dtype=np.float64), np.asarray(positive, dtype=bool)
    order = np.argsort(-score, kind="stable")
    last = _last_of_ties(score[order])
    hits = np.cumsum(positive[order])[last]
    start = np.zeros(1)
    return (
        np.concatenate([[np.inf], score[order][last]]),
        np.concatenate([start, hits]),
        np.concatenate([start, last + 1 - hits]),
    )


def _last_of_ties(falling: np.ndarray) -> np.ndarray:
    """Positions of the last of each run of equal scores."""
    return np.flatnonzero(np.append(falling[1:] != falling[:-1], True)) if len(falling) else np.zeros(0, dtype=int)


def _thinned(x: np.ndarray, y: np.ndarray, threshold: np.ndarray, most: int) -> Curve:
    kept = thin(np.column_stack([x, y]), most)
    return Curve(x[kept], y[kept], threshold[kept])


def _sensitivities(weights: np.ndarray, positive: np.ndarray, last: np.ndarray, grid: np.ndarray) -> np.ndarray:
    hits = np.cumsum(weights * positive, axis=1)[:, last]
    false_alarms = np.cumsum(weights * ~positive, axis=1)[:, last]
    x, y = divide(false_alarms, false_alarms[:, -1:]), divide(hits, hits[:, -1:])
    rows = [
        np.interp(grid, np.append(0, a), np.append(0, b)) if np.isfinite(a[-1] + b[-1]) else np.full(len(grid), np.nan)
        for a, b in zip(x, y, strict=True)
    ]
    return np.array(rows)


def _bin(
    which: int, inside: np.ndarray, confidence: np.ndarray, hit: np.ndarray, patients: Patients, bins: int, level: float
) -> ReliabilityBin:
    interval = share_interval(hit, patients, inside, level)
    k, n = int(hit[inside].sum()), int(inside.sum())
    return ReliabilityBin(
        low=which / bins,
        high=(which + 1) / bins,
        images=n,
        patients=patients.among(inside),
        confidence=float(confidence[inside].mean()),
        share=Estimate(k / n, interval.low, interval.high, k, n),
    )
