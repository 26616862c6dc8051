"""`hilum evaluate`: a model on somebody else's data, from the files to the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hilum.data.manifest import Manifest
from hilum.data.predictions import Predictions
from hilum.data.sources import list_images
from hilum.data.splits import connected_groups, draw_groups
from hilum.errors import UsageError
from hilum.evaluation import Evaluation, evaluate, write_evaluations
from hilum.evaluation.calibration import fit_temperature_and_offsets
from hilum.evaluation.shift import find_shift, picture_figures, shift_to_json, spread_positions
from hilum.evaluation.thresholds import (
    OperatingPoint,
    PointFigures,
    apply_point,
    describe_points,
    fit_points,
    predictive_values,
)
from hilum.evaluation.values import without_nan
from hilum.models.weights import file_sha256
from hilum.version import __version__
from hilum.workflow.other_data import (
    PREDICTIONS,
    SPLIT,
    OtherData,
    predict_other,
    read_other_data,
    study_of,
    views_named,
)
from hilum.workflow.record import now, write_json
from hilum.workflow.seal import SEAL, sealed
from hilum.workflow.supplement import renew_study
from hilum.workflow.voice import Silent, Voice

SCHEMA = "hilum.other-data/1"
FEWEST_TO_RECALIBRATE = 20


@dataclass(frozen=True)
class Trial:
    """What a model came to on other data.

    Args:
        folder: where `predictions-other.parquet`, `metrics.json`, `evaluation.json` and `report.html` lie.
        evaluation: figures with intervals, of the most probable class.
        document: what `evaluation.json` holds: operating points, shift, recalibration, remarks.
        manifest: the images.
        rejected: files that could not be used.
        report: the page.
    """

    folder: Path
    evaluation: Evaluation
    document: dict[str, Any]
    manifest: Manifest
    rejected: int
    report: Path

    def _repr_html_(self) -> str:
        from hilum.report.evaluation_page import describe_trial

        return f"<p>{describe_trial(self.evaluation)}</p><p><code>{self.report}</code></p>"


@dataclass(frozen=True)
class TrialOptions:
    """The arguments of `hilum.evaluate`, see there."""

    labels: str = "folders"
    mapping: Sequence[str] = ()
    tta: Sequence[str] = ()
    prevalence: float | None = None
    recalibrate: float | None = None
    patient_pattern: str | None = None
    out: Path | None = None
    device: str = "auto"
    seed: int = 0
    replicates: int = 1000
    reason: str = "hilum evaluate"

    def __post_init__(self) -> None:
        for name, value in (("--prevalence", self.prevalence), ("--recalibrate", self.recalibrate)):
            if value is not None and not 0 < value < 1:
                raise UsageError(name, expected="a share above 0 and below 1, such as 0.05", found=f"{value:g}")
        if self.replicates < 2:
            raise UsageError("--replicates", expected="at least 2", found=str(self.replicates))
        if self.seed < 0:
            raise UsageError("--seed", expected="a whole number from 0", found=str(self.seed))


def evaluate_on(model: Path, data: Path, options: TrialOptions, voice: Voice | None = None) -> Trial:
    """Evaluates a model file on a data root and writes the result into a folder.

    Raises:
        HilumError: no model file, no usable data, a mapping or an option that does not fit.
    """
    from hilum.models import load_model
    from hilum.report.evaluation_page import write_evaluation_page

    voice = voice or Silent()
    network, header = load_model(model)
    study_dir = study_of(model)
    views = views_named(options.tta, header) if options.tta else None
    list_images(data, options.labels)  # before anything is written: a mistyped path leaves no folder behind
    out = options.out or Path("runs") / f"{_name_of(model, study_dir)}-on-{data.resolve().stem}"
    out.mkdir(parents=True, exist_ok=True)
    with sealed(out, "hilum evaluate"):
        with voice.stage("data") as bar:
            found = read_other_data(
                data, header, labels=options.labels, wishes=options.mapping, patient_pattern=options.patient_pattern,
                study_dir=study_dir, cache_dir=out / "cache", bar=bar,
            )  # fmt: skip
        for remark in found.remarks:
            voice.warn(remark)
        found.manifest.write(out / "manifest.parquet")
        with voice.stage("prediction"):
            predictions = predict_other(
                network, header, model, found, out, study_dir=study_dir, views=views, device=options.device,
                reason=f"{options.reason} {data.name}",
            )  # fmt: skip
        with voice.stage("evaluation"):
            source = {"predictions": PREDICTIONS, "predictions_sha256": file_sha256(out / PREDICTIONS)}
            evaluation = evaluate(predictions, seed=options.seed, replicates=options.replicates, source=source)
            write_evaluations(out / "metrics.json", {SPLIT: evaluation})
            document = _document(found, header.extras, predictions, data, model, options)
            write_json(out / "evaluation.json", document)
        with voice.stage("page"):
            page = write_evaluation_page(out)
            if study_dir is not None:
                renew_study(study_dir, "hilum evaluate")
        return Trial(out, evaluation, document, found.manifest, found.rejected, page)


def _name_of(model: Path, study_dir: Path | None) -> str:
    """Names study and run, so that runs of one recipe in two studies, or on two folds, do not share a folder."""
    run = model.resolve().parent
    return run.name if study_dir is None else "-".join([study_dir.name, *run.relative_to(study_dir).parts])


def _document(
    data: OtherData, extras: Any, predictions: Predictions, root: Path, model: Path, options: TrialOptions
) -> dict[str, Any]:
    points = [OperatingPoint.from_json(each) for each in extras.get("operating_points", ())]
    usable = [point for point in points if point.label in data.mapping.labels.names and _same_scores(data, point.label)]
    training = extras.get("training_data", {})
    pictures = data.canvases[spread_positions(len(data.canvases))]
    document = {
        "schema": SCHEMA,
        "hilum": __version__,
        "made": now(),
        "name": root.resolve().stem,
        "model": model.name,
        "seal": SEAL,
        "mapping": dict(data.mapping.of_data),
        "remarks": list(data.remarks),
        "points": points_at(usable, predictions, options.prevalence),
        "prevalence": options.prevalence,
        "training_counts": training.get("counts", {}),
        "counts": data.manifest.table["label"].value_counts().to_dict(),
        "shift": shift_to_json(find_shift(training.get("pictures", {}), picture_figures(pictures))),
        "recalibration": recalibrate(predictions, options) if options.recalibrate else None,
    }
    return without_nan(document)


def _same_scores(data: OtherData, label: str) -> bool:
    """Whether the probability of a class is still that of one output."""
    return len(data.mapping.columns[data.mapping.labels.index(label)]) == 1


def points_at(
    points: Sequence[OperatingPoint], predictions: Predictions, prevalence: float | None
) -> list[dict[str, Any]]:
    """What operating points give on predictions; with a prevalence, PPV and NPV there too."""
    found = [apply_point(point, predictions) for point in points]
    described = describe_points(found)
    return [{**each, **_at(figures, prevalence)} for each, figures in zip(described, found, strict=True)]


def _at(figures: PointFigures, prevalence: float | None) -> dict[str, Any]:
    sentence = {"sentence": figures.point.sentence}
    if prevalence is None:
        return sentence
    ppv, npv = predictive_values(figures.sensitivity, figures.specificity, prevalence)
    return {**sentence, "at_prevalence": {"ppv": asdict(ppv), "npv": asdict(npv)}}


def recalibrate(predictions: Predictions, options: TrialOptions) -> dict[str, Any]:
    """Temperature, offsets and operating points fitted on some patients, and what they give on the others."""
    table = predictions.table
    groups = connected_groups(table["patient_id"])
    drawn = draw_groups(predictions.target, groups, float(options.recalibrate or 0), options.seed)
    fitted, rest = _part(predictions, drawn), _part(predictions, ~drawn)
    if len(fitted) < FEWEST_TO_RECALIBRATE or len(rest) < FEWEST_TO_RECALIBRATE:
        raise UsageError(
            "--recalibrate",
            expected=f"at least {FEWEST_TO_RECALIBRATE} images on either side",
            found=f"{len(fitted)} and {len(rest)}",
        )
    found = fit_temperature_and_offsets(fitted.logits, fitted.target)
    after = rest.with_logits(found(rest.logits))
    points = fit_points(fitted.with_logits(found(fitted.logits)).probs, fitted.target, predictions.labels)
    before, calibrated = (evaluate(each, seed=options.seed, replicates=options.replicates) for each in (rest, after))
    return {
        "fraction": options.recalibrate,
        "temperature": found.temperature,
        "offsets": dict(zip(predictions.labels, found.offsets, strict=True)),
        "fitted_on": {"images": len(fitted), "patients": int(fitted.table["patient_id"].nunique())},
        "left": {"images": len(rest), "patients": int(rest.table["patient_id"].nunique())},
        "before": {name: asdict(each) for name, each in before.overall.items()},
        "after": {name: asdict(each) for name, each in calibrated.overall.items()},
        "points": points_at(points, after, options.prevalence),
    }


def _part(predictions: Predictions, rows: np.ndarray) -> Predictions:
    return Predictions(predictions.table[rows].reset_index(drop=True), predictions.labels, predictions.about)
