"""k-NN on a run's embeddings: settings from validation, figures with intervals, an index, and the leak beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hilum.data.manifest import Manifest
from hilum.data.predictions import Predictions
from hilum.errors import DataError
from hilum.evaluation import evaluate, read_ledger, record_opening, record_predictions, write_evaluations
from hilum.evaluation.values import Evaluation
from hilum.inspection.embeddings import Embeddings
from hilum.inspection.index import NeighborIndex
from hilum.inspection.neighbors import Choice, choose_settings
from hilum.labels import LabelSet
from hilum.models.weights import file_sha256
from hilum.recipes.schema import Neighbors
from hilum.workflow.inspect_embeddings import embed_run, embeddings_of
from hilum.workflow.options import Options
from hilum.workflow.record import now, read_json, write_json

if TYPE_CHECKING:
    from hilum.workflow.inspect import InspectionContext

NEIGHBORS = "neighbors"
DOCUMENT, INDEX, METRICS_FILE = "neighbors.json", "index.arrow", "metrics.json"
SCHEMA = "hilum.neighbors/1"
SHOWN = 5
"""Neighbours shown beside an image."""
EXAMPLES = 6
SEEN_SHARE = 0.2
"""Of the training images that are asked about although the network was trained on them, as in an 80/20 split."""


def inspect_neighbors(context: InspectionContext) -> None:
    """The part of a study: k-NN on the chosen run's embeddings, on validation and, once it was opened, on test."""
    splits = ("train", "val", "test") if context.test_opened else ("train", "val")
    embeddings = embeddings_of(context, splits)
    recipe = read_json(context.study_dir / context.run / "recipe.json") or {}
    wanted = Neighbors(**recipe["neighbors"]) if recipe.get("neighbors") else None
    if wanted is not None and wanted.layer == "hidden":
        embeddings = hidden_of(context.study_dir / context.run, embeddings)
    evaluate_neighbors(embeddings, context.study_dir, context.run, context.manifest, context.options, wanted=wanted)


def neighbors_of_run(
    study_dir: Path, run: str, manifest: Manifest, options: Options, wanted: Neighbors
) -> tuple[Evaluation, str]:
    """The k-NN of a recipe on a run that was just trained: on validation, the test split stays shut.

    Returns:
        The figures on validation, and the settings in words.
    """
    embeddings = embed_run(study_dir, run, manifest, options, ("train", "val"))
    if wanted.layer == "hidden":
        embeddings = hidden_of(study_dir / run, embeddings)
    found = evaluate_neighbors(embeddings, study_dir, run, manifest, options, wanted=wanted)["val"]
    return found, str((read_json(study_dir / run / "inspection" / NEIGHBORS / DOCUMENT) or {})["in_words"])


def describe_validation(evaluation: Evaluation, settings: str) -> str:
    """The figures of a recipe's k-NN in one sentence."""
    accuracy = evaluation.overall["accuracy"]
    return (
        f"k-NN on the embedding ({settings}): right on {100 * accuracy.value:.1f} % "
        f"[{100 * accuracy.ci_low:.1f}, {100 * accuracy.ci_high:.1f}] of {evaluation.images:,} validation images."
    )


def hidden_of(run_dir: Path, embeddings: Embeddings) -> Embeddings:
    """The last hidden layer of the run's head, from what enters the head."""
    from hilum.inspection.embed import last_hidden
    from hilum.models import load_model

    model, _ = load_model(run_dir / "model.safetensors")
    about = {**embeddings.about, "layer": "hidden"}
    return Embeddings(embeddings.table, last_hidden(model, embeddings.matrix), about)


