"""Reports whose truth is known: drawn predictions, figures computed by scikit-learn, printed as people print them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from typing import Any

import numpy as np

RULES = {"half up": ROUND_HALF_UP, "half even": ROUND_HALF_EVEN, "cut off": ROUND_DOWN}
NAMES = ("normal", "bacteria", "virus", "covid", "tuberculosis")
PER_CLASS = {"precision": 0, "recall": 1, "f1": 2}


@dataclass(frozen=True)
class Style:
    """How a report prints.

    Args:
        decimals: of a share: 2 is 0.87 or 87 %.
        percent: in per cent.
        rule: a key of `RULES`.
        averaging: `macro`, `weighted` or `class`, for all figures.
        named: the averaging stands beside the figures.
    """

    decimals: int
    percent: bool
    rule: str
    averaging: str
    named: bool

    def show(self, share: float) -> str:
        """A share as this report prints it."""
        if not math.isfinite(share):
            return "0"
        # As computers do it: the shortest text that is this number, then the rule.
        exact = Decimal(repr(float(share)))
        number = exact.scaleb(2) if self.percent else exact
        places = self.decimals - (2 if self.percent else 0)
        text = str(number.quantize(Decimal(1).scaleb(-max(places, 0)), rounding=RULES[self.rule]))
        return f"{text} %" if self.percent else text


@dataclass(frozen=True)
class Model:
    """Drawn predictions of one model. `target, called: [N]`; `score: [N]`, for the second of two classes."""

    target: np.ndarray
    called: np.ndarray
    score: np.ndarray

    def matrix(self, classes: int) -> list[list[int]]:
        """Rows true."""
        counts = np.bincount(self.target * classes + self.called, minlength=classes**2)
        return counts.reshape(classes, classes).tolist()


@dataclass(frozen=True)
class Drawn:
    """A sound report, and what it is made of.

    Args:
        document: as for `hilum.autopsy`.
    """

    document: dict[str, Any]
    style: Style
    models: tuple[Model, ...]
    classes: tuple[str, ...]
    positive: int
    facts: dict[str, Any] = field(default_factory=dict)


def draw_report(seed: int, *, decimals: int | None = None, **wishes: Any) -> Drawn:
    """A report without a fault.

    Args:
        seed: everything follows from it.
        decimals: of a printed share, 1 to 4; drawn when None.
        wishes: `classes`, `images`, `models`, `matrix`, `counts`, `size`, `rule`, `averaging`, `named`, `percent`,
            `quality` in place of what would be drawn.
    """
    generator = np.random.default_rng(seed)
    drawn: dict[str, Any] = {
        "classes": int(generator.choice([2, 2, 3, 4])),
        "images": int(np.exp(generator.uniform(np.log(40), np.log(5000)))),
        "models": int(generator.integers(1, 5)),
        "matrix": bool(generator.random() < 0.5),
        "counts": bool(generator.random() < 0.6),
        "size": bool(generator.random() < 0.7),
        "rule": str(generator.choice(list(RULES))),
        "averaging": str(generator.choice(["macro", "weighted", "class"])),
        "named": bool(generator.random() < 0.5),
        "percent": bool(generator.random() < 0.5),
        "quality": float(generator.uniform(0.8, 3.5)),
        "decimals": int(generator.integers(1, 5)),
    }
    drawn |= {"decimals": decimals} if decimals else {}
    drawn |= wishes
    style = Style(
        drawn["decimals"], drawn["percent"] and drawn["decimals"] > 1, drawn["rule"], drawn["averaging"], drawn["named"]
    )
    target = _draw_target(generator, drawn["images"], drawn["classes"])
    models = tuple(_draw_model(generator, target, drawn["classes"], drawn["quality"]) for _ in range(drawn["models"]))
    report = Drawn({}, style, models, NAMES[: drawn["classes"]], 1, drawn)
    return replace(report, document=write_document(report, generator))


def _draw_target(generator: np.random.Generator, images: int, classes: int) -> np.ndarray:
    shares = generator.dirichlet(np.full(classes, 4.0))
    target = generator.choice(classes, size=images, p=shares)
    target[: 5 * classes] = np.tile(np.arange(classes), 5)[: len(target)]
    return target


def _draw_model(generator: np.random.Generator, target: np.ndarray, classes: int, quality: float) -> Model:
    own = quality * generator.uniform(0.8, 1.2)
    logits = generator.normal(size=(len(target), classes)) + generator.normal(0, 0.3, classes)
    logits[np.arange(len(target)), target] += own
    return Model(target, logits.argmax(axis=1), logits[:, 1] - logits[:, 0])


def write_document(report: Drawn, generator: np.random.Generator) -> dict[str, Any]:
    """The report as `hilum.autopsy` reads it: what is named, and which figures are there, is drawn."""
    counts = np.bincount(report.models[0].target, minlength=len(report.classes)).tolist()
    document: dict[str, Any] = {"classes": list(report.classes)}
    if report.facts["counts"]:
        document["samples"] = {"test": counts}
    elif report.facts["size"]:
        document["samples"] = {"test": sum(counts)}
    turned, stated = generator.random() < 0.3, generator.random() < 0.5
    kinds = draw_kinds(report, generator)
    document["rows"] = [row_of(report, i, kinds, turned, stated) for i in range(len(report.models))]
    return document


def draw_kinds(report: Drawn, generator: np.random.Generator) -> list[str]:
    """Which figures the report prints for every model."""
    offered = ["precision", "recall", "f1", "kappa", "mcc", "balanced accuracy", "recalls"]
    if len(report.classes) == 2:
        offered += ["clinical", "auroc"]
    return ["accuracy", *(kind for kind in offered if generator.random() < 0.45)]


def row_of(report: Drawn, index: int, kinds: list[str], turned: bool, stated: bool) -> dict[str, Any]:
    """One row of the report."""
    model = report.models[index]
    row: dict[str, Any] = {"name": f"model {index + 1}", "sample": "test"}
    if report.facts["matrix"]:
        matrix = np.asarray(model.matrix(len(report.classes)))
        row["matrix"] = (matrix.T if turned else matrix).tolist()
        if stated:
            row["rows_are"] = "predicted" if turned else "true"
    row["figures"] = {name: report.style.show(value) for name, value in figures(report, model, kinds)}
    return row


def figures(report: Drawn, model: Model, kinds: list[str]) -> Iterator[tuple[str, float]]:
    """Names and exact values, by scikit-learn."""
    from sklearn import metrics as sk

    target, called = model.target, model.called
    labels = list(range(len(report.classes)))
    each = sk.precision_recall_fscore_support(target, called, labels=labels, zero_division=0)
    averaging, positive = report.style.averaging, report.positive
    for kind in kinds:
        if kind == "accuracy":
            yield kind, sk.accuracy_score(target, called)
        elif kind in PER_CLASS:
            place = PER_CLASS[kind]
            if averaging == "class":
                over, value = report.classes[positive], float(each[place][positive])
            else:
                weights = np.ones(len(labels)) if averaging == "macro" else each[3]
                over, value = averaging, float(np.average(each[place], weights=weights))
            yield (f"{over} {kind}" if report.style.named else kind), value
        elif kind == "recalls":
            yield from ((f"recall {name}", float(each[1][i])) for i, name in enumerate(report.classes))
        elif kind == "clinical":
            yield "sensitivity", float(each[1][positive])
            yield "specificity", float(each[1][1 - positive])
        elif kind == "balanced accuracy":
            yield kind, sk.balanced_accuracy_score(target, called)
        elif kind == "kappa":
            yield kind, sk.cohen_kappa_score(target, called)
        elif kind == "mcc":
            yield kind, sk.matthews_corrcoef(target, called)
        elif kind == "auroc":
            yield kind, sk.roc_auc_score(target == positive, model.score if positive else -model.score)
