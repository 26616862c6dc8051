"""A frozen backbone is run once for each view, not once for each epoch: the head trains on what it gave."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from hilum.inference.predict import embed_images
from hilum.models.classifier import Classifier
from hilum.training.datamodule import Examples, Rows
from hilum.transforms import Augmentation, Preprocessing, augment


@dataclass(frozen=True)
class AugmentedRows:
    """A view of canvases: the same changes to the same image whenever it is asked for."""

    canvases: Rows
    augmentation: Augmentation
    seed: int
    view: int

    def __len__(self) -> int:
        return len(self.canvases)

    def __getitem__(self, positions: Any) -> np.ndarray:
        rows = np.arange(len(self))[positions]
        some = np.atleast_1d(rows)
        seeds = [(self.seed, self.view, int(row)) for row in some]
        changed = augment(np.ascontiguousarray(self.canvases[some]), self.augmentation, seeds)
        return changed if np.ndim(rows) else changed[0]


class HeadOnly(torch.nn.Module):
    """The head of a classifier as a network of its own: embeddings `[B, D]` -> logits `[B, K]`."""

    def __init__(self, model: Classifier) -> None:
        super().__init__()
        self.head = model.head

    def forward(self, embedding: torch.Tensor) -> torch.Tensor:
        return self.head(embedding)


def feature_examples(
    model: Classifier,
    examples: Examples,
    *,
    preprocessing: Preprocessing,
    augmentation: Augmentation,
    views: int,
    seed: int,
    device: torch.device,
    on_images: Callable[[int], None] | None = None,
) -> np.ndarray:
    """float32 `[V, N, D]`: the embeddings of V views of each image; the first view is the plain one.

    On a CPU they may be computed in bfloat16, which moves an embedding by up to 2 % of its length: less than the noise
    that a head is trained with. Predictions are made with exact arithmetic all the same.

    Args:
        views: how many; more than one only makes sense with an augmentation.
        on_images: called with the number of images done since the last call.
    """
    plain = examples.inputs
    rows = [plain, *(AugmentedRows(plain, augmentation, seed, view) for view in range(1, views))]
    return np.stack(
        [embed_images(model, each, preprocessing, device=device, precision="auto", on_batch=on_images) for each in rows]
    )


def head_examples(features: np.ndarray, examples: Examples) -> Examples:
    """Validation examples whose inputs are features `[N, D]` of the plain view."""
    return replace(examples, inputs=features[0])
