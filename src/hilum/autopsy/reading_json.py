"""A report as JSON: flat, or with samples and rows; and hilum's own `metrics.json`."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from hilum.autopsy.building import finish, known_figures, make_figure, make_matrix, make_sample
from hilum.autopsy.names import understand_sample
from hilum.autopsy.values import Figure, Matrix, Report, Row, Sample
from hilum.errors import DataError

MATRIX = ("matrix", "confusion", "confusion_matrix", "confusion matrix")
ABOUT = ("name", "report", "source", "comment", "schema")
SHARED = ("classes", "positive", "binary", "samples", "rows", "models")
OF_ROW = (*MATRIX, "rows_are", "figures", "sample", "set", "n", "counts", "averaged", "name", "comment")
EVALUATION = "hilum.evaluation/1"


def read_json(text: str, name: str) -> Report:
    """A report from JSON text.

    Raises:
        DataError: no JSON, or a key or value that cannot be used.
    """
    try:
        document = json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        raise DataError(f"autopsy: {name}", expected="JSON", found=f"{error}"[:120]) from None
    if not isinstance(document, Mapping):
        raise DataError(f"autopsy: {name}", expected="a JSON object", found=type(document).__name__)
    return report_of(document, name)


def report_of(document: Mapping[str, Any], name: str) -> Report:
    """A report from a mapping, as `docs/autopsy.md` describes it.

    Raises:
        DataError: a key or value that cannot be used.
    """
    if document and all(isinstance(each, Mapping) and each.get("schema") == EVALUATION for each in document.values()):
        return evaluations_of({name: document})
    classes, counts = _classes(document.get("classes", ()))
    samples = _samples(document.get("samples", {}), classes)
    if counts:
        samples.setdefault("", make_sample(counts))
    listed = document.get("rows", document.get("models", ()))
    if not isinstance(listed, (list, tuple)) or not all(isinstance(each, Mapping) for each in listed):
        raise DataError(f"autopsy: {name}: rows", expected="a list of objects", found=type(listed).__name__)
    own = {key: value for key, value in document.items() if key not in SHARED and key not in ABOUT}
    rows = [_row(each, classes, samples) for each in (*([own] if own else []), *listed)]
    return finish(
        str(document.get("name", name)),
        classes,
        samples,
        rows,
        positive=str(document.get("positive", "")),
        binary=document.get("binary") is True,
    )


def _classes(given: Any) -> tuple[tuple[str, ...], tuple[Any, ...]]:
    if isinstance(given, Mapping):
        return tuple(map(str, given)), tuple(given.values())
    if isinstance(given, (list, tuple)):
        return tuple(map(str, given)), ()
    raise DataError("autopsy: classes", expected="a list of names, or names with counts", found=str(given)[:40])


def _samples(given: Any, classes: tuple[str, ...]) -> dict[str, Sample]:
    if not isinstance(given, Mapping):
        raise DataError("autopsy: samples", expected="names with sizes", found=str(given)[:40])
    return {understand_sample(str(key)): _sample(value, classes) for key, value in given.items()}


def _sample(given: Any, classes: tuple[str, ...]) -> Sample:
    """A size, `[low, high]` under `n`, a list of counts, or counts by class."""
    if isinstance(given, Mapping):
        if set(given) <= {"n", "counts"}:
            return _sample(given["counts"], classes) if given.get("counts") else _size(given.get("n"))
        if classes and set(given) != set(classes):
            found = ", ".join(map(str, given))
            raise DataError("autopsy: counts", expected=f"the classes {', '.join(classes)}", found=found)
        return make_sample([given[each] for each in classes or given])
    return make_sample(given) if isinstance(given, (list, tuple)) else make_sample([given])


def _size(given: Any) -> Sample:
    return make_sample(given, span=True) if isinstance(given, (list, tuple)) else make_sample([given])


def _row(document: Mapping[str, Any], classes: tuple[str, ...], samples: dict[str, Sample]) -> Row:
    sample = understand_sample(str(document.get("sample", document.get("set", ""))))
    name = str(document.get("name", ""))
    if document.get("counts"):
        samples[sample] = _sample(document["counts"], classes)
    elif document.get("n") is not None:
        samples[sample] = (
            make_sample(document["n"]) if isinstance(document["n"], (list, tuple)) else make_sample([document["n"]])
        )
    given = document.get("figures", {})
    if not isinstance(given, Mapping):
        raise DataError(
            f"autopsy: {name or 'figures'}", expected="figures as names with numbers", found=str(given)[:40]
        )
    loose = {key: value for key, value in document.items() if key not in OF_ROW}
    figures = [figure for key, value in {**given, **loose}.items() for figure in _figures(key, value, classes, sample)]
    cells = next((document[key] for key in MATRIX if document.get(key) is not None), None)
    matrix: Matrix | None = None if cells is None else make_matrix(cells)
    rows_are = str(document.get("rows_are", ""))
    if rows_are not in ("", "true", "predicted"):
        raise DataError("autopsy: rows_are", expected="true or predicted", found=rows_are[:40])
    return Row(name, tuple(figures), matrix, sample, rows_are, bool(document.get("averaged", False)))


def _figures(key: str, value: Any, classes: tuple[str, ...], sample: str) -> list[Figure]:
    """One figure, or one for each value where a report prints it more than once."""
    found = [
        make_figure(key, each, classes, sample) for each in (value if isinstance(value, (list, tuple)) else [value])
    ]
    if None in found:
        near = difflib.get_close_matches(key.casefold(), [*OF_ROW, *SHARED, *known_figures().split(", ")], n=1)
        way_out = f"Did you mean `{near[0]}`?" if near else ""
        raise DataError(
            "autopsy: key", expected=f"a class or one of {known_figures()}", found=key[:40], way_out=way_out
        )
    return [each for each in found if each]


def evaluations_of(documents: Mapping[str, Mapping[str, Any]]) -> Report:
    """A report from hilum's own `metrics.json` files, by run: each split is a row."""
    rows, classes, positive = [], (), ""
    samples: dict[str, Sample] = {}
    for run, document in documents.items():
        for split, each in document.items():
            classes, positive = tuple(each["labels"]), each.get("positive") or ""
            matrix = make_matrix(each["confusion"])
            samples.setdefault(split, make_sample([sum(row) for row in matrix]))
            rows.append(Row(run, tuple(_evaluated(each, split)), matrix, split, "true"))
    return finish(", ".join(documents), classes, samples, rows, positive=positive)


def _evaluated(document: Mapping[str, Any], split: str) -> list[Figure]:
    labels = tuple(document["labels"])
    over = document.get("positive") or "macro"
    given = {
        key: value["value"] for key, value in document["overall"].items() if value and value.get("value") is not None
    }
    names = {key: f"{key} {over}" for key in ("sensitivity", "specificity", "ppv", "npv", "f1")}
    wanted = [
        (names.get(key, key), given[key])
        for key in ("accuracy", "balanced_accuracy", "kappa", "auroc", *names)
        if key in given
    ]
    for each in document["per_class"]:
        wanted += [
            (f"{key} {each['label']}", each[key]["value"])
            for key in names
            if each.get(key) and each[key]["value"] is not None
        ]
    made = [make_figure(name, value, labels, split) for name, value in wanted]
    return [figure for figure in made if figure]
