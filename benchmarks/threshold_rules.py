"""Rules for a threshold that see no test label; each takes a line of `operating_points.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

Line = Mapping[str, Any]
CLEAN, STRESSED = "none", "stressed-"


class Decided(NamedTuple):
    """Scores of the test images `[N]`, bool `[N]` whether positive, and the threshold of the scores."""

    score: np.ndarray
    positive: np.ndarray
    threshold: float


Rule = Callable[[Line], Decided | None]


def balanced_accuracy(score: np.ndarray, positive: np.ndarray, threshold: float) -> tuple[float, float, float]:
    """Balanced accuracy, sensitivity, specificity."""
    sensitivity, specificity = (
        float((score[positive] >= threshold).mean()),
        float((score[~positive] < threshold).mean()),
    )
    return (sensitivity + specificity) / 2, sensitivity, specificity


def best_in_hindsight(score: np.ndarray, positive: np.ndarray) -> float:
    """The highest balanced accuracy of any threshold."""
    return balanced_accuracy(score, positive, youden([score[~positive]], [score[positive]]))[0]


def youden(negatives: list[np.ndarray], positives: list[np.ndarray]) -> float:
    """The threshold with the largest least sensitivity plus least specificity over some versions of each class."""
    levels = np.unique(np.concatenate([*negatives, *positives]))
    cuts = np.concatenate([[levels[0] - 1], (levels[:-1] + levels[1:]) / 2, [levels[-1] + 1]])
    found = np.min([1 - np.searchsorted(np.sort(each), cuts) / len(each) for each in positives], axis=0)
    silent = np.min([np.searchsorted(np.sort(each), cuts) / len(each) for each in negatives], axis=0)
    best = np.flatnonzero(found + silent >= (found + silent).max() - 1e-12)
    return float(cuts[best[0]] + cuts[best[-1]]) / 2


def even(negative: np.ndarray, positive: np.ndarray) -> float:
    """As many standard deviations from the one class as from the other; medians, so that a few strays move nothing."""
    middle = np.median(negative), np.median(positive)
    spread = [max(1.4826 * float(np.median(np.abs(each - np.median(each)))), 1e-6) for each in (negative, positive)]
    return float((middle[0] * spread[1] + middle[1] * spread[0]) / sum(spread))


def _val(line: Line, network: str) -> tuple[dict[str, np.ndarray], np.ndarray]:
    return {name: np.array(each) for name, each in line[network]["val"].items()}, np.array(line["val_positive"], bool)


def _on_test(line: Line, threshold: float, network: str = "smoothed") -> Decided:
    return Decided(np.array(line[network]["test"]), np.array(line["positive"], bool), threshold)


def half_plain(line: Line) -> Decided | None:
    return _on_test(line, 0.0, "plain") if "plain" in line else None


def half_smoothed(line: Line) -> Decided:
    return _on_test(line, 0.0)


def prevalence_val(line: Line) -> Decided:
    share = float(np.mean(line["val_positive"]))
    return _on_test(line, float(np.log(share / (1 - share))))


def youden_val(line: Line) -> Decided:
    val, positive = _val(line, "smoothed")
    return _on_test(line, youden([val[CLEAN][~positive]], [val[CLEAN][positive]]))


def even_val(line: Line) -> Decided:
    val, positive = _val(line, "smoothed")
    return _on_test(line, even(val[CLEAN][~positive], val[CLEAN][positive]))


def youden_damaged(line: Line) -> Decided:
    val, positive = _val(line, "smoothed")
    pooled = _damaged(val, positive)
    return _on_test(line, youden([pooled[0]], [pooled[1]]))


def even_damaged(line: Line) -> Decided:
    return _on_test(line, even(*_damaged(*_val(line, "smoothed"))))


def worst_damaged(line: Line) -> Decided:
    val, positive = _val(line, "smoothed")
    versions = [each for name, each in val.items() if not name.startswith(STRESSED)]
    return _on_test(line, youden([each[~positive] for each in versions], [each[positive] for each in versions]))


def _damaged(val: Mapping[str, np.ndarray], positive: np.ndarray) -> list[np.ndarray]:
    """Scores of the negatives and of the positives of validation, as they are and after each named damage."""
    versions = [each for name, each in val.items() if not name.startswith(STRESSED)]
    return [np.concatenate([each[side] for each in versions]) for side in (~positive, positive)]


def _stressed(line: Line) -> list[np.ndarray] | None:
    """Scores of the negatives and of the positives of validation, as they are and stressed at random."""
    val, positive = _val(line, "smoothed")
    chosen = [each for name, each in val.items() if name == CLEAN or name.startswith(STRESSED)]
    return (
        [np.concatenate([each[side] for each in chosen]) for side in (~positive, positive)] if len(chosen) > 1 else None
    )


def youden_stressed(line: Line) -> Decided | None:
    pooled = _stressed(line)
    return None if pooled is None else _on_test(line, youden([pooled[0]], [pooled[1]]))


def even_stressed(line: Line) -> Decided | None:
    pooled = _stressed(line)
    return None if pooled is None else _on_test(line, even(*pooled))


def _of_folds(line: Line) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    if "members" not in line:
        return None
    members = line["members"]
    return np.array(members["out_of_fold"]), np.array(members["positive"], bool), np.array(members["test"])


def youden_folds(line: Line) -> Decided | None:
    known = _of_folds(line)
    return None if known is None else _on_test(line, youden([known[0][~known[1]]], [known[0][known[1]]]))


def youden_members(line: Line) -> Decided | None:
    known = _of_folds(line)
    if known is None:
        return None
    threshold = youden([known[0][~known[1]]], [known[0][known[1]]])
    return Decided(known[2].mean(0), np.array(line["positive"], bool), threshold)


def half_members(line: Line) -> Decided | None:
    known = _of_folds(line)
    return None if known is None else Decided(known[2].mean(0), np.array(line["positive"], bool), 0.0)


def vote_of_members(line: Line) -> Decided | None:
    known = _of_folds(line)
    return None if known is None else Decided((known[2] > 0).mean(0), np.array(line["positive"], bool), 0.5)


BEFORE = "Youden on validation"
"""What every study of hilum had before."""

RULES: dict[str, Rule] = {
    "0.5, no label smoothing": half_plain,
    "0.5, label smoothing 0.1": half_smoothed,
    "share of the positives, label smoothing 0.1": prevalence_val,
    BEFORE: youden_val,
    "Youden on validation, damaged": youden_damaged,
    "Youden on validation, the worst damage of each class": worst_damaged,
    "even distance on validation": even_val,
    "even distance on validation, damaged": even_damaged,
    "Youden on validation, stressed": youden_stressed,
    "even distance on validation, stressed": even_stressed,
    "Youden on folds": youden_folds,
    "Youden on folds, mean of the members": youden_members,
    "0.5, mean of the members": half_members,
    "majority of the members": vote_of_members,
}
