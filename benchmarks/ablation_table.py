"""The lines of `ablation.py` as a table in Markdown: figures of each arm, and its paired difference to another."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hilum.evaluation.bootstrap import Patients, resampled
from hilum.evaluation.intervals import bounded_interval, difference_interval, student_quantile

Line = dict[str, Any]
CLEAN = "none"


@dataclass(frozen=True)
class Area:
    """A mean AUROC of one arm.

    Args:
        value: the mean over held-out parts, each the mean over its seeds and damages.
        replicates: `[R]`, of redrawn patients; two arms on the same parts redraw the same ones.
        single: (part, seed) -> its mean over damages.
    """

    value: float
    replicates: np.ndarray
    single: dict[tuple[str, int], float]
    patients: int


def render(lines: Sequence[Line], against: str, replicates: int) -> str:
    """One table for each way of holding out that the lines have; arms count on the (part, seed) that `against` has."""
    kinds = sorted({line["part"].split(":")[0] for line in lines})
    return "\n".join(
        _table([each for each in lines if each["part"].startswith(kind)], kind, against, replicates) for kind in kinds
    )


def _table(lines: Sequence[Line], held: str, against: str, replicates: int) -> str:
    arms = list(dict.fromkeys(line["arm"] for line in lines))
    theirs = {_place(line): line for line in lines if line["arm"] == against}
    rows = [
        f"Held out: {held}; {len({line['part'] for line in lines})} parts",
        "",
        f"| arm | runs | as it is | damaged alike | negatives damaged | less {against} | by run "
        "| specificity at 0.5, negatives damaged |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for arm in arms:
        ours = {_place(line): line for line in lines if line["arm"] == arm and _place(line) in theirs}
        if ours:
            rows.append(_row(arm, list(ours.values()), [theirs[each] for each in ours], replicates))
    return "\n".join([*rows, ""])


def _place(line: Line) -> tuple[str, int]:
    return line["part"], line["seed"]


def _row(arm: str, ours: list[Line], theirs: list[Line], replicates: int) -> str:
    clean, alike = (area_of(ours, names, True, replicates).value for names in ([CLEAN], damages_of(ours)))
    alone, other = (area_of(lines, damages_of(lines), False, replicates) for lines in (ours, theirs))
    spec = np.mean([specificity(line, name) for line in ours for name in damages_of(ours)])
    cells = [arm, str(len(ours)), f"{clean:.4f}", f"{alike:.4f}", f"{alone.value:.4f}"]
    cells += [_difference(alone, other), _by_run(alone, other), f"{spec:.3f}"]
    return f"| {' | '.join(cells)} |"


def damages_of(lines: Iterable[Line]) -> list[str]:
    """The damages, without the pictures as they are."""
    return [name for name in next(iter(lines))["held"] if name != CLEAN]


def _difference(ours: Area, theirs: Area) -> str:
    """Ours less theirs, with an interval over patients."""
    if np.array_equal(ours.replicates, theirs.replicates):
        return ""
    ends = [
        (each.value, *bounded_interval(each.value, each.replicates, patients=each.patients)[:2])
        for each in (ours, theirs)
    ]
    correlation = float(np.corrcoef(ours.replicates, theirs.replicates)[0, 1])
    low, high, _ = difference_interval(*ends, correlation)
    return f"{ours.value - theirs.value:+.4f} [{low:+.4f}, {high:+.4f}]"


def _by_run(ours: Area, theirs: Area) -> str:
    """Half the width of the interval of the difference that the scatter over parts and seeds gives (Student's t)."""
    differences = np.array([value - theirs.single[place] for place, value in ours.single.items()])
    if len(differences) < 2 or not differences.any():
        return ""
    half = student_quantile(0.95, len(differences) - 1) * differences.std(ddof=1) / np.sqrt(len(differences))
    return f"± {half:.4f}"


def area_of(lines: Sequence[Line], damages: Sequence[str], alike: bool, replicates: int) -> Area:
    """The mean AUROC over held-out parts, seeds and damages.

    Args:
        alike: damage all images; else the negatives alone, as when one class comes from another machine.
    """
    values, redrawn, single, patients = [], [], dict[tuple[str, int], float](), 0
    for number, part in enumerate(sorted({line["part"] for line in lines})):
        here = [line for line in lines if line["part"] == part]
        positive = np.array(here[0]["positive"], bool)
        of_seed = {line["seed"]: np.mean([_won(line, name, alike) for name in damages], axis=0) for line in here}
        single |= {(part, seed): float(won.mean()) for seed, won in of_seed.items()}
        won = np.mean(list(of_seed.values()), axis=0)
        who = Patients.of(here[0]["patient"])
        weights = np.concatenate(list(resampled(who, replicates=replicates, seed=number)))
        own, others = weights[:, positive], weights[:, ~positive]
        redrawn.append(((own @ won) * others).sum(1) / (own.sum(1) * others.sum(1)))
        values.append(float(won.mean()))
        patients += min(who.among(positive), who.among(~positive))
    return Area(float(np.mean(values)), np.mean(redrawn, axis=0), single, patients)


def _won(line: Line, damage: str, alike: bool) -> np.ndarray:
    """`[P, Q]`: 1 where a positive image scores above a negative one, a half where they tie."""
    positive = np.array(line["positive"], bool)
    high = np.array(line["held"][damage if alike else CLEAN])[positive]
    low = np.array(line["held"][damage])[~positive]
    return (high[:, None] > low) + 0.5 * (high[:, None] == low)


def specificity(line: Line, damage: str, threshold: float = 0.0) -> float:
    """Share of the damaged negatives whose score is below a threshold."""
    score = np.array(line["held"][damage])[~np.array(line["positive"], bool)]
    return float((score < threshold).mean())
