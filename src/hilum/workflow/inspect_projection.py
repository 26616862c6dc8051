"""The map of a run's embeddings: points on paper, a small picture for each, and the purity of neighbourhoods."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hilum.data.balance import epoch_order
from hilum.data.build import open_cache
from hilum.data.manifest import SPLITS, Manifest
from hilum.evaluation.values import without_nan
from hilum.inspection.embeddings import Embeddings
from hilum.inspection.projection import neighborhood_purity, project
from hilum.transforms import Augmentation, Preprocessing
from hilum.workflow.inspect_embeddings import embeddings_of
from hilum.workflow.options import Options
from hilum.workflow.record import read_json, write_json

if TYPE_CHECKING:
    from hilum.workflow.inspect import InspectionContext

PROJECTION = "projection"
DOCUMENT, SPRITE = "projection.json", "sprite.jpg"
SCHEMA = "hilum.projection/1"
COPY = "copy"
"""Split of an oversampled copy."""
SIDE, COLUMNS, QUALITY = 56, 40, 62
"""Pixels of a small picture, pictures in a row of the sprite, and its JPEG quality."""
FEWEST, MOST = 300, 1500
"""Points of a map: more of them cost time, and a page of more than about two megabytes."""
POINTS_A_SECOND = 150.0
ASKED = 1000
"""Images of a split whose neighbourhoods are looked at."""


def inspect_projection(context: InspectionContext) -> None:
    """The part of a study: t-SNE of training, validation and, once it was opened, test embeddings.

    Where the run was trained on oversampled classes, the copies of one epoch are drawn beside the originals.
    """
    splits = ("train", "val", "test") if context.test_opened else ("train", "val")
    embeddings = embeddings_of(context, splits)
    points = int(np.clip(POINTS_A_SECOND * context.seconds, FEWEST, MOST))
    recipe = read_json(context.study_dir / context.run / "recipe.json") or {}
    draw_map(
        embeddings, context.study_dir, context.run, context.manifest, context.options, points=points,
        oversample=recipe.get("balance") == "oversampled",
    )  # fmt: skip


def draw_map(
    embeddings: Embeddings,
    study_dir: Path,
    run: str,
    manifest: Manifest,
    options: Options,
    *,
    method: str = "tsne",
    perplexity: float = 30.0,
    points: int = MOST,
    oversample: bool = False,
    folder: Path | None = None,
) -> dict[str, Any]:
    """Draws points, measures purity on all embeddings that there are, and writes both with the small pictures.

    Args:
        embeddings: of training images and others.
        points: drawn at most, the splits in turn, in an order drawn with the seed.
        oversample: adds the copies with which one epoch would fill up the smaller classes, changed by the recipe's
            augmentation, and embedded.
        folder: where to write; the run's own when None.

    Returns:
        The document that was written.
    """
    folder = folder or study_dir / run / "inspection" / PROJECTION
    folder.mkdir(parents=True, exist_ok=True)
    shown = embeddings.take(_drawn(embeddings.table, points, options.seed))
    canvases = _small_canvases(shown.table, study_dir, run, manifest)
    if oversample:
        copies, pictures = _copies(shown, study_dir, run, manifest, options)
        shown = Embeddings(
            pd.concat([shown.table, copies.table], ignore_index=True), np.concatenate([shown.matrix, copies.matrix])
        )
        canvases = np.concatenate([canvases, pictures])
    made = project(shown.matrix, method=method, seed=options.seed, perplexity=perplexity)
    _write_sprite(canvases, folder / SPRITE)
    table = shown.table
    document = {
        "schema": SCHEMA,
        "method": made.method,
        "settings": made.settings,
        "about": {name: value for name, value in embeddings.about.items() if name != "key"},
        "shown": {name: [int((table["split"] == name).sum()), _all(manifest, name)] for name in (*SPLITS, COPY)},
        "points": [[round(float(x), 4), round(float(y), 4)] for x, y in made.points],
        "rows": table[["image_path", "label", "split"]].to_numpy().tolist(),
        "sprite": {"file": SPRITE, "side": SIDE, "columns": COLUMNS},
        "purity": _purities(embeddings, shown, made.points, options),
        "oversampled": oversample,
    }
    write_json(folder / DOCUMENT, without_nan(document))
    return document


def _all(manifest: Manifest, split: str) -> int:
    return len(manifest.split(split))


def _drawn(table: pd.DataFrame, points: int, seed: int) -> np.ndarray:
    """Positions of at most so many rows: every split gets its turn, so that a small one is not lost."""
    order = np.random.default_rng(seed).permutation(len(table))
    turn = table.iloc[order].groupby("split").cumcount().to_numpy()
    share = {"train": 0.5}
    rank = turn / np.array([share.get(split, 0.25) for split in table["split"].iloc[order]])
    return np.sort(order[np.argsort(rank, kind="stable")[:points]])


def _purities(
    embeddings: Embeddings, shown: Embeddings, points: np.ndarray, options: Options
) -> dict[str, Mapping[str, Any]]:
    """By split: the images of that split among the training images of other patients; and what the map shows of it."""
    train = embeddings.split("train")
    found: dict[str, Mapping[str, Any]] = {}
    for split in SPLITS:
        asked = embeddings.split(split)
        if len(asked) > ASKED:
            asked = asked.take(np.sort(np.random.default_rng(options.seed).permutation(len(asked))[:ASKED]))
        if len(asked) and len(train):
            found[split] = asdict(_purity(train.table, train.matrix, asked.table, asked.matrix, options))
    is_train = (shown.table["split"] == "train").to_numpy()
    for split in SPLITS:
        rows = (shown.table["split"] == split).to_numpy()
        if split != "train" and rows.any() and is_train.any():
            there = _purity(shown.table[is_train], points[is_train], shown.table[rows], points[rows], options)
            found[f"{split} on the map"] = asdict(there)
    return found


def _purity(index: pd.DataFrame, matrix: np.ndarray, asked: pd.DataFrame, queries: np.ndarray, options: Options) -> Any:
    return neighborhood_purity(
        matrix,
        index["label"].tolist(),
        index["patient_id"].tolist(),
        queries,
        asked["label"].tolist(),
        asked["patient_id"].tolist(),
        seed=options.seed,
        replicates=options.replicates,
    )


def _small_canvases(table: pd.DataFrame, study_dir: Path, run: str, manifest: Manifest) -> np.ndarray:
    """uint8 `[N, SIDE, SIDE]`: what the network was given, small."""
    from hilum.models import read_header

    preprocessing = Preprocessing(**read_header(study_dir / run / "model.safetensors").preprocessing)
    rows = manifest.table.set_index("image_path").loc[table["image_path"]]
    return _shrunk(open_cache(manifest, preprocessing, study_dir / "cache").of(rows))


def _shrunk(canvases: Any) -> np.ndarray:
    import cv2

    return np.stack(
        [cv2.resize(canvases[row], (SIDE, SIDE), interpolation=cv2.INTER_AREA) for row in range(len(canvases))]
    )


def _copies(
    shown: Embeddings, study_dir: Path, run: str, manifest: Manifest, options: Options
) -> tuple[Embeddings, np.ndarray]:
    """The copies of one oversampled epoch, as the recipe's augmentation changes them, and their small pictures."""
    from hilum.inference.device import choose_device
    from hilum.inspection.embed import embed_layer
    from hilum.models import load_model
    from hilum.transforms import augment

    model, header = load_model(study_dir / run / "model.safetensors")
    preprocessing, train = Preprocessing(**header.preprocessing), shown.split("train")
    targets = manifest.labels.encode(train.table["label"].tolist())
    order = epoch_order(targets, "oversampled", seed=options.seed, epoch=0)
    first = np.unique(order, return_index=True)[1]
    extra = np.sort(np.delete(order, first))
    rows = manifest.table.set_index("image_path").loc[train.table["image_path"].iloc[extra]]
    canvases = np.asarray(open_cache(manifest, preprocessing, study_dir / "cache").of(rows)[:])
    changes = Augmentation(**(header.recipe.get("augmentation") or {}))
    seeds = [(options.seed, 0, number) for number in range(len(extra))]
    changed = augment(np.ascontiguousarray(canvases), changes, seeds) if len(extra) else canvases
    matrix = embed_layer(model, changed, preprocessing, device=choose_device(options.device))
    table = train.table.iloc[extra].reset_index(drop=True)
    names = [f"{name}#{COPY}-{number}" for number, name in enumerate(table["image_path"])]
    small = _shrunk(changed) if len(extra) else np.empty((0, SIDE, SIDE), np.uint8)
    return replace(train, table=table.assign(image_path=names, split=COPY), matrix=matrix), small


def _write_sprite(canvases: np.ndarray, path: Path) -> None:
    """All small pictures as one JPEG, `COLUMNS` in a row."""
    from PIL import Image

    rows = -(-len(canvases) // COLUMNS)
    sheet = np.zeros((rows * SIDE, COLUMNS * SIDE), np.uint8)
    for number, canvas in enumerate(canvases):
        y, x = SIDE * (number // COLUMNS), SIDE * (number % COLUMNS)
        sheet[y : y + SIDE, x : x + SIDE] = canvas
    partial = path.with_name(path.name + ".partial")
    Image.fromarray(sheet).save(partial, "JPEG", quality=QUALITY, optimize=True)
    partial.replace(path)
