"""Runs compared on the same images: what differs, how surely, and which cannot be told apart.

Every pair of runs is tested, and Holm's correction is over all pairs: the best run was picked by looking at the same
images, so it must not be treated as if it had been named beforehand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np

from hilum.data.predictions import Predictions
from hilum.errors import DataError, UsageError
from hilum.evaluation.bootstrap import Patients
from hilum.evaluation.estimates import Estimates
from hilum.evaluation.figures import Figures
from hilum.evaluation.intervals import difference_interval
from hilum.evaluation.paired_tests import McNemar, delong, holm, mcnemar
from hilum.evaluation.values import Estimate, estimate_of, without_nan

SCHEMA = "hilum.comparison/1"
COMPARED = ("accuracy", "balanced_accuracy", "auroc", "log_loss")
SIGNIFICANCE = 0.05
HIGHEST, LOWEST = "auroc", "log_loss"
"""Runs are ordered by the highest AUROC to three decimals, then by the lowest log loss, as in the leaderboard."""


@dataclass(frozen=True)
class Pair:
    """Two runs, the one that ranks higher first.

    Args:
        first, second: names.
        difference: each of `COMPARED` -> first minus second, with an interval made of those of both and of the
            correlation of their errors in redraws of the same patients.
        mcnemar: on right and wrong calls.
        delong_p: of the AUROC.
        corrected: `delong_p` after Holm's correction over all pairs.
    """

    first: str
    second: str
    difference: Mapping[str, Estimate]
    mcnemar: McNemar
    delong_p: float
    corrected: float

    @property
    def apart(self) -> bool:
        """Whether the two can be told apart by their AUROC."""
        return self.corrected < SIGNIFICANCE


@dataclass(frozen=True)
class Comparison:
    """Runs on the same images.

    Args:
        split: of the images.
        images, patients: how many.
        runs: best first.
        figures: run -> each of `COMPARED`, without intervals; those stand in the run's own metrics.
        pairs: every pair, by the order of the runs.
        groups: run -> number of its group: 1 holds the best run and all that cannot be told from it, 2 the best of the
            rest and all of the rest that cannot be told from that one, and so on.
    """

    split: str
    images: int
    patients: int
    runs: tuple[str, ...]
    figures: Mapping[str, Mapping[str, float]]
    pairs: tuple[Pair, ...]
    groups: Mapping[str, int]

    def against_best(self, run: str) -> Pair | None:
        """The pair of the best run and this one; None for the best itself."""
        return next((pair for pair in self.pairs if pair.first == self.runs[0] and pair.second == run), None)

    @property
    def sentence(self) -> str:
        """What can be said of the best run, in plain words."""
        if len(self.runs) == 1:
            return "There is only one run, so there is nothing to compare."
        alike = [run for run in self.runs[1:] if self.groups[run] == 1]
        where = f"on these {self.images:,} images of {self.patients:,} patients"
        if not alike:
            return f"{self.runs[0]} ranks the images better than every other run, {where}, more surely than chance."
        rest = "no other run" if len(alike) == len(self.runs) - 1 else f"{len(alike)} of {len(self.runs) - 1} others"
        if len(alike) == len(self.runs) - 1:
            return f"{self.runs[0]} has the best AUROC, but {where} {rest} can be told apart from it by AUROC."
        return (
            f"{self.runs[0]} has the best AUROC, but {where} {rest} cannot be told apart from it: {', '.join(alike)}."
        )

    def to_json(self) -> dict[str, Any]:
        """A JSON document; NaN becomes null."""
        pairs = [{**asdict(pair), "mcnemar": pair.mcnemar._asdict(), "apart": pair.apart} for pair in self.pairs]
        return without_nan({"schema": SCHEMA, "sentence": self.sentence, **asdict(self), "pairs": pairs})

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Comparison:
        """The way back from `to_json`.

        Raises:
            DataError: another schema.
        """
        if document.get("schema") != SCHEMA:
            raise DataError("comparison", expected=SCHEMA, found=str(document.get("schema")))
        known = {name: document[name] for name in cls.__dataclass_fields__}
        return cls(**{**known, "runs": tuple(known["runs"]), "pairs": tuple(map(_pair, known["pairs"]))})


def _pair(document: Mapping[str, Any]) -> Pair:
    fields = {name: document[name] for name in Pair.__dataclass_fields__}
    difference = {name: estimate_of(each) for name, each in fields["difference"].items()}
    return Pair(**{**fields, "difference": difference, "mcnemar": McNemar(**fields["mcnemar"])})


def compare(
    runs: Mapping[str, Predictions], *, replicates: int = 1000, seed: int = 0, level: float = 0.95
) -> Comparison:
    """Compares runs on the images that they all predicted.

    Args:
        runs: name -> predictions; rows may be in any order.
        replicates, seed: of the patient-level bootstrap.

    Raises:
        UsageError: no run.
        DataError: other images, labels, patients or classes in one run than in another.
    """
    if not runs:
        raise UsageError("comparison", expected="at least one run", found="none")
    aligned = align(runs)
    first = next(iter(aligned.values()))
    patients = Patients.of(first.table["patient_id"].tolist())
    positive = first.labels.index(first.labels.positive) if first.labels.is_binary else None
    figures = {name: Figures(first.target, each.probs, positive) for name, each in aligned.items()}
    known = {
        name: Estimates(each, patients, replicates=replicates, seed=seed, level=level) for name, each in figures.items()
    }
    plain = {name: {key: float(each.values[key]) for key in COMPARED} for name, each in known.items()}
    order = tuple(sorted(figures, key=lambda name: _place(name, plain[name])))
    right = {name: each.decision == first.target for name, each in figures.items()}
    tests = {
        (one, other): delong(_scores(aligned[one]), _scores(aligned[other]), _truth(first), patients)
        for one, other in combinations(order, 2)
    }
    corrected = dict(zip(tests, holm([test.p for test in tests.values()]), strict=True))
    pairs = tuple(
        Pair(
            one,
            other,
            {key: _difference(key, known[one], known[other]) for key in COMPARED},
            mcnemar(right[one], right[other], patients),
            test.p,
            float(corrected[one, other]),
        )
        for (one, other), test in tests.items()
    )
    split = "+".join(sorted(set(first.table["split"].astype(str))))
    best_first = {name: plain[name] for name in order}
    return Comparison(split, len(first), patients.count, order, best_first, pairs, group_runs(order, pairs))


def align(runs: Mapping[str, Predictions]) -> dict[str, Predictions]:
    """The same predictions, all in the order of the first.

    Raises:
        DataError: other images, labels, patients or classes in one run than in another.
    """
    (reference, first), *_ = runs.items()
    keys = first.table["image_path"]
    aligned = {}
    for name, each in runs.items():
        if each.labels.names != first.labels.names:
            raise _differ(name, reference, "classes", ", ".join(first.labels), ", ".join(each.labels))
        table = each.table.set_index("image_path", drop=False)
        missing, extra = set(keys) - set(table.index), set(table.index) - set(keys)
        if missing or extra:
            found = f"{len(missing)} of them missing, {len(extra)} others, such as {sorted(missing or extra)[0]}"
            raise _differ(name, reference, "images", f"the same {len(keys)}", found)
        table = table.loc[keys].reset_index(drop=True)
        for column, words in (("target", "labels"), ("patient_id", "patients")):
            other = table[column].astype(str).to_numpy() != first.table[column].astype(str).to_numpy()
            if other.any():
                found = f"{int(other.sum())} images with another, such as {keys.iloc[int(other.argmax())]}"
                raise _differ(name, reference, words, "the same", found)
        aligned[name] = Predictions(table, each.labels, each.about)
    return aligned


def group_runs(order: Sequence[str], pairs: Sequence[Pair]) -> dict[str, int]:
    """Run -> group, see `Comparison`."""
    apart = {(pair.first, pair.second) for pair in pairs if pair.apart}
    groups: dict[str, int] = {}
    while len(groups) < len(order):
        rest = [run for run in order if run not in groups]
        number = 1 + max(groups.values(), default=0)
        groups |= {run: number for run in rest if (rest[0], run) not in apart}
    return groups


def _differ(name: str, reference: str, words: str, expected: str, found: str) -> DataError:
    way_out = "Only runs of one study, on one split, can be compared in pairs."
    return DataError(f"{words} of {name}", expected=f"{expected} as {reference}", found=found, way_out=way_out)


def _place(name: str, values: Mapping[str, float]) -> tuple[float, float, str]:
    best, loss = values[HIGHEST], values[LOWEST]
    return (-round(best, 3) if best == best else 1.0, loss, name)


def _scores(predictions: Predictions) -> np.ndarray:
    labels = predictions.labels
    return predictions.probs[:, labels.index(labels.positive)] if labels.is_binary else predictions.probs


def _truth(predictions: Predictions) -> np.ndarray:
    labels = predictions.labels
    return predictions.target == labels.index(labels.positive) if labels.is_binary else predictions.target


def _difference(key: str, one: Estimates, other: Estimates) -> Estimate:
    """One minus other, on the same redraws of patients for both."""
    (a, _), (b, _) = one.overall(key), other.overall(key)
    correlation = _correlation(one.replicates[key], other.replicates[key])
    ends = difference_interval((a.value, a.ci_low, a.ci_high), (b.value, b.ci_low, b.ci_high), correlation)
    return Estimate(a.value - b.value, ends.low, ends.high)


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    both = np.isfinite(first) & np.isfinite(second)
    first, second = first[both], second[both]
    if len(first) < 2 or min(np.ptp(first), np.ptp(second)) < 1e-12:
        return float("nan")
    return float(np.corrcoef(first, second)[0, 1])
