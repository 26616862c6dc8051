"""A frozen backbone is run once for each view, not once for each epoch: the head trains on what it gave."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hilum.data.cache import let_go, reserve
from hilum.inference.memory import has_room
from hilum.inference.predict import embed_images
from hilum.models.classifier import Classifier
from hilum.training.datamodule import Examples, Rows
from hilum.transforms import Augmentation, Preprocessing, augment

IN_MEMORY = 256 << 20
"""Bytes of features that are held in memory; more lie in a file that is mapped, so that a run does not grow with its
images."""

BLOCK = 8192
"""Images whose features are in memory at once before they are written there."""


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


@dataclass(frozen=True)
class Part:
    """The rows of others from `start` on, `count` of them, as rows of their own."""

    rows: Rows
    start: int
    count: int

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, positions: Any) -> np.ndarray:
        return self.rows[self.start + np.arange(self.count)[positions]]


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
    file: Path | None = None,
) -> np.ndarray:
    """float32 `[V, N, D]`: the embeddings of V views of each image; the first view is the plain one.

    On a CPU they may be computed in bfloat16, which adds less noise than a change of the picture does that a head is
    to bear (`hilum.inference.parity.NOISE`). Predictions are made with exact arithmetic all the same; so within a
    study, which asks for the plain pictures again and remembers them, those are computed exactly and once.

    Args:
        views: how many; more than one only makes sense with an augmentation.
        on_images: called with the number of images done since the last call.
        file: where they lie when they are more than `IN_MEMORY`; the array is then a map of it, read-only.
    """
    plain = examples.inputs
    rows = [plain, *(AugmentedRows(plain, augmentation, seed, view) for view in range(1, views))]
    features = make_room((views, len(plain), model.embedding_dim), file)
    remembered = has_room(len(plain), model.embedding_dim)
    for view, each in enumerate(rows):
        precision = "32" if remembered and view == 0 else "features"
        ends = np.linspace(0, len(each), 1 + max(1, -(-len(each) // BLOCK))).astype(int).tolist()
        for start, end in pairwise(ends):
            features[view, start:end] = embed_images(
                model, Part(each, start, end - start), preprocessing, device=device, precision=precision,
                on_batch=on_images,
            )  # fmt: skip
            let_go(features, (end - start) * features.itemsize * features.shape[2])
    return np.load(file, mmap_mode="r") if file and isinstance(features, np.memmap) else features


def make_room(shape: tuple[int, ...], file: Path | None) -> np.ndarray:
    """float32 of a shape: in memory, or a map of the file when it takes more than `IN_MEMORY`."""
    if file is None or 4 * np.prod(shape) <= IN_MEMORY:
        return np.empty(shape, np.float32)
    file.parent.mkdir(parents=True, exist_ok=True)
    room = np.lib.format.open_memmap(file, "w+", np.float32, shape)
    reserve(file)
    return room


def head_examples(features: np.ndarray, examples: Examples) -> Examples:
    """Validation examples whose inputs are features `[N, D]` of the plain view."""
    return replace(examples, inputs=features[0])
