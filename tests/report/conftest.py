"""Drawn study folders: pictures by numpy, answers by simulation, everything else as a study writes it."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from hilum.data.manifest import Manifest
from hilum.data.predictions import Predictions
from hilum.evaluation.evaluate import evaluate
from hilum.evaluation.ledger import record_opening, record_predictions
from hilum.evaluation.values import Evaluation, write_evaluations
from hilum.labels import LabelSet

SPLITS = MappingProxyType({"train": 8, "val": 12, "test": 14})


@dataclass(frozen=True)
class Plan:
    """What a drawn study is like.

    Args:
        labels: class names.
        runs: (run folder, status); the first one that is `done` or `collapsed` is chosen.
        skill: how far the logit of the true class stands out.
        test: whether the test split was opened.
        images: per split, of each class.
        openings: lines of the ledger.
    """

    labels: Sequence[str] = ("normal", "bacterial", "viral")
    runs: Sequence[tuple[str, str]] = (("finetuned-small", "done"), ("frozen-small", "done"), ("vit-tiny", "collapsed"))
    skill: float = 2.6
    test: bool = True
    images: Mapping[str, int] = field(default_factory=lambda: SPLITS)
    openings: int = 1
    drawn: bool = True
    seed: int = 7
    names: Sequence[str] = ()
    facts: Mapping[str, Any] | None = None


@pytest.fixture(scope="session")
def make_study(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Builds a study folder; the arguments are those of `Plan`."""

    def make(**wishes: Any) -> Path:
        return draw_study(tmp_path_factory.mktemp("drawn"), Plan(**wishes))

    return make


def draw_study(root: Path, plan: Plan) -> Path:
    """Writes pictures below `root / "data"` and a study folder `root / "study"`."""
    study, generator = root / "study", np.random.default_rng(plan.seed)
    study.mkdir(parents=True)
    manifest = _draw_manifest(root / "data", plan, generator)
    manifest.write(study / "manifest.parquet")
    rows = [_draw_run(study, name, status, i, manifest, plan, generator) for i, (name, status) in enumerate(plan.runs)]
    _write_csv(study / "leaderboard.csv", [row for row in rows if row])
    _write_csv(
        study / "quarantine.csv",
        [{"image_path": "bad/ü.jpg", "code": "truncated", "reason": "bad/ü.jpg: the file ends too early."}],
    )
    chosen = next((name for name, status in plan.runs if status in ("done", "collapsed")), None)
    if plan.test and chosen:
        _write_ledger(study, chosen, plan)
    _write_facts(study, chosen, plan)
    return study


