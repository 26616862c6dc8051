"""A recipe with `anomaly` set: an autoencoder trained on normal training images, and the density of its codes."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hilum.data.build import open_cache
from hilum.data.cache import CanvasCache
from hilum.data.manifest import Manifest
from hilum.errors import RecipeError
from hilum.inspection.anomaly import KernelDensity, Scores
from hilum.models.weights import file_sha256
from hilum.recipes.convert import to_json
from hilum.recipes.schema import Recipe
from hilum.transforms import Preprocessing
from hilum.workflow.anomaly import SCORES, Detection, conclude, normal_class, record_scores, record_scoring
from hilum.workflow.network import augmentation_of, phases_of, preprocessing_of
from hilum.workflow.options import Options
from hilum.workflow.record import digest_of, now, read_json, versions, write_json

if TYPE_CHECKING:
    from hilum.models.autoencoder import Autoencoder
    from hilum.training.fit import FitResult

MODEL = "model.safetensors"
EXAMPLES = 1
"""Pictures of each kind that are shown."""


@dataclass(frozen=True)
class Redrawer:
    """An autoencoder and how dense its codes of normal training images lie."""

    model: Autoencoder
    preprocessing: Preprocessing
    density: KernelDensity

    def scores(self, canvases: Any, device: Any = None) -> dict[str, np.ndarray]:
        """uint8 canvases `[N, S, S]` -> `error` and `density` (minus the log density), each float64 `[N]`."""
        from hilum.inspection.anomaly.features import redraw

        error, code = redraw(self.model, canvases, self.preprocessing, device=device)
        return {"error": error, "density": self.density.score(code)}


def density_of(
    model: Autoencoder, canvases: Any, preprocessing: Preprocessing, bandwidth: float, device: Any
) -> Redrawer:
    """The density of the codes of normal training images; `bandwidth` as in the recipe."""
    from hilum.inspection.anomaly.features import redraw

    _, codes = redraw(model, canvases, preprocessing, device=device)
    return Redrawer(model, preprocessing, KernelDensity.fit(codes, bandwidth=bandwidth))


def run_autoencoder(
    recipe: Recipe,
    manifest: Manifest,
    study_dir: Path,
    options: Options,
    *,
    time_budget: float | None,
    on_step: Callable[[int, int, str], None],
    run: str | None = None,
    open_test: bool = False,
    reason: str = "hilum anomaly",
) -> tuple[Detection, Scores, dict[str, Any]]:
    """Trains a recipe's autoencoder, sets its thresholds on normal validation images, and assesses it.

    A run that finished earlier with the same recipe, data and seed is taken as it is, and one that was killed goes on.

    Args:
        run: the run's folder below `study_dir`; the recipe's name when None.
        open_test: also give figures of the test split; the opening is in the ledger before anything is scored.

    Returns:
        What came of it, the scores, and what `environment.json` holds, `interrupted` (by Ctrl-C) among it.

    Raises:
        RecipeError: not the recipe of an autoencoder.
        UsageError: no class that is normal.
    """
    from hilum.inference.device import choose_device

    if recipe.anomaly is None or recipe.model.name != "autoencoder" or len(recipe.phases) != 1:
        found = f"{recipe.model.name} in {len(recipe.phases)} phases"
        raise RecipeError(
            f"recipe {recipe.name}", expected="`anomaly` set, and an autoencoder in one phase", found=found
        )
    normal = normal_class(manifest, recipe.anomaly.normal)
    run_dir = study_dir / (run or recipe.name)
    preprocessing, device = preprocessing_of(recipe), choose_device(options.device)
    cache = open_cache(manifest, preprocessing, study_dir / "cache")
    environment = _trained(_Job(recipe, manifest, run_dir, cache, normal, options, time_budget, on_step, device))
    redrawer = _read(run_dir, manifest, cache, normal, recipe.anomaly.bandwidth, device)
    splits = ("val", "test") if open_test and len(manifest.split("test")) else ("val",)
    opening, name = None, run_dir.relative_to(study_dir).as_posix()
    if "test" in splits:
        images = len(manifest.split("test"))
        opening = record_scoring(study_dir, name, recipe.name, run_dir / MODEL, run_dir / SCORES, images, reason)
    rows = manifest.table[manifest.table["split"].isin(splits)]
    scores = Scores.of_rows(rows, redrawer.scores(cache.of(rows), device), normal, recipe=recipe.name)
    about = _about(recipe, manifest, normal, run_dir, environment)
    about["pictures"] = draw_pictures(run_dir, redrawer, cache, scores, manifest, options.seed)
    detection = conclude(
        run_dir, scores, rate=1 - recipe.anomaly.quantile, splits=splits, about=about, seed=options.seed,
        replicates=options.replicates,
    )  # fmt: skip
    if opening is not None:
        record_scores(study_dir, opening, run_dir / SCORES)
    return detection, scores, environment


def draw_pictures(
    folder: Path, redrawer: Redrawer, cache: CanvasCache | Any, scores: Scores, manifest: Manifest, seed: int
) -> list[dict[str, Any]]:
    """Writes originals, what was drawn and where they differ, side by side, of some validation images.

    Of each class the images with the highest and the lowest error, and some drawn by the seed.
    """
    import cv2

    from hilum.inspection.anomaly.features import show_redrawn

    val = scores.split("val")
    chosen = list(_examples(val, seed))
    rows = val.table.set_index("image_path").loc[[name for name, _ in chosen]].reset_index()
    sha256 = manifest.table.set_index("image_path")["sha256"]
    shown = show_redrawn(
        redrawer.model,
        cache.of(rows.assign(sha256=sha256.loc[rows["image_path"]].to_numpy()))[:],
        redrawer.preprocessing,
    )
    place = folder / "pictures"
    place.mkdir(parents=True, exist_ok=True)
    found = []
    for number, (name, kind) in enumerate(chosen):
        file = f"pictures/{number:02}-{kind}.png"
        strip = np.hstack([shown.original[number], shown.drawn[number], shown.difference[number]])
        if not cv2.imwrite(str(folder / file), strip):
            raise OSError(f"{folder / file} could not be written")
        row = rows.iloc[number]
        found.append(
            {
                "file": file,
                "image_path": name,
                "label": row["label"],
                "kind": kind,
                **{part: float(row[f"score_{part}"]) for part in scores.names},
            }
        )
    return found


def _examples(val: Scores, seed: int) -> list[tuple[str, str]]:
    """(image, `highest` | `lowest` | `drawn`), class by class, no image twice."""
    found: list[tuple[str, str]] = []
    for label in [val.normal, *sorted(set(val.table["label"]) - {val.normal})]:
        part = val.table[val.table["label"] == label].sort_values("score_error", kind="stable")
        names = part["image_path"].tolist()
        ends = [(each, "highest") for each in names[::-1][:EXAMPLES]] + [(each, "lowest") for each in names[:EXAMPLES]]
        ends = list({name: (name, kind) for name, kind in ends[::-1]}.values())[::-1]
        rest = sorted(set(names) - {name for name, _ in ends})
        drawn = np.random.default_rng([seed, 5]).permutation(len(rest))[:EXAMPLES]
        found += [*((rest[each], "drawn") for each in drawn), *ends]
    return found


@dataclass(frozen=True)
class _Job:
    """A recipe's autoencoder, on what and into which folder it is trained."""

    recipe: Recipe
    manifest: Manifest
    run_dir: Path
    cache: CanvasCache
    normal: str
    options: Options
    time_budget: float | None
    on_step: Callable[[int, int, str], None]
    device: Any

    def normals(self, split: str) -> pd.DataFrame:
        """The normal images of a split."""
        return _normals(self.manifest, split, self.normal)


