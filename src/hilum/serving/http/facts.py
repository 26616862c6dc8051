"""What is known of a model, for those who read its answers: figures on images that it had not seen, and its limits."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hilum.evaluation.values import Evaluation, read_evaluations, without_nan
from hilum.serving.prediction import NOT_FOR
from hilum.serving.predictor import Predictor

FIGURES = {
    "balanced_accuracy": "balanced accuracy",
    "auroc": "area under the ROC curve",
    "accuracy": "accuracy",
    "ece": "calibration error",
}


def describe_model(predictor: Predictor) -> dict[str, Any]:
    """JSON values: classes, what is known of the training data, figures with intervals, limits in words.

    Figures are those of `metrics.json` beside the model file, where a study wrote it: of the test split if it was
    opened, else of validation.
    """
    header, path = predictor.header, predictor.opened.path
    evaluation = _evaluation(path, predictor.labels)
    return {
        "labels": list(predictor.labels),
        "architecture": str(header.architecture.get("name", "")),
        "sha256": header.sha256,
        "explains": predictor.model is not None,
        "refuses_strangers": predictor.gate is not None,
        "operating_points": [
            {name: point.get(name) for name in ("name", "label", "threshold", "sentence")}
            for point in header.extras.get("operating_points", ())
        ],
        "figures": _figures(evaluation),
        "limits": _limits(predictor, evaluation),
        "not_for": NOT_FOR,
    }


def _evaluation(path: Path, labels: tuple[str, ...]) -> Evaluation | None:
    try:
        found = read_evaluations(path.parent / "metrics.json")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    evaluation = found.get("test") or found.get("val")
    return evaluation if evaluation is not None and tuple(evaluation.labels) == labels else None


def _figures(evaluation: Evaluation | None) -> dict[str, Any] | None:
    if evaluation is None:
        return None
    found = [
        {"name": words, "value": each.value, "ci_low": each.ci_low, "ci_high": each.ci_high}
        for name, words in FIGURES.items()
        if (each := evaluation.overall.get(name)) is not None and each.value == each.value
    ]
    classes = [
        {"label": label, "found": int(row[position]), "of": int(sum(row))}
        for position, (label, row) in enumerate(zip(evaluation.labels, evaluation.confusion, strict=True))
    ]
    about = {"split": evaluation.split, "images": evaluation.images, "patients": evaluation.patients}
    return dict(without_nan({**about, "overall": found, "classes": classes}))


def _limits(predictor: Predictor, evaluation: Evaluation | None) -> list[str]:
    known = ", ".join(predictor.labels)
    said = [f"It knows {known} and nothing else: whatever it is shown, it divides among these."]
    said += _training_limits(predictor.header.extras.get("training_data"))
    if evaluation is None:
        said.append("No figures lie beside its file: how often it is right is not known here.")
    elif evaluation.split != "test":
        said.append("Its figures are of the validation images on which it was chosen; on others expect less.")
    else:
        said.append("Its figures hold for patients and machines like those of its test images; elsewhere measure anew.")
    if predictor.gate is None:
        said.append("It has no gate: pictures that are no chest X-rays are refused by their DICOM header only.")
    return said + _findings(predictor.opened.path)


def _training_limits(data: object) -> list[str]:
    if not isinstance(data, Mapping) or not isinstance(data.get("counts"), Mapping):
        return []
    counts = {str(label): int(count) for label, count in data["counts"].items()}
    each = ", ".join(f"{count:,} {label}" for label, count in counts.items())
    patients = f" of {int(data['patients']):,} patients" if data.get("patients") else ""
    return [f"It learned from {sum(counts.values()):,} images{patients} ({each})."]


def _findings(model: Path) -> list[str]:
    """What the study's guards say against the run that the file lies in."""
    try:
        document = json.loads((model.parent.parent / "guards.json").read_text(encoding="utf-8"))
        return [str(each["sentence"]) for each in document["findings"] if each["run"] in ("", model.parent.name)]
    except (OSError, ValueError, KeyError, TypeError):
        return []
