"""Predictions of a trained network for rows of a manifest: by its head, or by the nearest images of its embedding."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hilum.data.build import open_cache
from hilum.data.manifest import Manifest
from hilum.data.predictions import Predictions
from hilum.models.weights import file_sha256
from hilum.recipes.schema import Neighbors, Recipe
from hilum.transforms import Preprocessing
from hilum.workflow.network import views_of
from hilum.workflow.options import Options

if TYPE_CHECKING:
    from hilum.models import Classifier

CANDIDATES = (1, 3, 5, 7, 9, 15, 25)
"""Numbers of neighbours among which validation chooses where the report names none."""

LEAST_PROBABILITY = 1e-6
"""What a class without a single neighbour gets, so that its logarithm is a number."""


def predict_by_head(
    run_dir: Path, recipe: Recipe, manifest: Manifest, rows: pd.DataFrame, cache_dir: Path, options: Options
) -> Predictions:
    """What the saved network says of these images with the recipe's views, at the temperature it was trained with."""
    from hilum.inference.device import choose_device
    from hilum.inference.predict import predict_logits

    model, preprocessing, about = _load(run_dir, manifest)
    canvases = open_cache(manifest, preprocessing, cache_dir).of(rows)
    logits = predict_logits(
        model,
        canvases,
        preprocessing,
        views=views_of(recipe.tta),
        view_seed=options.seed,
        device=choose_device(options.device),
    )
    return Predictions.of(rows, logits, manifest.labels, **about)


def predict_by_neighbors(
    run_dir: Path,
    settings: Neighbors,
    manifest: Manifest,
    index: pd.DataFrame,
    queries: pd.DataFrame,
    cache_dir: Path,
    options: Options,
) -> Predictions:
    """What the nearest of some images say of others: the shares of the classes among the k nearest.

    Args:
        settings: k = 0 takes the number that does best on the manifest's validation images.
        index: rows of the images that vote.
        queries: rows of the images to be called.
    """
    model, preprocessing, about = _load(run_dir, manifest)
    cache = open_cache(manifest, preprocessing, cache_dir)

    def embed(rows: pd.DataFrame) -> np.ndarray:
        return _embed(model, preprocessing, cache.of(rows), settings, options)

    names, points = index["label"].to_numpy(), embed(index)
    k = settings.k
    if not k:
        val = manifest.split("val")
        k = choose_k(points, names, embed(val), val["label"].to_numpy(), settings)
    probs = vote(points, names, embed(queries), k, settings, tuple(manifest.labels))
    return Predictions.of(queries, np.log(np.maximum(probs, LEAST_PROBABILITY)), manifest.labels, **about, k=int(k))


def vote(
    points: np.ndarray, names: np.ndarray, queries: np.ndarray, k: int, settings: Neighbors, labels: tuple[str, ...]
) -> np.ndarray:
    """Shares of the classes among the k nearest points, float64 `[Q, K]`.

    Args:
        points: `[N, D]`.
        names: `[N]`, their classes.
        queries: `[Q, D]`.
    """
    from sklearn.neighbors import KNeighborsClassifier

    nearest = KNeighborsClassifier(min(k, len(points)), metric=settings.metric, weights=settings.weights)
    found = nearest.fit(points, names.astype(str)).predict_proba(queries)
    probs = np.zeros((len(queries), len(labels)))
    probs[:, [labels.index(name) for name in nearest.classes_]] = found
    return probs


def choose_k(points: np.ndarray, names: np.ndarray, queries: np.ndarray, truth: np.ndarray, settings: Neighbors) -> int:
    """The number of neighbours that calls most of the queries right, the smallest of several."""
    labels = tuple(sorted(set(map(str, names)) | set(map(str, truth))))
    target = np.array([labels.index(str(name)) for name in truth])
    right = [
        (vote(points, names, queries, k, settings, labels).argmax(1) == target).sum()
        for k in CANDIDATES
        if k <= len(points)
    ]
    return CANDIDATES[int(np.argmax(right))]


def _load(run_dir: Path, manifest: Manifest) -> tuple[Classifier, Preprocessing, dict[str, str]]:
    from hilum.models import load_model

    path = run_dir / "model.safetensors"
    model, header = load_model(path, labels=manifest.labels.names)
    about = {
        "model": f"{run_dir.name}/{path.name}",
        "model_sha256": file_sha256(path),
        "manifest": manifest.fingerprint,
    }
    return model, Preprocessing(**header.preprocessing), about


def _embed(model: Classifier, preprocessing: Preprocessing, canvases, settings: Neighbors, options: Options):
    """float32 `[N, D]` of the layer that the settings name."""
    import torch

    from hilum.inference.device import choose_device
    from hilum.inference.predict import embed_images

    embedding = embed_images(model, canvases, preprocessing, device=choose_device(options.device))
    if settings.layer == "embedding":
        return embedding
    model.eval()
    with torch.inference_mode():
        return model.head.last_hidden(torch.from_numpy(embedding).to(model.device)).float().cpu().numpy()
