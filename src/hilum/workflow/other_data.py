"""A model on somebody else's data: read, matched, predicted in one pass, after the opening stands in the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hilum.data.cache import CanvasView
from hilum.data.manifest import COLUMNS, Manifest, read_manifest
from hilum.data.patients import patient_keys
from hilum.data.predictions import Predictions
from hilum.data.sources import list_images
from hilum.errors import DataError, UsageError
from hilum.evaluation.ledger import record_opening, record_predictions
from hilum.evaluation.mapping import LabelMapping, map_labels
from hilum.models.weights import file_sha256
from hilum.transforms import Preprocessing
from hilum.workflow.listed import read_listed
from hilum.workflow.record import now
from hilum.workflow.voice import Bar

if TYPE_CHECKING:
    from hilum.models import Classifier, ModelHeader

SPLIT = "other"
PREDICTIONS = f"predictions-{SPLIT}.parquet"


@dataclass(frozen=True)
class OtherData:
    """Images that a model is tried on.

    Args:
        manifest: labels are those of `mapping`, every split is `other`.
        canvases: in the order of the manifest.
        mapping: how their classes and the model's meet.
        rejected: files that could not be used.
        remarks: sentences on what was left out, and why.
    """

    manifest: Manifest
    canvases: CanvasView
    mapping: LabelMapping
    rejected: int
    remarks: tuple[str, ...]


def read_other_data(
    data: Path,
    header: ModelHeader,
    *,
    labels: str,
    wishes: Sequence[str],
    patient_pattern: str | None,
    study_dir: Path | None,
    cache_dir: Path,
    bar: Bar,
) -> OtherData:
    """Reads every image once; those that the model was trained or chosen on are left out.

    Args:
        wishes: see `map_labels`.
        study_dir: the study that the model came from, where it is known.
        cache_dir: where the canvases go.

    Raises:
        DataError: nothing usable.
        UsageError: a label rule or a mapping that does not fit.
    """
    listing = list_images(data, labels)
    mapping = map_labels(list(header.labels), sorted(set(listing.table["label"])), wishes)
    kept = listing.table[listing.table["label"].map(mapping.of_data).notna()].reset_index(drop=True)
    if kept.empty:
        raise UsageError("--map", expected="images of at least one class", found="every class left out with `-=`")
    remarks = list(listing.warnings)
    if len(kept) < len(listing.table):
        remarks.append(f"{len(listing.table) - len(kept):,} images of classes that --map leaves out were not used.")
    table, canvases, rejected = _read(kept, listing.root, header, cache_dir, bar)
    table["label"] = table["label"].map(mapping.of_data)
    table["patient_id"], rule = patient_keys(table, patient_pattern)
    table["view"] = table["view"].where(table["view"].notna(), table["header_view"])
    table["split"] = SPLIT
    known, remark = _known_to_the_model(table, header.fingerprint, study_dir)
    remarks += [remark] if remark else []
    if known.all():
        raise DataError(str(data), expected="images that the model has not seen", found="only those of its own study")
    order = np.flatnonzero(~known)
    table = table[~known].reset_index(drop=True)
    others = [name for name in table if name not in COLUMNS]
    facts = {"labels_rule": labels, "patient_rule": rule, "warnings": remarks}
    manifest = Manifest(table[[*COLUMNS, *others]], mapping.labels, listing.root, facts)
    return OtherData(manifest, CanvasView(canvases.canvases, canvases.rows[order]), mapping, rejected, tuple(remarks))


def _read(
    listed: pd.DataFrame, root: Path, header: ModelHeader, cache_dir: Path, bar: Bar
) -> tuple[pd.DataFrame, CanvasView, int]:
    """Rows of the files that can be read, and their canvases."""
    rows, bad, cache = read_listed(listed, root, Preprocessing(**header.preprocessing), cache_dir, bar)
    table = rows.drop(columns=["code", "reason"]).reset_index(drop=True)
    return table, cache.of(table), len(bad)


def _known_to_the_model(table: pd.DataFrame, fingerprint: str, study_dir: Path | None) -> tuple[np.ndarray, str]:
    """bool `[N]`: images of which the file or the very picture was used to train or choose the model; and a remark.

    Args:
        fingerprint: of the manifest that the model was trained with.
    """
    nothing = np.zeros(len(table), bool)
    if study_dir is None:
        return nothing, "The study of the model is not here: whether it was trained on some of these images is unknown."
    manifest = read_manifest(study_dir / "manifest.parquet")
    own, remarks = manifest.table, list[str]()
    if manifest.fingerprint != fingerprint:  # of a fold, or the study was split anew since
        remarks.append(
            "The model was trained on another split than the one that lies in its study now: images that it was "
            "trained on may be among these."
        )
    used = own[own["split"].isin(("train", "val"))]
    known = nothing
    for column in ("sha256", "pixels_sha256"):
        if column in own and column in table:
            known = known | table[column].isin(set(used[column].dropna()) - {""}).to_numpy()
    if known.any():
        remarks.append(f"{int(known.sum()):,} images that the model was trained or chosen on were left out.")
    return known, " ".join(remarks)


def study_of(model: Path) -> Path | None:
    """The folder of the study, or of `hilum train`, that a model file lies in; None where it lies elsewhere."""
    above = model.resolve().parents[1:3]  # runs of folds lie one deeper
    own = ("manifest.json", "manifest.parquet")
    return next((place for place in above if all((place / name).exists() for name in own)), None)


def views_named(names: Sequence[str], header: ModelHeader) -> Sequence[Any]:
    """The views of a test-time augmentation policy: one of the recipe's own candidates by name, or built-in views.

    Raises:
        UsageError: a name that neither the recipe nor hilum knows.
    """
    from hilum.transforms.tta import BUILT_IN

    own = {policy["name"]: policy["views"] for policy in header.recipe.get("tta_candidates", ())}
    if len(names) == 1 and names[0] in own:
        return own[names[0]]
    unknown = [name for name in names if name not in BUILT_IN]
    if unknown:
        raise UsageError("--tta", expected=f"some of {', '.join([*BUILT_IN, *own])}", found=unknown[0])
    return list(names)


def predict_other(
    model: Classifier,
    header: ModelHeader,
    path: Path,
    data: OtherData,
    out: Path,
    *,
    study_dir: Path | None,
    views: Sequence[Any] | None,
    device: str,
    reason: str,
) -> Predictions:
    """Writes the opening into the study's ledger, then predicts, and writes `predictions-other.parquet`.

    Args:
        path: the model file.
        views: of test-time augmentation; None takes those of the model file.
    """
    from hilum.inference.device import choose_device
    from hilum.inference.predict import predict_logits

    sha256, opening = file_sha256(path), None
    if study_dir is not None:
        test = read_manifest(study_dir / "manifest.parquet").split("test")
        is_test = set(data.manifest.table["sha256"]) & set(test["sha256"])
        opening = record_opening(
            study_dir,
            run=path.resolve().parent.relative_to(study_dir).as_posix(),
            recipe=str(header.recipe.get("name", "")),
            model_sha256=sha256,
            predictions=f"{out.name}/{PREDICTIONS}",
            images=len(data.manifest),
            reason=reason,
            split="test" if is_test else SPLIT,
        )
    chosen, seed = views or header.extras.get("tta", ("plain",)), header.extras.get("tta_seed", 0)
    temperature = float(header.extras.get("temperature", 1.0))
    engine: list[str] = []
    logits = predict_logits(
        model, data.canvases, Preprocessing(**header.preprocessing), views=chosen, view_seed=seed,
        device=choose_device(device), on_engine=engine.append,
    )  # fmt: skip
    about = {
        "model": path.name,
        "model_sha256": sha256,
        "manifest": data.manifest.fingerprint,
        "tta": [view if isinstance(view, str) else getattr(view, "name", view) for view in chosen],
        "temperature": 1.0 if data.mapping.merges_outputs else temperature,
        "engine": engine[0],
        "made": now(),
    }
    rows, merged = data.manifest.table, data.mapping.logits(logits / temperature)
    predictions = Predictions.of(rows, merged, data.manifest.labels, **about)
    predictions.write(out / PREDICTIONS)
    if study_dir is not None and opening is not None:
        record_predictions(study_dir, opening, file_sha256(out / PREDICTIONS))
    return predictions
