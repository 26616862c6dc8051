"""Anomalies in a study: scores of each detector, what they come to, pictures, and the files that hold it all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hilum.data.cache import CanvasCache
from hilum.data.manifest import Manifest
from hilum.errors import DataError, UsageError
from hilum.evaluation.ledger import record_opening, record_predictions
from hilum.evaluation.values import without_nan
from hilum.inspection.anomaly import (
    TITLES,
    Assessment,
    Scores,
    assess,
    fit_detectors,
    pair_up,
    score_all,
)
from hilum.inspection.anomaly.assess import SCHEMA
from hilum.labels import is_normal
from hilum.models.weights import file_sha256
from hilum.version import __version__
from hilum.workflow.record import now, write_json

if TYPE_CHECKING:
    from hilum.models import Classifier
    from hilum.transforms import Preprocessing

DOCUMENT, SCORES = "anomaly.json", "scores.parquet"
RATE = 0.05
AUTOENCODER_RULES: Mapping[str, tuple[str, ...]] = {
    "error": ("error",),
    "density": ("density",),
    "error-or-density": ("error", "density"),
}
MOST_PATCHED = 400
"""Normal training images whose patches are looked at for the memory."""


@dataclass(frozen=True)
class Detection:
    """What detectors came to.

    Args:
        folder: where `anomaly.json`, `scores.parquet` and the pictures lie.
        assessments: one a detector or rule.
        document: what `anomaly.json` holds.
    """

    folder: Path
    assessments: tuple[Assessment, ...]
    document: Mapping[str, Any] = field(repr=False)

    @property
    def headline(self) -> str:
        """One sentence: the best detector on validation, and on test where it was opened."""
        return describe_detection(self.assessments, self.document)

    def _repr_html_(self) -> str:
        import html

        return f"<p>{html.escape(self.headline)}</p><p><code>{html.escape(str(self.folder))}</code></p>"


def normal_class(manifest: Manifest, name: str = "") -> str:
    """The class that is normal: the one that is named, else the one whose name says so.

    Raises:
        UsageError: no such class, or none whose name says that nothing was found.
    """
    if name:
        if name not in manifest.labels.names:
            raise UsageError("normal class", expected=f"one of {', '.join(manifest.labels)}", found=name)
        return name
    found = [each for each in manifest.labels if is_normal(each)]
    if not found:
        raise UsageError(
            "normal class",
            expected="a class called normal, healthy or the like",
            found=", ".join(manifest.labels),
            way_out="Name it with --normal, or in the recipe as anomaly.normal.",
        )
    return found[0]


def embedding_scores(table: pd.DataFrame, matrix: np.ndarray, normal: str, **about: Any) -> Scores:
    """Every embedding detector, fitted on the normal training images, of every other image.

    Args:
        table: rows with `image_path`, `patient_id`, `split`, `label`.
        matrix: their embeddings `[N, D]`.

    Raises:
        DataError: no normal training image among them.
    """
    train = (table["split"] == "train").to_numpy()
    fitted = fit_detectors(_some(matrix[train & (table["label"] == normal).to_numpy()]))
    return Scores.of_rows(table[~train], score_all(fitted, matrix[~train]), normal, **about)


def patch_scores(
    model: Classifier,
    preprocessing: Preprocessing,
    manifest: Manifest,
    cache: CanvasCache,
    rows: pd.DataFrame,
    normal: str,
    *,
    seed: int = 0,
    device: Any = None,
) -> Scores:
    """Distance of each image's strangest patch from the patches of normal training images.

    Args:
        rows: the images to be scored.
    """
    from hilum.inspection.anomaly import PatchMemory
    from hilum.inspection.anomaly.features import PatchView, patches_of, score_patches

    train = manifest.split("train")
    train = train[train["label"] == normal]
    some = train.iloc[np.sort(np.random.default_rng([seed, 17]).permutation(len(train))[:MOST_PATCHED])]
    view = PatchView(model.to(device) if device is not None else model)
    memory = PatchMemory.fit(patches_of(view, cache.of(some), preprocessing, device=device), seed=seed)
    found = score_patches(memory, view, cache.of(rows), preprocessing, device=device)
    return Scores.of_rows(rows, {"patches": found}, normal)


def conclude(
    folder: Path,
    scores: Scores,
    *,
    rate: float,
    splits: Sequence[str],
    about: Mapping[str, Any],
    seed: int = 0,
    replicates: int = 1000,
) -> Detection:
    """Assesses scores and writes `anomaly.json` and `scores.parquet` into a folder.

    Args:
        splits: of which figures are wanted: `val`, and `test` where it is open.
        about: JSON values that go into the document: where the scores come from, what to know of them.
    """
    assessments = assess(scores, rules_of(scores), rate=rate, splits=splits, seed=seed, replicates=replicates)
    kept = scores.among(scores.table["split"].isin(splits).to_numpy())
    kept.write(folder / SCORES)
    pairs = {split: pair_up(scores, assessments, split, seed=seed, replicates=replicates) for split in splits}
    document = {
        "schema": SCHEMA,
        "hilum": __version__,
        "made": now(),
        "normal": scores.normal,
        "rate": rate,
        "seed": seed,
        "replicates": replicates,
        "scores": SCORES,
        "scores_sha256": file_sha256(folder / SCORES),
        "titles": {each.name: TITLES.get(each.name, each.name) for each in assessments},
        "detectors": [each.to_json() for each in assessments],
        "pairs": {split: [asdict(pair) for pair in found] for split, found in pairs.items()},
        **about,
    }
    write_json(folder / DOCUMENT, without_nan(document))
    return Detection(folder, assessments, document)


def rules_of(scores: Scores) -> dict[str, tuple[str, ...]]:
    """Each score by itself, and the autoencoder's two together where both are there."""
    rules: dict[str, tuple[str, ...]] = {name: (name,) for name in scores.names}
    if {"error", "density"} <= set(scores.names):
        others = {name: parts for name, parts in rules.items() if name not in AUTOENCODER_RULES}
        rules = {**AUTOENCODER_RULES, **others}
    return rules


