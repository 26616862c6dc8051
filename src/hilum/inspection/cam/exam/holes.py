"""Pictures with holes where maps are hot, and what is left of the answer: all maps and all pictures in one pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hilum.inference import predict_logits
from hilum.inspection.cam.exam.delete import FRACTIONS, delete, moved_elsewhere
from hilum.models.classifier import Classifier
from hilum.transforms.preprocessing import Preprocessing

KINDS = ("map", "elsewhere")
"""What is deleted: what a map marks, and the same shape laid elsewhere on the picture."""

BATCH = 32


class Holes:
    """N pictures times M maps times `KINDS` times `FRACTIONS`, fractions last; made when a slice asks for them.

    Args:
        canvases: uint8 `[N, S, S]`.
        heats: of each kind of map, float32 `[N, S, S]`.
        seed: what is drawn for a picture depends on it and on the picture's place alone.
    """

    def __init__(self, canvases: np.ndarray, heats: Sequence[np.ndarray], seed: int) -> None:
        self.canvases, self.heats, self.seed = canvases, heats, seed
        self.shape = (len(heats), len(canvases), len(KINDS), len(FRACTIONS))

    def __len__(self) -> int:
        return int(np.prod(self.shape))

    def __getitem__(self, positions: Any) -> np.ndarray:
        """uint8 `[B, S, S]` for a slice."""
        made = [self._one(*map(int, np.unravel_index(at, self.shape))) for at in range(*positions.indices(len(self)))]
        return np.stack(made) if made else np.empty((0, *self.canvases.shape[1:]), np.uint8)

    def _one(self, number: int, position: int, kind: int, share: int) -> np.ndarray:
        canvas, marked = self.canvases[position], self.heats[number][position]
        if KINDS[kind] == "elsewhere":  # the same place for every share
            marked = moved_elsewhere(marked, canvas, np.random.default_rng([self.seed, 7, number, position]))
        rng = np.random.default_rng([self.seed, 8, number, position, kind, share])
        return delete(canvas, marked, FRACTIONS[share], rng)


def deletion_curves(
    model: Classifier,
    canvases: np.ndarray,
    heats: Mapping[str, np.ndarray],
    target: np.ndarray,
    preprocessing: Preprocessing,
    seed: int,
) -> dict[str, dict[str, np.ndarray]]:
    """Probability of each picture's class once shares of it are gone.

    Args:
        heats: name -> float32 `[N, S, S]`.
        target: int `[N]`.

    Returns:
        Name -> kind -> float64 `[N, fractions]`; NaN where a map is 0 everywhere: it marks nothing, and what would be
        deleted is chance.
    """
    holes = Holes(canvases, list(heats.values()), seed)
    logits = predict_logits(model, holes, preprocessing, batch_size=BATCH)
    maps, images, kinds, shares = holes.shape
    probs = probs_of(logits, np.tile(np.repeat(target, kinds * shares), maps)).reshape(holes.shape)
    curves = {}
    for number, (name, heat) in enumerate(heats.items()):
        marks = heat.reshape(images, -1).max(axis=1)[:, None] > 0
        curves[name] = {kind: np.where(marks, probs[number, :, at], np.nan) for at, kind in enumerate(KINDS)}
    return curves


def probs_of(logits: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Probability of each image's own class: logits `[N, K]`, classes int `[N]` -> `[N]`."""
    exps = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return (exps / exps.sum(axis=1, keepdims=True))[np.arange(len(target)), target]
