"""Reports with one planted fault each: what an autopsy finds of them is measured in `docs/autopsy.md`."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np

from hilum.autopsy.simulate import Drawn, Model, draw_report, figures, row_of

Document = dict[str, Any]


def _sound(seed: int, decimals: int, **wishes: Any) -> tuple[Drawn, np.random.Generator]:
    wishes = {"images": 200 + seed * 37 % 1500, "counts": True, "quality": 2.0, **wishes}
    return draw_report(seed, decimals=decimals, **wishes), np.random.default_rng([seed, decimals])


def _first(report: Drawn) -> tuple[Document, Document]:
    document = deepcopy(report.document)
    return document, document["rows"][0]


def other_accuracy(seed: int, decimals: int) -> Document:
    """An accuracy 5 to 30 points above that of the matrix beside it."""
    report, generator = _sound(seed, decimals, matrix=True, quality=1.0)
    document, row = _first(report)
    true = dict(figures(report, report.models[0], ["accuracy"]))["accuracy"]
    row["figures"]["accuracy"] = report.style.show(min(1.0, true + generator.uniform(0.05, 0.3)))
    return document


def mistyped_digit(seed: int, decimals: int) -> Document:
    """One digit of the accuracy replaced by another, beside a matrix."""
    report, generator = _sound(seed, decimals, matrix=True)
    document, row = _first(report)
    text = row["figures"]["accuracy"]
    places = [i for i, each in enumerate(text) if each.isdigit() and (i > 0 or report.style.percent)]
    place = int(generator.choice(places))
    digit = str(generator.choice([each for each in "0123456789" if each != text[place]]))
    row["figures"]["accuracy"] = text[:place] + digit + text[place + 1 :]
    return document


def shuffled_matrix(seed: int, decimals: int) -> Document:
    """The matrix of shuffled predictions beside the figures of the right ones."""
    report, generator = _sound(seed, decimals, matrix=True)
    model = report.models[0]
    wrong = Model(model.target, generator.permutation(model.called), model.score)
    document, row = _first(report)
    row["matrix"], row["rows_are"] = wrong.matrix(len(report.classes)), "true"
    return document


def shuffled_alone(seed: int, decimals: int) -> Document:
    """Shuffled predictions, and the figures that they give: nothing contradicts anything."""
    report, generator = _sound(seed, decimals, matrix=True, models=1)
    model = report.models[0]
    wrong = Model(model.target, generator.permutation(model.called), model.score)
    report = replace(report, models=(wrong,))
    return {**report.document, "rows": [row_of(report, 0, ["accuracy", "recall"], False, True)]}


def one_class(seed: int, decimals: int) -> Document:
    """Everything called the largest class; only the accuracy and the counts are printed."""
    report, _ = _sound(seed, decimals, matrix=False, models=1)
    model = report.models[0]
    most = int(np.bincount(model.target).argmax())
    report = replace(report, models=(Model(model.target, np.full_like(model.called, most), model.score),))
    return {**report.document, "rows": [row_of(report, 0, ["accuracy"], False, True)]}


def class_order(seed: int, decimals: int) -> Document:
    """Rows and columns of the matrix in another order than the class names and counts."""
    report, generator = _sound(seed, decimals, matrix=True, classes=3, models=1)
    document, row = _first(report)
    order = [(1, 2, 0), (2, 0, 1), (1, 0, 2)][int(generator.integers(3))]
    matrix = np.asarray(report.models[0].matrix(3))
    row["matrix"], row["rows_are"] = matrix[np.ix_(order, order)].tolist(), "true"
    return document


def swapped_columns(seed: int, decimals: int) -> Document:
    """Two columns of the matrix exchanged, and figures that follow from it: names out of step with the calls."""
    report, _ = _sound(seed, decimals, matrix=True, models=1)
    model = report.models[0]
    swap = np.arange(len(report.classes))
    swap[[0, 1]] = 1, 0
    report = replace(report, models=(Model(model.target, swap[model.called], model.score),))
    return {**report.document, "rows": [row_of(report, 0, ["accuracy"], False, True)]}


def copied_row(seed: int, decimals: int) -> Document:
    """The second row holds the figures of the first."""
    report, _ = _sound(seed, decimals, matrix=False, models=3)
    kinds = ["accuracy", "precision", "recalls"]
    rows = [row_of(report, i, kinds, False, True) for i in range(3)]
    rows[1]["figures"] = dict(rows[0]["figures"])
    return {**report.document, "rows": rows}


def other_sample(seed: int, decimals: int) -> Document:
    """The accuracy of 17 images fewer than the report gives, a quarter of a small set."""
    report, _ = _sound(seed, decimals, matrix=False, models=1, images=60 + seed % 60)
    model = report.models[0]
    part = Model(model.target[17:], model.called[17:], model.score[17:])
    document, row = _first(report)
    row["figures"] = {name: report.style.show(value) for name, value in figures(report, part, ["accuracy", "recalls"])}
    return document


def wrong_f1(seed: int, decimals: int) -> Document:
    """Precision, recall and F1 of one class, the F1 three points too high; no matrix and no counts."""
    report, _ = _sound(seed, decimals, matrix=False, counts=False, size=False, averaging="class", named=True, models=1)
    document = deepcopy(report.document)
    values = dict(figures(report, report.models[0], ["precision", "recall", "f1"]))
    values = {name: value + (0.03 if "f1" in name else 0) for name, value in values.items()}
    document["rows"] = [{"name": "model", "figures": {name: report.style.show(each) for name, each in values.items()}}]
    return document


def exchanged(seed: int, decimals: int) -> Document:
    """Sensitivity and specificity exchanged, beside the accuracy and the counts; the positive class is named."""
    report, _ = _sound(seed, decimals, matrix=False, classes=2, models=1)
    document = deepcopy(report.document)
    values = dict(figures(report, report.models[0], ["accuracy", "clinical"]))
    values["sensitivity"], values["specificity"] = values["specificity"], values["sensitivity"]
    shown = {name: report.style.show(each) for name, each in values.items()}
    return {**document, "positive": report.classes[1], "rows": [{"name": "model", "sample": "test", "figures": shown}]}


def low_auroc(seed: int, decimals: int) -> Document:
    """An AUROC that is 1 to 10 points below what sensitivity and specificity leave."""
    report, generator = _sound(seed, decimals, matrix=False, classes=2, models=1)
    values = dict(figures(report, report.models[0], ["clinical"]))
    values["auroc"] = values["sensitivity"] * values["specificity"] - generator.uniform(0.01, 0.1)
    shown = {name: report.style.show(each) for name, each in values.items()}
    return {**report.document, "rows": [{"name": "model", "sample": "test", "figures": shown}]}


def several_sizes(seed: int, decimals: int) -> Document:
    """Four accuracies of four sets of other sizes, said to be of one set of 100 to 1,000 images."""
    report, generator = _sound(seed, decimals, matrix=False, counts=False, size=False)
    shares = [int(generator.uniform(0.8, 0.99) * n) / n for n in generator.integers(300, 1000, 4)]
    rows = [
        {"name": f"model {i}", "sample": "val", "figures": {"accuracy": report.style.show(s)}}
        for i, s in enumerate(shares)
    ]
    return {"samples": {"val": {"n": [100, 1000]}}, "rows": rows}


def narrow_interval(seed: int, decimals: int) -> Document:
    """An interval of ten times as many images."""
    report, _ = _sound(seed, decimals, matrix=False, models=1)
    accuracy = dict(figures(report, report.models[0], ["accuracy"]))["accuracy"]
    reach = 1.96 * np.sqrt(accuracy * (1 - accuracy) / (10 * len(report.models[0].target)))
    ends = [report.style.show(accuracy - reach), report.style.show(accuracy + reach)]
    shown = {"accuracy": {"value": report.style.show(accuracy), "ci": ends}}
    return {**report.document, "rows": [{"name": "model", "sample": "test", "figures": shown}]}


def wrong_cell(seed: int, decimals: int) -> Document:
    """One cell of the matrix ten images too large, with the right counts beside it."""
    report, generator = _sound(seed, decimals, matrix=True)
    document, row = _first(report)
    i, j = generator.integers(len(report.classes), size=2)
    row["matrix"][i][j] += 10
    return document


FAULTS: dict[str, Callable[[int, int], Document]] = {
    each.__name__.replace("_", "-"): each
    for each in (
        other_accuracy,
        mistyped_digit,
        shuffled_matrix,
        wrong_cell,
        class_order,
        swapped_columns,
        shuffled_alone,
        one_class,
        copied_row,
        other_sample,
        several_sizes,
        exchanged,
        wrong_f1,
        low_auroc,
        narrow_interval,
    )
}
"""Name -> from a seed and the decimals of a printed share to a report with that fault."""