def evaluate_neighbors(
    embeddings: Embeddings,
    study_dir: Path,
    run: str,
    manifest: Manifest,
    options: Options,
    *,
    wanted: Neighbors | None = None,
    tried: Mapping[str, Any] | None = None,
    folder: Path | None = None,
) -> dict[str, Evaluation]:
    """Chooses on validation, evaluates on every split that is there, and writes all of it into the run's folder.

    The test split is looked at last, after that stands in the ledger, and only once for the same model and settings.

    Args:
        embeddings: of training and validation images, and of test images where that split is open.
        wanted: of a recipe; what it leaves open, and without one everything, is chosen on validation.
        tried: instead, what validation may choose among: `k`, `metrics`, `weights` of `choose_settings`.
        folder: beside the one of the study's own k-NN, which is the default.

    Returns:
        By split: `val`, `test` where it is open, and `seen`, the figure that must not be believed.

    Raises:
        DataError: no training or no validation images.
    """
    folder = folder or study_dir / run / "inspection" / NEIGHBORS
    folder.mkdir(parents=True, exist_ok=True)
    train, val, test = (embeddings.split(name) for name in ("train", "val", "test"))
    if not len(train) or not len(val):
        raise DataError("k-NN", expected="training and validation images", found=f"{len(train)} and {len(val)}")
    chosen = choose_on(train, val, manifest.labels, settings_tried(wanted) if tried is None else tried)
    index = NeighborIndex.of(
        train, manifest.labels, chosen.settings, seen_by(manifest, embeddings), root=str(manifest.root),
        patient_rule=manifest.facts["patient_rule"].get("name", ""), tried=len(chosen.table), made=now(),
    )  # fmt: skip
    index.write(folder / INDEX)
    about = {
        **embeddings.about,
        "neighbors": asdict(chosen.settings),
        "tried": len(chosen.table),
        "index_images": len(index),
    }
    made = {"val": predict(index, val, **about), "seen": predict_seen(train, index, options.seed, **about)}
    evaluations = {name: _evaluated(each, folder, name, options) for name, each in made.items()}
    if len(test):
        evaluations["test"] = _on_test(index, test, folder, study_dir, run, options, about)
    write_evaluations(folder / METRICS_FILE, evaluations)
    examples = examples_of(index, test if len(test) else val, options.seed)
    write_json(folder / DOCUMENT, _document(index, chosen, embeddings, examples, options.seed))
    return evaluations


def _document(
    index: NeighborIndex, chosen: Choice, embeddings: Embeddings, examples: list[dict[str, Any]], seed: int
) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "settings": asdict(chosen.settings),
        "in_words": str(chosen.settings),
        "chosen": {
            "images": chosen.images,
            "table": [dict(row) for row in chosen.table[:10]],
            "tried": len(chosen.table),
        },
        "index": {
            "images": len(index),
            "width": index.matrix.shape[1],
            "kind": str(index.matrix.dtype),
            "file": INDEX,
        },
        "about": {name: value for name, value in embeddings.about.items() if name != "key"},
        "examples": examples,
        "seed": seed,
    }


def settings_tried(wanted: Neighbors | None) -> dict[str, Any]:
    """What validation may choose among: a recipe's own k, metric and weights are not up for choice."""
    if wanted is None:
        return {}
    return {"k": wanted.k, "metrics": (wanted.metric,), "weights": (wanted.weights,)}


def choose_on(train: Embeddings, val: Embeddings, labels: LabelSet, tried: Mapping[str, Any]) -> Choice:
    """What validation chooses, see `hilum.inspection.neighbors.choose_settings`."""
    targets, truth = (labels.encode(each.table["label"].tolist()) for each in (train, val))
    return choose_settings(train.matrix, targets, val.matrix, truth, len(labels), **tried)


def seen_by(manifest: Manifest, embeddings: Embeddings) -> pd.DataFrame:
    """Every image that the model was trained or chosen on, with the canvas where it is known."""
    rows = manifest.table[manifest.table["split"].isin(("train", "val"))]
    kept = rows[["image_path", "patient_id", "split", "sha256"]]
    if "canvas" not in embeddings.table:
        return kept
    return kept.merge(embeddings.table[["image_path", "canvas"]], on="image_path", how="left")


def predict(index: NeighborIndex, queries: Embeddings, **about: Any) -> Predictions:
    """What the index says of some images."""
    probs = index.classify(index.search(queries.matrix))
    return Predictions.of(queries.table, np.log(probs), index.labels, **about)


def predict_seen(train: Embeddings, index: NeighborIndex, seed: int, **about: Any) -> Predictions:
    """The mistake on purpose: a fifth of the training images, drawn image by image, asked of the other four fifths.

    The network was trained on all of them, and their patients are on both sides.
    """
    drawn = np.random.default_rng(seed).permutation(len(train)) < max(1, round(SEEN_SHARE * len(train)))
    rest, asked = train.take(~drawn), train.take(drawn)
    part = NeighborIndex.of(rest, index.labels, index.settings, rest.table)
    return predict(part, asked, **about, leak="the network was trained on these images")


