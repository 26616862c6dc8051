"""The part of a study that looks for anomalies: normal images against the others, as the chosen run sees them.

Detectors on embeddings come first; they are quick. Patches, and an autoencoder on small pictures, follow where the time
allows, and the document says what was left out.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hilum.data.build import open_cache
from hilum.data.cache import CanvasCache, CanvasView
from hilum.errors import DataError, HilumError, UsageError
from hilum.inspection.anomaly import Scores
from hilum.models.modelfile import weights_sha256
from hilum.models.weights import file_sha256
from hilum.transforms import Preprocessing
from hilum.workflow.anomaly import (
    DOCUMENT,
    RATE,
    SCORES,
    conclude,
    embedding_scores,
    normal_class,
    patch_scores,
    record_scores,
    record_scoring,
)
from hilum.workflow.autoencoder import Redrawer, density_of, draw_pictures
from hilum.workflow.inspect import InspectionContext
from hilum.workflow.inspect_embeddings import embeddings_of
from hilum.workflow.record import digest_of, read_json, write_json

if TYPE_CHECKING:
    from hilum.inspection.embeddings import Embeddings
    from hilum.models import ModelHeader

NAME, VERSION = "anomaly", 1
SIDE, WIDTHS, LATENT = 64, (16, 32, 64), 32
"""Of the small autoencoder, when a study has seconds and not minutes for it."""
EPOCHS, FEWEST_EPOCHS = 10, 3
PROBED = 16
"""Images whose time tells what all would take."""


def find_anomalies(context: InspectionContext) -> None:
    """Writes `anomaly.json`, `scores.parquet` and pictures into the run's folder `inspection/anomaly/`.

    What was written earlier for the same weights, images and splits stays.
    """
    began, folder = time.monotonic(), context.folder(NAME)
    model_path = context.study_dir / context.run / "model.safetensors"
    splits = ("val", "test") if context.test_opened else ("val",)
    options = context.options
    key = digest_of(
        VERSION, weights_sha256(model_path), context.manifest.fingerprint, splits, options.seed, options.replicates
    )
    if (read_json(folder / DOCUMENT) or {}).get("key") == key and (folder / SCORES).exists():
        return
    try:
        normal = normal_class(context.manifest)
    except UsageError as error:
        write_json(folder / DOCUMENT, {"skipped": str(error)})
        return
    _check_threshold(context, normal)
    opening = None
    if context.test_opened:
        images = len(context.manifest.split("test"))
        reason = "anomaly detectors on the chosen run"
        opening = record_scoring(
            context.study_dir, context.run, "anomaly detectors", model_path, folder / SCORES, images, reason
        )
    embeddings = embeddings_of(context, ("train", *splits))
    looked = _Looked(context, normal, folder, began + context.seconds, embeddings)
    scores = embedding_scores(embeddings.table, embeddings.matrix, normal, model=context.run)
    scores = looked.with_patches(scores)
    scores = looked.with_autoencoder(scores)
    conclude(
        folder, scores, rate=RATE, splits=splits, about={"key": key, **looked.about(model_path)}, seed=options.seed,
        replicates=options.replicates,
    )  # fmt: skip
    if opening is not None:
        record_scores(context.study_dir, opening, folder / SCORES)


def _check_threshold(context: InspectionContext, normal: str) -> None:
    """Before the test split is opened: a threshold that cannot be set has no test figure.

    Raises:
        DataError: too few normal validation images.
    """
    known = embeddings_of(context, ("train", "val")).table
    found = int(((known["split"] == "val") & (known["label"] == normal)).sum())
    needed = math.ceil(1 / RATE) - 1
    if found < needed:
        raise DataError(
            f"threshold at {RATE:.0%} false alarms",
            expected=f"at least {needed} {normal} validation images",
            found=str(found),
        )


@dataclass
class _Looked:
    """What is added to the scores as far as the time goes, and what is to be said of it."""

    context: InspectionContext
    normal: str
    folder: Path
    ends: float
    embeddings: Embeddings

    def __post_init__(self) -> None:
        from hilum.inference.device import choose_device
        from hilum.models import load_model

        self.remarks: list[str] = []
        self.pictures: list[dict[str, Any]] = []
        self.autoencoder: dict[str, Any] | None = None
        self.device = choose_device(self.context.options.device)
        self.model, self.header = load_model(self.context.study_dir / self.context.run / "model.safetensors")
        self.preprocessing = Preprocessing(**self.header.preprocessing)
        manifest = self.context.manifest
        self.cache: CanvasCache = open_cache(manifest, self.preprocessing, self.context.study_dir / "cache")
        have = set(self.embeddings.table["image_path"])
        self.rows = manifest.table[manifest.table["image_path"].isin(have)]
        for split, (some, whole) in self.embeddings.about["images"].items():
            if some < whole:
                self.remarks.append(f"{some:,} of the {whole:,} {split} images were looked at, drawn by the seed.")

    @property
    def left(self) -> float:
        return self.ends - time.monotonic()

    def with_patches(self, scores: Scores) -> Scores:
        """The scores and, where a third of the time that is left suffices, those of patches."""
        from hilum.inference import embed_images

        train = self._normal_rows("train")
        scored = self.rows[self.rows["split"] != "train"]
        probe = np.ascontiguousarray(self.cache.of(train)[:PROBED][..., ::-1])  # mirrored: nobody remembers those
        began = time.monotonic()
        embed_images(self.model, probe, self.preprocessing, device=self.device)
        each = (time.monotonic() - began) / PROBED
        if 1.6 * each * (len(scored) + min(len(train), 400)) > self.left / 2:
            self.remarks.append("The memory of patches was left out: the time did not allow it.")
            return scores
        try:
            found = patch_scores(
                self.model, self.preprocessing, self.context.manifest, self.cache, scored, self.normal,
                seed=self.context.options.seed, device=self.device,
            )  # fmt: skip
        except HilumError as error:
            self.remarks.append(f"The memory of patches was left out: {error}")
            return scores
        return scores.beside(found)

    def with_autoencoder(self, scores: Scores) -> Scores:
        """The scores and, where at least a few epochs fit into the time that is left, those of an autoencoder."""
        from hilum.models.autoencoder import create_autoencoder
        from hilum.training.reconstruction import seconds_per_image

        train, val = (self._small(self._normal_rows(split)) for split in ("train", "val"))
        network = create_autoencoder(image_size=SIDE, widths=WIDTHS, latent_dim=LATENT, seed=self.context.options.seed)
        epoch = seconds_per_image(network, train[: 2 * PROBED], self.device) * (len(train) + len(val) / 3)
        epochs = int(min(EPOCHS, 0.6 * self.left / max(epoch, 1e-6)))
        if epochs < FEWEST_EPOCHS or not len(val):
            self.remarks.append(
                "The autoencoder was left out: the time did not allow it. `hilum anomaly` trains a larger one."
            )
            return scores
        redrawer = self._trained(network, train, val, epochs)
        scored = self.rows[self.rows["split"] != "train"]
        found = Scores.of_rows(scored, redrawer.scores(self._small(scored), self.device), self.normal)
        self.remarks.append(
            f"The autoencoder is small and was trained for {epochs} epochs on pictures of {SIDE} by {SIDE} pixels; "
            "`hilum anomaly` trains a larger one for longer."
        )
        self.pictures = draw_pictures(
            self.folder, redrawer, _SmallCache(self), found, self.context.manifest, self.context.options.seed
        )
        return found.beside(scores)

    def _trained(self, network: Any, train: np.ndarray, val: np.ndarray, epochs: int) -> Redrawer:
        import tempfile

        from hilum.training.phase import Phase
        from hilum.training.reconstruction import NORMALISATION, fit_autoencoder

        began = time.monotonic()
        with tempfile.TemporaryDirectory() as place:
            result = fit_autoencoder(
                network, train, val, phase=Phase(max_epochs=epochs, lr=2e-3), run_dir=Path(place), device=self.device,
                time_budget=max(self.left, 0.5), seed=self.context.options.seed,
            )  # fmt: skip
        if result.interrupted:
            raise KeyboardInterrupt
        self.autoencoder = {
            "image_size": SIDE,
            "epochs": len(result.history),
            "best_epoch": result.best_epoch,
            "seconds": round(time.monotonic() - began, 2),
            "parameters": sum(each.numel() for each in network.parameters()),
        }
        preprocessing = Preprocessing(
            image_size=SIDE, fit=self.preprocessing.fit, normalisation=NORMALISATION, channels=1
        )
        return density_of(network, train, preprocessing, 0.0, self.device)

    def _normal_rows(self, split: str) -> pd.DataFrame:
        return self.rows[(self.rows["split"] == split) & (self.rows["label"] == self.normal)]

    def _small(self, rows: pd.DataFrame) -> np.ndarray:
        return shrunk(self.cache.of(rows))

    def about(self, model_path: Path) -> dict[str, Any]:
        """What the document says beside figures."""
        about = about_network(model_path, self.header, self._normal_rows("train"), self.remarks)
        model = {**about["model"], "file": f"{self.context.run}/{model_path.name}"}
        return {**about, "model": model, "autoencoder": self.autoencoder, "pictures": self.pictures}


@dataclass(frozen=True)
class _SmallCache:
    """The study's canvases made small, when they are asked for."""

    looked: _Looked

    def of(self, rows: pd.DataFrame) -> np.ndarray:
        return shrunk(self.looked.cache.of(rows))


