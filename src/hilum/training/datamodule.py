"""Canvases or features -> batches; what an image looks like depends on seed, epoch and image alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from hilum.data.balance import epoch_order
from hilum.transforms import Augmentation, augment

Batch = dict[str, torch.Tensor]


class Rows(Protocol):
    """Something that gives rows for an array of positions: a CanvasView, or an array of features."""

    def __len__(self) -> int: ...

    def __getitem__(self, positions: Any) -> np.ndarray: ...


@dataclass(frozen=True)
class Examples:
    """Inputs and targets of one split, in one order.

    Args:
        inputs: uint8 canvases `[N, S, S]`, or float32 features `[V, N, D]` of V views.
        targets: int64 `[N]`.
    """

    inputs: Rows
    targets: np.ndarray


class ExampleDataset(Dataset):
    """Whole batches at a time: one fancy index into the cache, one augmentation call."""

    def __init__(self, examples: Examples, augmentation: Augmentation, seed: int) -> None:
        self.examples, self.augmentation, self.seed, self.epoch = examples, augmentation, seed, 0

    def __len__(self) -> int:
        return len(self.examples.targets)

    def __getitems__(self, positions: Sequence[int]) -> Batch:
        repeats, rows = np.divmod(np.asarray(positions), len(self))
        inputs = np.ascontiguousarray(self.examples.inputs[rows])
        numbers = zip(rows.tolist(), repeats.tolist(), strict=True)
        seeds = [(self.seed, self.epoch, row, *([repeat] if repeat else [])) for row, repeat in numbers]
        inputs = augment(inputs, self.augmentation, seeds)
        return {"inputs": torch.from_numpy(inputs), "target": torch.from_numpy(self.examples.targets[rows])}


class FeatureDataset(Dataset):
    """Features of V views of each image; an epoch sees one view of each, drawn by (seed, epoch)."""

    def __init__(self, features: np.ndarray, targets: np.ndarray, seed: int) -> None:
        self.features, self.targets, self.seed, self.epoch = features, targets, seed, 0

    def __len__(self) -> int:
        return len(self.targets)

    def __getitems__(self, positions: Sequence[int]) -> Batch:
        rows = np.asarray(positions) % len(self)
        views = np.random.default_rng([self.seed, self.epoch]).integers(len(self.features), size=len(self))
        inputs = self.features[views[rows], rows]
        return {"inputs": torch.from_numpy(inputs), "target": torch.from_numpy(self.targets[rows])}


class EpochOrder(Sampler):
    """The balanced, shuffled order of an epoch; the n-th repeat of image i has the number i + n * N."""

    def __init__(self, dataset: ExampleDataset | FeatureDataset, targets: np.ndarray, balance: str, seed: int) -> None:
        self.dataset, self.targets, self.balance, self.seed = dataset, targets, balance, seed

    def __len__(self) -> int:
        return len(epoch_order(self.targets, self.balance, seed=self.seed, epoch=0))

    def __iter__(self) -> Iterator[int]:
        order = epoch_order(self.targets, self.balance, seed=self.seed, epoch=self.dataset.epoch)
        return iter((order + len(self.targets) * _repeats(order)).tolist())


def _repeats(order: np.ndarray) -> np.ndarray:
    """int64 `[M]`: how often each entry has stood in the order before."""
    sorted_places = np.argsort(order, kind="stable")
    first = np.r_[True, np.diff(order[sorted_places]) != 0]
    starts = np.maximum.accumulate(np.where(first, np.arange(len(order)), 0))
    repeats = np.empty(len(order), np.int64)
    repeats[sorted_places] = np.arange(len(order)) - starts
    return repeats


def train_loader(
    dataset: ExampleDataset | FeatureDataset, targets: np.ndarray, *, balance: str, batch_size: int, seed: int
) -> DataLoader:
    """Batches of an epoch; the last, smaller one is dropped unless it is the only one (batch norm wants company)."""
    sampler = EpochOrder(dataset, targets, balance, seed)
    whole = len(sampler) >= batch_size
    return DataLoader(dataset, batch_size, sampler=sampler, drop_last=whole, collate_fn=as_it_is)


def val_loader(examples: Examples, batch_size: int) -> DataLoader:
    """Every image once, in order, as it is."""
    return DataLoader(ExampleDataset(examples, Augmentation(), 0), batch_size, collate_fn=as_it_is)


def as_it_is(batch: Any) -> Batch:
    """The dataset already gave a batch."""
    return batch
