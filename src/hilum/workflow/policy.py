"""Test-time augmentation of a run: what it gains on validation, and which of several policies is taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hilum.evaluation.gain import paired_gain
from hilum.recipes.schema import Recipe
from hilum.transforms import View
from hilum.transforms.tta import BUILT_IN, find_unseen
from hilum.workflow.network import augmentation_of, views_of

if TYPE_CHECKING:
    import torch

    from hilum.data.cache import CanvasView
    from hilum.models import Classifier
    from hilum.transforms import Preprocessing

PLAIN = (BUILT_IN["plain"],)


@dataclass(frozen=True)
class PolicyChoice:
    """The views that a run predicts with.

    Args:
        name: of the policy.
        views: whose probabilities are averaged.
        table: one row a policy: `policy`, `views`, `chosen`, and on validation `accuracy`, `log_loss` and what both
            gain over the plain picture, `accuracy_gain` and `log_loss_gain` with `_low` and `_high`, paired by
            image; above 0 is better. Empty where there is nothing to compare.
        warnings: sentences on views that show what training never did.
    """

    name: str
    views: tuple[View, ...]
    table: tuple[dict[str, Any], ...] = ()
    warnings: tuple[str, ...] = ()


def choose_policy(
    recipe: Recipe,
    model: Classifier,
    preprocessing: Preprocessing,
    canvases: CanvasView,
    rows: pd.DataFrame,
    target: np.ndarray,
    *,
    seed: int,
    replicates: int,
    device: torch.device,
) -> PolicyChoice:
    """The recipe's policy, or the best of its candidates by log loss on validation.

    Args:
        canvases, rows, target: of the validation split, in one order.
        seed: of random views and of the bootstrap.
    """
    policies = _policies(recipe)
    warnings = tuple(
        dict.fromkeys(
            sentence
            for views in policies.values()
            for sentence in find_unseen(views, augmentation_of(recipe), equalised=recipe.preprocessing.equalise)
        )
    )
    if list(policies) == ["plain"]:
        return PolicyChoice("plain", PLAIN)
    probs = _probs(model, preprocessing, canvases, policies, seed, device)
    figures = {name: _each(probs[name], target) for name in policies}
    candidates = [name for name in policies if not recipe.tta_candidates or name in _candidates(recipe)]
    best = min(candidates, key=lambda name: -figures[name][1].mean()) if recipe.tta_candidates else "recipe"
    patients = rows["patient_id"].tolist()
    table = []
    for name, views in policies.items():
        row: dict[str, Any] = {"policy": name, "views": [view.to_json() for view in views], "chosen": name == best}
        row |= {"accuracy": float(figures[name][0].mean()), "log_loss": float(-figures[name][1].mean())}
        for figure, plain, own in zip(("accuracy", "log_loss"), figures["plain"], figures[name], strict=True):
            gain = asdict(paired_gain(plain, own, patients, seed=seed, replicates=replicates))
            row |= {f"{figure}_gain": gain["value"]}
            row |= {f"{figure}_gain_low": gain["ci_low"], f"{figure}_gain_high": gain["ci_high"]}
        table.append(row)
    return PolicyChoice(best, policies[best], tuple(table), warnings)


def describe_gain(choice: PolicyChoice, images: int) -> str:
    """One sentence on what the chosen policy gains on validation."""
    row = next(row for row in choice.table if row["chosen"])
    low, high = row["accuracy_gain_low"], row["accuracy_gain_high"]
    gain = f"{100 * row['accuracy_gain']:+.1f} points of accuracy [{100 * low:+.1f}, {100 * high:+.1f}]"
    chosen = f", chosen among {len(choice.table)} by log loss," if len(choice.table) > 2 else ""
    name = "Test-time augmentation" if choice.name == "recipe" else f"Test-time augmentation {choice.name}"
    unsure = " The interval holds 0: it may gain nothing." if low <= 0 <= high else ""
    return f"{name}{chosen} changes {gain} on the {images:,} validation images.{unsure}"


def _policies(recipe: Recipe) -> dict[str, tuple[View, ...]]:
    """Name -> views; `plain` first: it is what gains are measured against."""
    if recipe.tta_candidates:
        return {"plain": PLAIN} | {policy.name: views_of(policy.views) for policy in recipe.tta_candidates}
    own = views_of(recipe.tta)
    return {"plain": PLAIN} | ({} if own == PLAIN else {"recipe": own})


def _candidates(recipe: Recipe) -> Sequence[str]:
    return ["plain", *(policy.name for policy in recipe.tta_candidates)]


def _probs(
    model: Classifier,
    preprocessing: Preprocessing,
    canvases: CanvasView,
    policies: dict[str, tuple[View, ...]],
    seed: int,
    device: torch.device,
) -> dict[str, np.ndarray]:
    """Policy -> mean probabilities `[N, K]`; each distinct view is predicted once."""
    from hilum.inference.predict import predict_views

    distinct = list(dict.fromkeys(view for views in policies.values() for view in views))
    scores = [
        predict_views(model, canvases, preprocessing, views=(view,), view_seed=seed, device=device)[0]
        for view in distinct
    ]
    probs = dict(zip(distinct, np.exp(np.asarray(scores, np.float64)), strict=True))
    return {name: np.mean([probs[view] for view in views], axis=0) for name, views in policies.items()}


def _each(probs: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each image 1.0 where it is called right, and the logarithm of its true class's probability."""
    right = (probs.argmax(axis=1) == target).astype(np.float64)
    return right, np.log(np.maximum(probs[np.arange(len(target)), target], 1e-12))