def shrunk(canvases: CanvasView, side: int = SIDE) -> np.ndarray:
    """Canvases reduced to a small square, uint8 `[N, side, side]`."""
    import cv2

    small = np.empty((len(canvases), side, side), np.uint8)
    for number in range(len(canvases)):
        small[number] = cv2.resize(canvases[number], (side, side), interpolation=cv2.INTER_AREA)
    return small


def about_network(path: Path, header: ModelHeader, train: pd.DataFrame, remarks: list[str]) -> dict[str, Any]:
    """What a document of anomalies says of the network that it rests on.

    Args:
        path: of the model file.
        train: rows of the normal training images.
    """
    return {
        "fitted_on": {"images": len(train), "patients": int(train["patient_id"].nunique())},
        "model": {"file": f"{path.parent.name}/{path.name}", "sha256": file_sha256(path)},
        "recipe": header.recipe.get("name", ""),
        "backbone": backbone_of(header.recipe),
        "own_rule": "",
        "autoencoder": None,
        "pictures": [],
        "remarks": remarks,
    }


def backbone_of(recipe: Any) -> str:
    """`trained` where the backbone was trained with the labels of all classes, `untouched` where only a head was."""
    phases = recipe.get("phases", ())
    return "untouched" if phases and all(phase.get("train") == "head" for phase in phases) else "trained"