def _trained(job: _Job) -> dict[str, Any]:
    """Sees that the run's model file is there; returns what `environment.json` holds."""
    recipe, run_dir = job.recipe, job.run_dir
    trained = to_json(replace(recipe, anomaly=None))  # a threshold can be moved without training again
    identity = digest_of(trained, job.manifest.fingerprint, job.options.seed, job.normal)
    known = read_json(run_dir / "environment.json")
    if known and known.get("identity") == identity and not known["interrupted"] and (run_dir / MODEL).exists():
        return known
    _make_room(run_dir, identity)
    begun = {"identity": identity, "time": now(), "recipe": to_json(recipe), "manifest": job.manifest.fingerprint}
    write_json(run_dir / "begun.json", {**begun, "options": job.options.of_a_run()})
    resolved = {**to_json(recipe), "preprocessing": preprocessing_of(recipe).to_json()}
    write_json(run_dir / "recipe.json", resolved)
    model, result, seconds = _fitted(job)
    from hilum.models import save_model

    save_model(
        run_dir / MODEL, model, labels=(), preprocessing=preprocessing_of(recipe).to_json(), recipe=resolved,
        fingerprint=job.manifest.fingerprint, extras={"normal": job.normal},
    )  # fmt: skip
    environment = {"identity": identity, **_environment(recipe, model, result, seconds)}
    write_json(run_dir / "environment.json", environment)
    if not result.interrupted:  # else the same command goes on from there
        shutil.rmtree(run_dir / "checkpoints", ignore_errors=True)
    return environment


