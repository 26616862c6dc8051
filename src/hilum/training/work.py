"""One phase made ready: a network, its batches, and the plan that a time budget leaves."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

from hilum.errors import OutOfTime
from hilum.training.datamodule import ExampleDataset, Examples, FeatureDataset, train_loader, val_loader
from hilum.training.features import HeadOnly
from hilum.training.keeper import save_beside
from hilum.training.phase import Phase
from hilum.training.probe import few_examples, probe_precision
from hilum.training.processes import share
from hilum.transforms import Augmentation

OVERHEAD = 1.2
"""An epoch also augments, averages, validates and writes: an allowance of a fifth on top of its steps."""


@dataclass(frozen=True)
class Settings:
    """What all phases of a run share; the fields are those of a recipe.

    Args:
        balance: see `hilum.data.balance`.
        label_smoothing: share of the target spread over all classes, in [0, 1).
        mixup: see `hilum.training.mixing`; 0 = never.
        soft_share: weight of the examples' `soft` targets in the loss, in [0, 1].
        ema: decay a step of the average of the weights that is evaluated and kept; 0 = none.
        precision: `auto`, `32` or `bf16`.
        overfit_check: first see whether the network can memorise 16 images.
    """

    augmentation: Augmentation = field(default_factory=Augmentation)
    balance: str = "as-is"
    label_smoothing: float = 0.0
    mixup: float = 0.0
    soft_share: float = 0.0
    ema: float = 0.0
    batch_size: int = 32
    precision: str = "auto"
    overfit_check: bool = True
    seed: int = 0


@dataclass(frozen=True)
class Work:
    """What a phase trains on what.

    Args:
        network: what `prepare` gives -> logits `[B, K]`.
        prepare: a batch of inputs on the device -> what `network` takes.
        dataset: training batches.
        train, val: inputs and targets.
        groups: optimiser parameter groups.
        batch_size: images a step.
    """

    network: nn.Module
    prepare: Callable[[torch.Tensor], torch.Tensor]
    dataset: ExampleDataset | FeatureDataset
    train: Examples
    val: Examples
    groups: list[dict]
    batch_size: int
    settings: Settings

    @property
    def on_features(self) -> bool:
        """Whether only a head is trained, on features of a frozen backbone."""
        return isinstance(self.network, HeadOnly)

    def train_loader(self, batch_size: int) -> DataLoader:
        """Batches of an epoch."""
        settings = self.settings
        return train_loader(
            self.dataset, self.train.targets, balance=settings.balance, batch_size=batch_size, seed=settings.seed
        )

    def val_loader(self) -> DataLoader:
        """Every validation image once."""
        return val_loader(self.val, self.batch_size)

    def few(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Inputs and targets of a few training examples that take the classes in turn."""
        rows = few_examples(self.train.targets, self.settings.seed, count)
        return np.ascontiguousarray(self.train.inputs[rows]), self.train.targets[rows]


@dataclass
class PhasePlan:
    """How a phase is run; written down, so that a resumed run follows the same plan.

    Args:
        max_epochs: what the schedule is stretched over.
        precision: `32` or `bf16`.
        micro_batch: images at a time; smaller than a batch after memory ran out.
        lr_scale: 0.5 after a loss that was not finite.
        compiled: whether `torch.compile` translates the training step.
    """

    max_epochs: int
    precision: str
    micro_batch: int
    lr_scale: float = 1.0
    compiled: bool = False


COMPILE_PAYS = 300.0
"""Seconds of training on a GPU from which on `torch.compile`, which takes about a minute, is used."""


def plan_phase(file: Path, phase: Phase, work: Work, device: torch.device, deadline: float) -> PhasePlan:
    """The plan that was written down, or a new one: the quicker precision, and as many epochs as the time allows.

    Args:
        file: where the plan is kept.
        deadline: in `time.monotonic` seconds; infinite without a budget.
    """
    if file.exists():
        return PhasePlan(**json.loads(file.read_text()))
    inputs, targets = work.few(work.batch_size)
    asked = "32" if work.on_features else work.settings.precision
    micro_batch = work.batch_size
    while True:
        try:
            some = slice(0, micro_batch)
            precision, seconds = probe_precision(work.network, work.prepare, inputs[some], targets[some], device, asked)
            break
        except RuntimeError as error:  # torch.OutOfMemoryError is one
            if not is_out_of_memory(error) or micro_batch == 1:
                raise
            micro_batch = math.ceil(micro_batch / 2)
    steps = len(work.train_loader(micro_batch))
    epochs = _epochs_in(deadline - time.monotonic(), OVERHEAD * seconds * steps, phase.max_epochs)
    compiled = device.type == "cuda" and not work.on_features and epochs * steps * seconds > COMPILE_PAYS
    plan = PhasePlan(**share(asdict(PhasePlan(epochs, precision, micro_batch, compiled=compiled))))
    file.parent.mkdir(parents=True, exist_ok=True)
    save_beside(file, lambda path: path.write_text(json.dumps(asdict(plan))))
    return plan


def _epochs_in(left: float, epoch: float, most: int) -> int:
    """Whole epochs of so many seconds in the seconds that are left.

    Raises:
        OutOfTime: not even two thirds of one: what came of it would be later than asked and worth little.
    """
    if math.isinf(left):
        return most
    if left < epoch / 1.5:
        found = f"an epoch of about {epoch:.0f} s and {max(left, 0):.0f} s left"
        raise OutOfTime("time budget", expected="time for one epoch", found=found, way_out="Raise --time-budget.")
    return max(1, min(most, int(left / epoch)))


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error is torch's word for too little memory, on a GPU or a CPU."""
    return isinstance(error, torch.OutOfMemoryError) or "out of memory" in str(error).casefold()