def _evaluated(predictions: Predictions, folder: Path, name: str, options: Options) -> Evaluation:
    path = folder / f"predictions-{name}.parquet"
    predictions.write(path)
    place = path.relative_to(folder.parents[2]).as_posix()
    source = {"predictions": place, "predictions_sha256": file_sha256(path)}
    return evaluate(predictions, seed=options.seed, replicates=options.replicates, source=source)


def _on_test(
    index: NeighborIndex,
    test: Embeddings,
    folder: Path,
    study_dir: Path,
    run: str,
    options: Options,
    about: Mapping[str, Any],
) -> Evaluation:
    """The test split, after the opening is in the ledger; the same predictions again are no new opening."""
    path = folder / "predictions-test.parquet"
    place, sha256 = path.relative_to(study_dir).as_posix(), str(about["model_sha256"])
    made = predict(index, test, **about)
    before = [each for each in read_ledger(study_dir) if each.predictions == place and each.model_sha256 == sha256]
    if before and path.exists() and file_sha256(path) in {each.predictions_sha256 for each in before}:
        from hilum.data.predictions import read_predictions

        known = read_predictions(path)
        same = len(known) == len(made) and np.allclose(known.probs, made.probs, atol=1e-6)
        if same:
            return _evaluated(known, folder, "test", options)
    opening = record_opening(
        study_dir,
        run=run,
        recipe=str(about.get("recipe", run)),
        model_sha256=sha256,
        predictions=place,
        images=len(test),
        reason=f"inspection: {describe_asked(index, about)}",
    )
    found = _evaluated(made, folder, "test", options)
    record_predictions(study_dir, opening, file_sha256(path))
    return found


def describe_asked(index: NeighborIndex, about: Mapping[str, Any]) -> str:
    """Which k-NN, in words, for the ledger.

    Args:
        about: of the embeddings, with `tried`: among how many settings validation chose.
    """
    layer = "the last hidden layer" if about.get("layer") == "hidden" else "the embedding"
    chosen = "chosen on validation" if about.get("tried", 2) > 1 else "set beforehand"
    return f"k-NN on {layer}, {index.settings}, {chosen}"


def examples_of(index: NeighborIndex, queries: Embeddings, seed: int) -> list[dict[str, Any]]:
    """Some images with their nearest training images: of each class wrong answers, if there are any, and right ones."""
    found = index.search(queries.matrix, max(index.settings.k, SHOWN))
    probs = index.classify(found)
    truth, said = index.labels.encode(queries.table["label"].tolist()), probs.argmax(1)
    drawn = np.random.default_rng(seed).permutation(len(queries))
    each = max(1, EXAMPLES // (2 * len(index.labels)))
    shown: list[int] = []
    for right in (False, True):
        for target in range(len(index.labels)):
            rows = [row for row in drawn if truth[row] == target and (said[row] == target) == right]
            shown += [int(row) for row in rows[:each]]
    return [
        {
            **describe_query(queries.table.iloc[row], index.labels, probs[row]),
            "neighbors": describe_neighbors(index, found.positions[row], found.distances[row]),
        }
        for row in shown
    ]


def describe_query(row: pd.Series, labels: LabelSet, probs: np.ndarray) -> dict[str, Any]:
    """An image and what was said of it, for JSON."""
    return {
        "image_path": row["image_path"],
        "label": row["label"],
        "said": labels.names[int(probs.argmax())],
        "votes": {name: round(float(prob), 3) for name, prob in zip(labels, probs, strict=True)},
    }


def describe_neighbors(
    index: NeighborIndex, positions: np.ndarray, distances: np.ndarray, count: int = SHOWN
) -> list[dict[str, Any]]:
    """The nearest of an index, for JSON, nearest first."""
    rows = index.table.iloc[positions[:count]]
    return [
        {"image_path": row.image_path, "label": row.label, "patient_id": row.patient_id, "distance": float(distance)}
        for row, distance in zip(rows.itertuples(), distances[:count], strict=True)
    ]
