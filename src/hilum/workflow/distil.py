"""What a few networks of a recipe's kind think of training images that they never saw: targets for the one that stays.

Each member is trained without one fold of the training images, patient by patient, and predicts that fold. So nothing
that it says of an image was learned from the image or from another of the same patient. The members are not kept: what
is saved, exported and served is one network (docs/decisions/0009-one-network-that-learned-from-several.md).
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from hilum.data.cache import CanvasCache
from hilum.data.manifest import Manifest
from hilum.data.splits import connected_groups
from hilum.errors import DataError, RecipeError
from hilum.recipes.schema import Distil, Recipe
from hilum.training.keeper import Interrupted, save_beside
from hilum.workflow.network import network_of, phases_of, settings_of
from hilum.workflow.options import Options

if TYPE_CHECKING:
    import torch

    from hilum.training.datamodule import Examples

MEMBERS = "members"


@dataclass(frozen=True)
class Teaching:
    """What the members of a run are trained with.

    Args:
        time_budget: seconds for the members and the network that learns from them; None = no limit.
        on_step: progress.
    """

    recipe: Recipe
    manifest: Manifest
    cache: CanvasCache
    run_dir: Path
    options: Options
    device: torch.device
    time_budget: float | None = None
    on_step: Callable[[int, int, str], None] | None = None


def with_soft_targets(teaching: Teaching, train: Examples, val: Examples) -> tuple[Examples, str, float | None]:
    """The training examples with what the members think of each, a sentence about it, and the seconds that are left.

    A member that is done is not trained again when the run goes on after it was killed.

    Args:
        train: of the manifest's training rows, in their order.
        val: what each member chooses its best epoch by.

    Raises:
        RecipeError: settings that cannot be.
        DataError: fewer patients of a class than folds.
        Interrupted: Ctrl-C was pressed while a member was trained.
    """
    distil = teaching.recipe.distil
    if distil is None:
        return train, "", teaching.time_budget
    _check(distil)
    started, rows = time.monotonic(), teaching.manifest.split("train")
    groups = connected_groups(rows["patient_id"], rows["sha256"])
    folds = fold_of_each(train.targets, groups, distil.folds, teaching.options.seed)
    soft = np.zeros((len(train.targets), len(teaching.manifest.labels)), np.float32)
    left = budget = teaching.time_budget
    for number in range(distil.folds):
        share = None if left is None else left / (distil.folds - number + 1)
        soft[folds == number] = _think(teaching, number, folds, train, val, share)
        left = None if budget is None else max(budget - (time.monotonic() - started), 0.0)
    agree = int((soft.argmax(1) == train.targets).sum())
    sentence = (
        f"{distil.folds} members, each trained without a fold of the training images, agree with the labels of "
        f"{agree:,} of {len(soft):,} images that they never saw; what they think has {distil.share:.0%} of the loss."
    )
    return replace(train, soft=soft), sentence, left


def fold_of_each(targets: np.ndarray, groups: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """int64 `[N]`: the fold of each image, stratified by class, each group in one fold.

    Raises:
        DataError: a class with fewer groups than folds.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    fewest = min(len(np.unique(groups[targets == each])) for each in np.unique(targets))
    if fewest < folds:
        expected = f"patients of every class for {folds} folds"
        raise DataError("training images", expected=expected, found=str(fewest), way_out="Lower distil.folds.")
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    found = np.zeros(len(targets), np.int64)
    for number, (_, held) in enumerate(splitter.split(targets, targets, groups)):
        found[held] = number
    return found


def _check(distil: Distil) -> None:
    if distil.folds < 2 or not 0 <= distil.share <= 1:
        found = f"{distil.folds} and {distil.share:g}"
        raise RecipeError("distil.folds, distil.share", expected="2 or more, a share from 0 to 1", found=found)


def _think(
    teaching: Teaching, number: int, folds: np.ndarray, train: Examples, val: Examples, seconds: float | None
) -> np.ndarray:
    """float32 `[N, K]`: the probabilities that one member gives for its fold; trains it unless it is done."""
    folder = teaching.run_dir / MEMBERS / f"fold-{number + 1}"
    file = folder / "probs.npy"
    if not file.exists():
        probs = _train_member(teaching, number, folds, train, val, folder, seconds)
        save_beside(file, lambda path: np.save(path, probs))
        shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    return np.load(file)


def _train_member(
    teaching: Teaching,
    number: int,
    folds: np.ndarray,
    train: Examples,
    val: Examples,
    folder: Path,
    seconds: float | None,
) -> np.ndarray:
    from hilum.inference.predict import predict_logits
    from hilum.training.datamodule import Examples
    from hilum.training.fit import fit

    options = replace(teaching.options, seed=teaching.options.seed + number + 1)
    recipe = replace(teaching.recipe, distil=None, overfit_check=False)
    model, preprocessing = network_of(recipe, teaching.manifest, options)
    rows = teaching.manifest.split("train")
    rest, held = (teaching.cache.of(rows[chosen]) for chosen in (folds != number, folds == number))
    result = fit(
        model,
        Examples(rest, train.targets[folds != number]),
        val,
        preprocessing=preprocessing,
        phases=phases_of(recipe),
        settings=settings_of(recipe, options),
        run_dir=folder,
        device=teaching.device,
        time_budget=seconds,
        on_step=teaching.on_step,
    )
    if result.interrupted:
        raise Interrupted
    logits = predict_logits(model, held, preprocessing, views=["plain"], device=teaching.device)
    return special.softmax(logits.astype(np.float64), axis=1).astype(np.float32)
