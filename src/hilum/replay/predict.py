"""Predictions of a trained network for rows of a manifest: by its head, or by the nearest images of its embedding."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hilum.data.build import open_cache
from hilum.data.manifest import Manifest
from hilum.data.predictions import Predictions
from hilum.inspection.neighbors import NeighborSettings, choose_settings, decide, find_neighbors
from hilum.models.weights import file_sha256
from hilum.recipes.schema import Neighbors, Recipe
from hilum.transforms import Preprocessing
from hilum.workflow.network import views_of
from hilum.workflow.options import Options

if TYPE_CHECKING:
    from hilum.models import Classifier


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

    labels, points = manifest.labels, embed(index)
    targets, val = labels.encode(index["label"].tolist()), manifest.split("val")
    chosen = NeighborSettings(settings.k or 1, settings.metric, settings.weights)
    if not settings.k:
        truth = labels.encode(val["label"].tolist())
        chosen = choose_settings(
            points, targets, embed(val), truth, len(labels), metrics=(settings.metric,), weights=(settings.weights,)
        ).settings
    found = find_neighbors(points, embed(queries), chosen.k, metric=chosen.metric)
    probs = decide(found, targets, chosen, len(labels))
    return Predictions.of(queries, np.log(probs), labels, **about, k=chosen.k)


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
    from hilum.inference.device import choose_device
    from hilum.inspection.embed import embed_layer

    return embed_layer(model, canvases, preprocessing, layer=settings.layer, device=choose_device(options.device))