def _environment(recipe: Recipe, model: Autoencoder, result: FitResult, seconds: float) -> dict[str, Any]:
    return {
        "recipe": recipe.name,
        "model": recipe.model.name,
        "parameters": sum(each.numel() for each in model.parameters()),
        "batch_size": result.batch_size,
        "epochs_planned": result.epochs_planned,
        "epochs_done": len(result.history),
        "best_epoch": result.best_epoch,
        "val_loss": result.best_val_loss,
        "seconds": round(seconds, 2),
        "images_per_second": result.images_per_second,
        "stopped": result.stopped,
        "interrupted": result.interrupted,
        "versions": versions(),
    }


def _fitted(job: _Job) -> tuple[Autoencoder, FitResult, float]:
    from hilum.models.autoencoder import create_autoencoder
    from hilum.training.reconstruction import fit_autoencoder

    began, recipe = time.monotonic(), job.recipe
    model = create_autoencoder(
        image_size=recipe.preprocessing.image_size, in_channels=recipe.preprocessing.channels, seed=job.options.seed
    )
    train, val = (job.cache.of(job.normals(split)) for split in ("train", "val"))
    result = fit_autoencoder(
        model, train, val, phase=phases_of(recipe)[0], run_dir=job.run_dir, device=job.device,
        augmentation=augmentation_of(recipe), batch_size=recipe.batch_size, time_budget=job.time_budget,
        seed=job.options.seed, on_step=job.on_step,
    )  # fmt: skip
    return model, result, time.monotonic() - began


def _read(
    run_dir: Path, manifest: Manifest, cache: CanvasCache, normal: str, bandwidth: float, device: Any
) -> Redrawer:
    """What was saved, not what is in memory: what is assessed is what a user will load."""
    from hilum.models.autoencoder import load_autoencoder

    model, header = load_autoencoder(run_dir / MODEL)
    train = cache.of(_normals(manifest, "train", normal))
    return density_of(model.to(device), train, Preprocessing(**header.preprocessing), bandwidth, device)


def _normals(manifest: Manifest, split: str, normal: str) -> pd.DataFrame:
    rows = manifest.split(split)
    return rows[rows["label"] == normal]


def _make_room(run_dir: Path, identity: str) -> None:
    """Keeps what a killed run of the same kind left; puts anything else aside, for it may be somebody's work."""
    begun = read_json(run_dir / "begun.json")
    if run_dir.exists() and any(run_dir.iterdir()) and (not begun or begun["identity"] != identity):
        number = 1
        while (aside := run_dir.with_name(f"{run_dir.name}.before-{number}")).exists():
            number += 1
        run_dir.rename(aside)
    run_dir.mkdir(parents=True, exist_ok=True)


def _about(
    recipe: Recipe, manifest: Manifest, normal: str, run_dir: Path, environment: Mapping[str, Any]
) -> dict[str, Any]:
    train = _normals(manifest, "train", normal)
    return {
        "fitted_on": {"images": len(train), "patients": int(train["patient_id"].nunique())},
        "model": {"file": f"{run_dir.name}/{MODEL}", "sha256": file_sha256(run_dir / MODEL)},
        "recipe": recipe.name,
        "own_rule": recipe.anomaly.score if recipe.anomaly else "",
        "autoencoder": {
            "image_size": recipe.preprocessing.image_size,
            "epochs": environment["epochs_done"],
            "best_epoch": environment["best_epoch"],
            "seconds": environment["seconds"],
            "parameters": environment["parameters"],
        },
        "remarks": [environment["stopped"]] if environment["stopped"] else [],
    }
