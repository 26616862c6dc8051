"""Four ways to treat classes of unequal size; all act on the training images of one epoch, after the split."""

from __future__ import annotations

import numpy as np

from hilum.errors import RecipeError

BALANCES = ("as-is", "undersampled", "oversampled", "class-weights")


def epoch_order(targets: np.ndarray, balance: str, *, seed: int, epoch: int) -> np.ndarray:
    """Which training images an epoch shows, in which order.

    Args:
        targets: int64 `[N]`.
        balance: `as-is` and `class-weights` show each image once; `undersampled` shows as many of each class as the
            smallest has, the same ones in every epoch; `oversampled` shows every image once and fills each class up
            to the largest with repeats drawn anew in each epoch.

    Returns:
        int64 positions, shuffled by (seed, epoch) alone.

    Raises:
        RecipeError: an unknown balance.
    """
    if balance not in BALANCES:
        raise RecipeError("balance", expected=f"one of {', '.join(BALANCES)}", found=balance)
    generator = np.random.default_rng([seed, epoch])
    classes = [np.flatnonzero(targets == target) for target in np.unique(targets)]
    if balance == "undersampled":
        least = min(map(len, classes))
        fixed = np.random.default_rng(seed)
        classes = [fixed.permutation(members)[:least] for members in classes]
    elif balance == "oversampled":
        most = max(map(len, classes))
        classes = [np.concatenate([members, generator.choice(members, most - len(members))]) for members in classes]
    return generator.permutation(np.concatenate(classes))


def class_weights(targets: np.ndarray, num_classes: int) -> np.ndarray:
    """Weights inversely proportional to class size, 1 on average over the images.

    Args:
        targets: int64 `[N]`.

    Returns:
        float32 `[K]`: `N / (K * n_k)`, 0 for a class without images (as scikit-learn's `balanced`).
    """
    counts = np.bincount(targets, minlength=num_classes)
    weights = np.divide(len(targets), num_classes * counts, out=np.zeros(num_classes), where=counts > 0)
    return weights.astype(np.float32)