def draw_picture(label: int, seed: int, height: int = 60, width: int = 64) -> np.ndarray:
    """uint8 `[height, width]`: two dark lungs in a grey chest, brighter patches for later classes."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    chest = 150.0 * np.exp(-(x**4 + y**6))
    for side in (-0.45, 0.45):
        chest -= 95 * np.exp(-((((x - side) / 0.3) ** 2 + (y / 0.62) ** 2) ** 2))
    for _ in range(3 * label):
        cx, cy = generator.choice([-0.45, 0.45]) + generator.normal(0, 0.08), generator.normal(0.1, 0.25)
        chest += 38 * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / 0.02)
    return np.clip(chest + 18 * np.cos(9 * y + x**2) + generator.normal(30, 7, chest.shape), 0, 255).astype(np.uint8)


def _draw_manifest(root: Path, plan: Plan, generator: np.random.Generator) -> Manifest:
    rows: list[dict[str, Any]] = []
    given = iter(plan.names)
    for split, count in plan.images.items():
        for position, label in enumerate(plan.labels):
            for i in range(count):
                name = next(given, None) or f"{split}/class-{position}/{split[0]}{position}p{i // 2:03d}_{i}.png"
                rows.append(_draw_row(root, name, label, position, f"{split}-{position}-{i // 2}", split, generator))
    rule = {
        "name": "person-number",
        "pattern": r"p(\d+)_",
        "sentence": "the number behind `p` in the file name",
        "examples": [{"image_path": row["image_path"], "patient_id": row["patient_id"]} for row in rows[:4]],
        "images_without_patient": 0,
    }
    facts = {
        "labels_rule": "folders",
        "patient_rule": rule,
        "split_rule": "The data came without a test split: 20% of the images were drawn, patient by patient.",
        "warnings": [
            "The validation split that came with the data has only 16 images; it was merged into training and redrawn."
        ],
    }
    return Manifest(pd.DataFrame(rows), LabelSet(tuple(plan.labels)), root, facts)


def _draw_row(
    root: Path,
    name: str,
    label: str,
    position: int,
    patient: str,
    split: str,
    generator: np.random.Generator,
) -> dict[str, Any]:
    seed = int(generator.integers(2**31))
    height, width = int(generator.integers(48, 72)), int(generator.integers(52, 72))
    pixels = draw_picture(position, seed, height, width)
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, "PNG", compress_level=1)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    facts = {
        "height": height,
        "width": width,
        "sha256": digest,
        "mean": pixels.mean() / 255,
        "contrast": pixels.std() / 255,
    }
    return {
        "image_path": name,
        "label": label,
        "patient_id": patient,
        "split": split,
        "source": "drawn",
        "view": "PA",
        **facts,
    }


def _draw_run(
    study: Path, name: str, status: str, place: int, manifest: Manifest, plan: Plan, generator: np.random.Generator
) -> dict[str, Any] | None:
    if status in ("failed", "skipped"):
        return None
    folder = study / name
    folder.mkdir()
    skill = 0.0 if status == "collapsed" else plan.skill / (1 + 0.25 * place)
    evaluations = {}
    for split in ("val", "test") if plan.test and place == 0 else ("val",):
        rows = manifest.split(split)
        if len(rows):
            predictions = _simulate(rows, manifest.labels, skill, generator)
            path = folder / f"predictions-{split}.parquet"
            predictions.write(path)
            source = {"predictions": path.name, "predictions_sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
            evaluations[split] = evaluate(predictions, seed=plan.seed, replicates=100, source=source)
    write_evaluations(folder / "metrics.json", evaluations)
    _write_history(folder / "history.csv", generator)
    (folder / "recipe.json").write_text(json.dumps(_recipe(name)))
    (folder / "environment.json").write_text(json.dumps(ENVIRONMENT))
    return _standing(name, status, evaluations["val"], place == 0)


def _simulate(rows: pd.DataFrame, labels: LabelSet, skill: float, generator: np.random.Generator) -> Predictions:
    target = labels.encode(rows["label"].tolist())
    logits = generator.normal(0, 1, (len(rows), len(labels)))
    logits[np.arange(len(rows)), target] += skill
    if skill == 0:
        logits = np.tile(np.linspace(0, 1, len(labels)), (len(rows), 1)) + 0.01 * logits
    return Predictions.of(rows, 1.4 * logits, labels, model="model.safetensors")


def _write_history(path: Path, generator: np.random.Generator) -> None:
    rows = []
    for epoch in range(1, 11):
        train, val = 1.1 * 0.72**epoch + 0.05, 1.05 * 0.8**epoch + 0.012 * max(epoch - 6, 0) ** 1.6 + 0.22
        rows.append(
            {
                "epoch": epoch,
                "phase": "head" if epoch < 4 else "all",
                "lr": 1e-3 * 0.5**epoch,
                "train_loss": train + generator.normal(0, 0.01),
                "train_accuracy": 1 - 0.5 * train,
                "val_loss": val,
                "val_accuracy": 1.06 - 0.3 * val,
                "val_auroc": 0.97,
                "seconds": 3.2,
                "best": int(epoch == 7),
            }
        )
    _write_csv(path, rows)


def _standing(run: str, status: str, evaluation: Evaluation, chosen: bool) -> dict[str, Any]:
    row: dict[str, Any] = {
        "run": run,
        "recipe": run,
        "model": "mobilenetv2_100",
        "weights": "imagenet",
        "parameters": 2_227_715,
    }
    row |= {"status": status, "epochs": 10, "seconds": 212.4, "val_loss": 0.31}
    for name in ("accuracy", "balanced_accuracy", "auroc"):
        estimate = evaluation.overall[name]
        row |= {f"val_{name}": estimate.value, f"val_{name}_low": estimate.ci_low, f"val_{name}_high": estimate.ci_high}
    return row | {"chosen": int(chosen)}


def _write_ledger(study: Path, chosen: str, plan: Plan) -> None:
    predictions = f"{chosen}/predictions-test.parquet"
    digest = hashlib.sha256((study / predictions).read_bytes()).hexdigest()
    for i in range(plan.openings):
        opening = record_opening(
            study,
            run=chosen,
            recipe=chosen,
            model_sha256=f"{i:02d}" * 32,
            predictions=predictions,
            images=plan.images.get("test", 0) * len(plan.labels),
            reason="chosen on validation" if i == 0 else "asked for by hand",
        )
        record_predictions(study, opening, digest)


def _write_facts(study: Path, chosen: str | None, plan: Plan) -> None:
    why = {
        "done": "",
        "collapsed": "It answers the same class for every picture.",
        "failed": "The loss became NaN twice.",
        "skipped": "No time was left in the budget.",
    }
    facts = {
        "schema": "hilum.study/1",
        "hilum": "0.1.0",
        "name": "drawn-study",
        "data": "drawn",
        "labels_rule": "folders",
        "command": "hilum study drawn --seed 7",
        "seed": plan.seed,
        "device": "cpu",
        "cores": 2,
        "machine": "a machine",
        "started": "2025-11-20T18:11:00+00:00",
        "seconds": 341.7,
        "stages": [
            {"name": "data", "seconds": 3.2},
            {"name": "training", "seconds": 331.0},
            {"name": "report", "seconds": 2.1},
        ],
        "time_budget_s": 900.0,
        "drawn": plan.drawn,
        "labels": list(plan.labels),
        "positive": LabelSet(tuple(plan.labels)).positive if len(plan.labels) == 2 else None,
        "chosen_run": chosen,
        "runs": [{"run": run, "recipe": run, "status": status, "sentence": why[status]} for run, status in plan.runs],
        "warnings": [],
        "versions": {"python": "3.11.9", "torch": "2.15.0", "numpy": "2.4.6"},
    }
    (study / "study.json").write_text(json.dumps({**facts, **(plan.facts or {})}))


def _recipe(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "description": "A small network, first its head, then all of it.",
        "model": {"name": "mobilenetv2_100", "weights": "imagenet", "dropout": 0.2, "hidden": []},
        "preprocessing": {
            "image_size": 96,
            "fit": "pad",
            "equalise": False,
            "normalisation": "imagenet",
            "channels": 3,
        },
        "augmentation": {"rotation": 7.0, "shift": 0.05, "zoom": 0.1, "flip": 0.5},
        "phases": [{"max_epochs": 3, "train": "head", "lr": 0.001}, {"max_epochs": 7, "train": "all", "lr": 0.0001}],
        "balance": "class-weights",
        "tta": ["plain", "flip"],
    }


ENVIRONMENT = {
    "stages": [
        {"name": "stem", "parameters": 928, "trained": False},
        {"name": "blocks", "parameters": 1_811_712, "trained": True},
        {"name": "head", "parameters": 3_843, "trained": True},
    ],
    "parameters": 1_816_483,
    "trained_parameters": 1_815_555,
    "batch_size": 32,
    "precision": "bf16",
    "epochs_planned": 12,
    "epochs_done": 10,
    "best_epoch": 7,
    "seconds": 212.4,
    "images_per_second": 143.0,
    "stopped": "No better validation loss in 3 epochs.",
    "weights": {"name": "mobilenetv2_100", "where": "local folder", "sha256": "ef" * 32},
    "notes": ["The micro-batch was halved once for lack of memory."],
}


def _write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]) if rows else ["run"])
        writer.writeheader()
        writer.writerows(rows)
