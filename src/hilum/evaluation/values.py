"""The frozen values of an evaluation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hilum.errors import DataError

SCHEMA = "hilum.evaluation/1"


@dataclass(frozen=True)
class Estimate:
    """A figure with its interval.

    Args:
        value: the figure; NaN where it is not defined (say, the AUROC of a class without images).
        ci_low, ci_high: ends of the interval, 95 % unless `Evaluation.source["level"]` says otherwise.
        k, n: numerator and denominator where the figure is a share of images, else None.
    """

    value: float
    ci_low: float
    ci_high: float
    k: int | None = None
    n: int | None = None


@dataclass(frozen=True)
class ClassMetrics:
    """Figures of one class against all others; decisions are the most probable class."""

    label: str
    images: int
    patients: int
    sensitivity: Estimate
    specificity: Estimate
    ppv: Estimate
    npv: Estimate
    f1: Estimate
    auroc: Estimate
    auprc: Estimate


@dataclass(frozen=True)
class Verdict:
    """Something that makes the figures worthless or doubtful.

    Args:
        code: `one-class`, `nearly-one-class`, `independent`, `label-order`, `never-called`, `one-true-class`.
        severity: `error` (the run counts as collapsed) or `warning`.
        sentence: what it means, in plain words with the numbers.
    """

    code: str
    severity: str
    sentence: str


@dataclass(frozen=True)
class Evaluation:
    """Everything that was computed from one predictions file.

    Args:
        split: which split the predictions are of.
        labels: classes in order.
        positive: the class that binary figures are about; None with more than two classes.
        images, patients: sizes of the split.
        confusion: images, `[K][K]`, rows true class, columns decision.
        overall: `accuracy, balanced_accuracy, sensitivity, specificity, ppv, npv, f1, auroc, auprc, ece, brier,
            log_loss, kappa` -> Estimate; of the positive class in a binary task where a class is meant, else the mean
            over classes.
        averaging: the same keys -> in words how the figure was averaged and what its interval rests on.
        per_class: one entry a class, in order.
        verdicts: collapse and independence; empty when all is well.
        source: `predictions` (file name), `predictions_sha256`, `seed`, `replicates`, `level`, and
            `class_intervals`, in words what the intervals of `per_class` rest on.
    """

    split: str
    labels: tuple[str, ...]
    positive: str | None
    images: int
    patients: int
    confusion: tuple[tuple[int, ...], ...]
    overall: Mapping[str, Estimate]
    averaging: Mapping[str, str]
    per_class: tuple[ClassMetrics, ...]
    verdicts: tuple[Verdict, ...] = ()
    source: Mapping[str, Any] = field(default_factory=dict)

    @property
    def collapsed(self) -> bool:
        """Whether a verdict makes the figures worthless."""
        return any(verdict.severity == "error" for verdict in self.verdicts)

    def to_json(self) -> dict[str, Any]:
        """A JSON document; NaN becomes null."""
        return without_nan({"schema": SCHEMA, **asdict(self)})

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Evaluation:
        """The way back from `to_json`.

        Raises:
            DataError: another schema.
        """
        if document.get("schema") != SCHEMA:
            raise DataError("evaluation", expected=SCHEMA, found=str(document.get("schema")))
        fields = {name: value for name, value in document.items() if name != "schema"}
        return cls(
            **{
                **fields,
                "labels": tuple(fields["labels"]),
                "confusion": tuple(map(tuple, fields["confusion"])),
                "overall": {name: estimate_of(value) for name, value in fields["overall"].items()},
                "per_class": tuple(_class_metrics(entry) for entry in fields["per_class"]),
                "verdicts": tuple(Verdict(**entry) for entry in fields["verdicts"]),
            }
        )


def write_evaluations(path: Path, evaluations: Mapping[str, Evaluation]) -> None:
    """Writes a run's `metrics.json`: one evaluation a split, keyed by the split's name."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps({split: each.to_json() for split, each in evaluations.items()}, indent=1) + "\n")
    partial.replace(path)


def read_evaluations(path: Path) -> dict[str, Evaluation]:
    """Reads a run's `metrics.json`."""
    return {split: Evaluation.from_json(each) for split, each in json.loads(path.read_text()).items()}


def estimate_of(document: Mapping[str, Any]) -> Estimate:
    """An Estimate from its JSON value; null becomes NaN."""
    number = {
        name: float("nan") if document[name] is None else document[name] for name in ("value", "ci_low", "ci_high")
    }
    return Estimate(**number, k=document["k"], n=document["n"])


def _class_metrics(document: Mapping[str, Any]) -> ClassMetrics:
    fields = {name: estimate_of(value) if isinstance(value, Mapping) else value for name, value in document.items()}
    return ClassMetrics(**fields)  # type: ignore[arg-type] # names and kinds are those of asdict


def without_nan(value: Any) -> Any:
    """The same JSON value with null for every number that is none; tuples become lists."""
    if isinstance(value, float) and value != value:
        return None
    if isinstance(value, Mapping):
        return {str(key): without_nan(item) for key, item in value.items()}
    return [without_nan(item) for item in value] if isinstance(value, (list, tuple)) else value