def record_scoring(study_dir: Path, run: str, recipe: str, model: Path, scores: Path, images: int, reason: str) -> Any:
    """Writes into the study's ledger that anomaly scores of the test split are about to be made."""
    return record_opening(
        study_dir,
        run=run,
        recipe=recipe,
        model_sha256=file_sha256(model),
        predictions=scores.relative_to(study_dir).as_posix() if scores.is_relative_to(study_dir) else str(scores.name),
        images=images,
        reason=reason,
    )


def record_scores(study_dir: Path, opening: Any, scores: Path) -> None:
    """Adds the digest of the scores that an opening led to."""
    record_predictions(study_dir, opening, file_sha256(scores))


def describe_detection(assessments: Sequence[Assessment], document: Mapping[str, Any]) -> str:
    """One sentence on the detector that ranks validation best."""
    defined = [each for each in assessments if "val" in each.splits and np.isfinite(each.splits["val"].auroc.value)]
    if not defined:
        return "No abnormal validation image: there are thresholds, but nothing says what they find."
    best = max(defined, key=lambda each: each.splits["val"].auroc.value)
    split = "test" if "test" in best.splits and np.isfinite(best.splits["test"].auroc.value) else "val"
    figures = best.splits[split]
    where = {"val": "validation", "test": "test"}[split]
    opened = "" if split == "test" else "; the test split was not opened"
    parts = [
        f"{words} {each.value:.3f} [{each.ci_low:.3f}, {each.ci_high:.3f}]"
        for words, each in (
            ("AUROC", figures.auroc),
            ("sensitivity", figures.sensitivity),
            ("false alarms", figures.false_alarms),
        )
    ]
    title = TITLES.get(best.name, best.name)
    return f"{title} on {sum(figures.images.values()):,} {where} images: {', '.join(parts)}{opened}."


def _some(normal: np.ndarray) -> np.ndarray:
    if len(normal) < 2:
        raise DataError("normal training images", expected="at least 2", found=str(len(normal)))
    return normal
