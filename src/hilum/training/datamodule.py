"""Canvases or features -> batches; what an image looks like depends on seed, epoch and image alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from hilum.data.balance import epoch_order
from hilum.data.cache import let_go
from hilum.training.processes import world
from hilum.transforms import Augmentation, augment
from hilum.transforms.on_device import augment_on_device

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
        soft: float32 `[N, K]`, what other networks think of each training image, in probabilities; None = nothing.
    """

    inputs: Rows
    targets: np.ndarray
    soft: np.ndarray | None = None


DEVICE_SHARE = 0.5
"""Of a GPU's free memory that canvases may take."""


@dataclass(frozen=True)
class DeviceRows:
    """Canvases that lie on a device as a whole, uint8 `[N, S, S]`."""

    canvases: torch.Tensor

    def __len__(self) -> int:
        return len(self.canvases)

    def __getitem__(self, positions: Any) -> np.ndarray:
        return (
            self.canvases[torch.as_tensor(np.arange(len(self))[positions], device=self.canvases.device)].cpu().numpy()
        )

    def take(self, rows: np.ndarray) -> torch.Tensor:
        """Some of them, where they are."""
        return self.canvases.index_select(0, torch.from_numpy(rows).to(self.canvases.device, non_blocking=True))


def on_device(examples: Examples, device: torch.device, block: int = 1024) -> Examples:
    """The same examples with their canvases on a GPU, where they fit; as they are anywhere else."""
    if device.type != "cuda" or not len(examples.inputs):
        return examples
    size = len(examples.inputs) * np.asarray(examples.inputs[:1]).nbytes
    return moved(examples, device, block) if size < DEVICE_SHARE * torch.cuda.mem_get_info(device)[0] else examples


def moved(examples: Examples, device: torch.device, block: int = 1024) -> Examples:
    """The same examples with their canvases on a device, a block at a time."""
    rows = examples.inputs
    place = torch.empty((len(rows), *np.asarray(rows[:1]).shape[1:]), dtype=torch.uint8, device=device)
    for start in range(0, len(rows), block):
        place[start : start + block] = torch.from_numpy(np.array(rows[start : start + block]))
    return replace(examples, inputs=DeviceRows(place))


class ExampleDataset(Dataset):
    """Whole batches at a time: one fancy index into the cache, one augmentation call."""

    def __init__(self, examples: Examples, augmentation: Augmentation, seed: int) -> None:
        self.examples, self.augmentation, self.seed, self.epoch = examples, augmentation, seed, 0

    def __len__(self) -> int:
        return len(self.examples.targets)

    def __getitems__(self, positions: Sequence[int]) -> Batch:
        repeats, rows = np.divmod(np.asarray(positions), len(self))
        numbers = zip(rows.tolist(), repeats.tolist(), strict=True)
        seeds = [(self.seed, self.epoch, row, *([repeat] if repeat else [])) for row, repeat in numbers]
        batch = {"inputs": self._inputs(rows, seeds), "target": torch.from_numpy(self.examples.targets[rows])}
        if self.examples.soft is not None:
            batch["soft"] = torch.from_numpy(self.examples.soft[rows])
        return batch

    def _inputs(self, rows: np.ndarray, seeds: Sequence[Sequence[int]]) -> torch.Tensor:
        held = self.examples.inputs
        if isinstance(held, DeviceRows):
            return augment_on_device(held.take(rows), self.augmentation, seeds)
        inputs = np.ascontiguousarray(held[rows])
        if isinstance(held, np.ndarray):
            let_go(held, inputs.nbytes)
        return torch.from_numpy(augment(inputs, self.augmentation, seeds))


class FeatureDataset(Dataset):
    """Features of V views of each image; an epoch sees one view of each, drawn by (seed, epoch).

    Args:
        features: float32 `[V, N, ...]`.
        targets, soft: as in `Examples`.
    """

    def __init__(self, features: np.ndarray, targets: np.ndarray, seed: int, soft: np.ndarray | None = None) -> None:
        self.features, self.targets, self.soft, self.seed, self.epoch = features, targets, soft, seed, 0

    def __len__(self) -> int:
        return len(self.targets)

    def __getitems__(self, positions: Sequence[int]) -> Batch:
        rows = np.asarray(positions) % len(self)
        views = np.random.default_rng([self.seed, self.epoch]).integers(len(self.features), size=len(self))
        inputs = self.features[views[rows], rows]
        let_go(self.features, inputs.nbytes)
        batch = {"inputs": torch.from_numpy(inputs), "target": torch.from_numpy(self.targets[rows])}
        if self.soft is not None:
            batch["soft"] = torch.from_numpy(self.soft[rows])
        return batch


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


class Shares(Sampler):
    """Whole batches of an order, of each the share of this process: together they are the batches of one process.

    Args:
        order: positions, one epoch of them.
        batch_size: of all processes together.
        drop_last: leave out the last batch when it is smaller.
    """

    def __init__(self, order: EpochOrder, batch_size: int, drop_last: bool) -> None:
        self.order, self.batch_size, self.drop_last = order, batch_size, drop_last

    def __len__(self) -> int:
        whole, rest = divmod(len(self.order), self.batch_size)
        return whole + bool(rest and not self.drop_last)

    def __iter__(self) -> Iterator[list[int]]:
        (rank, count), order = world(), list(self.order)
        for start in range(0, len(self) * self.batch_size, self.batch_size):
            yield order[start : start + self.batch_size][rank::count]


def train_loader(
    dataset: ExampleDataset | FeatureDataset, targets: np.ndarray, *, balance: str, batch_size: int, seed: int
) -> DataLoader:
    """Batches of an epoch; the last, smaller one is dropped unless it is the only one (batch norm wants company).

    Args:
        batch_size: of all processes together; each gets its share of every batch.
    """
    sampler = EpochOrder(dataset, targets, balance, seed)
    whole = len(sampler) >= batch_size
    return DataLoader(dataset, batch_sampler=Shares(sampler, batch_size, whole), collate_fn=as_it_is)


def val_loader(examples: Examples, batch_size: int) -> DataLoader:
    """Every image once, in order, as it is; of several processes each gets every n-th (see `in_order`)."""
    rank, count = world()
    dataset = ExampleDataset(examples, Augmentation(), 0)
    if count == 1:
        return DataLoader(dataset, batch_size, collate_fn=as_it_is)
    mine = range(rank, len(dataset), count)
    return DataLoader(dataset, max(1, batch_size // count), sampler=mine, collate_fn=as_it_is)


def in_order(parts: Sequence[torch.Tensor]) -> torch.Tensor:
    """What the processes found for their every n-th image, as one: none is left out, none is there twice."""
    whole = torch.empty((sum(map(len, parts)), *parts[0].shape[1:]), dtype=parts[0].dtype)
    for number, part in enumerate(parts):
        whole[number :: len(parts)] = part
    return whole


def as_it_is(batch: Any) -> Batch:
    """The dataset already gave a batch."""
    return batch
