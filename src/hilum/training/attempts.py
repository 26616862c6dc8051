"""Training a phase to its end, mending on the way what can be mended: NaN and too little memory."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from hilum.data.balance import class_weights
from hilum.errors import Diverged, TrainingError
from hilum.training.keeper import Best, Interrupted, Keeper
from hilum.training.module import LossNotFinite, TrainingModule
from hilum.training.phase import Phase
from hilum.training.quiet import make_trainer
from hilum.training.work import PhasePlan, Work, is_out_of_memory


@dataclass
class Attempts:
    """Tries of one phase.

    Args:
        name: of the network, for messages.
        notes: gets a sentence for everything that had to be mended.
    """

    name: str
    num_classes: int
    phase: Phase
    work: Work
    plan: PhasePlan
    device: torch.device
    loggers: Sequence[Any] = ()
    notes: list[str] = field(default_factory=list)

    def train(self, keeper: Keeper) -> None:
        """Trains until the phase has ended; the keeper then holds the history and the best weights.

        Raises:
            Diverged, TrainingError: what could not be mended.
        """
        start = copy.deepcopy(self.work.network.state_dict())
        while True:
            module = self._module()
            try:
                self._fit(module, keeper)
                return
            except Interrupted:
                if not keeper.best.state:
                    keeper.best = Best(math.inf, len(keeper.history), state_of(module.evaluated))
                return
            except LossNotFinite:
                self._after_nan()
            except (torch.OutOfMemoryError, RuntimeError) as error:
                self._after_oom(error)
            self.work.network.load_state_dict(start)
            keeper.restart()

    def _module(self) -> TrainingModule:
        settings, targets = self.work.settings, self.work.train.targets
        weights = class_weights(targets, self.num_classes) if settings.balance == "class-weights" else None
        module = TrainingModule(
            self.work.network,
            self.work.prepare,
            self.work.groups,
            self.phase,
            max_epochs=self.plan.max_epochs,
            class_weights=weights,
            label_smoothing=settings.label_smoothing,
            mixup=0.0 if self.work.on_features else settings.mixup,
            soft_share=settings.soft_share,
            ema=0.0 if self.work.on_features else settings.ema,
            seed=settings.seed,
            compiled=self.plan.compiled,
        )
        module.lr_scale = self.plan.lr_scale
        return module

    def _fit(self, module: TrainingModule, keeper: Keeper) -> None:
        trainer = make_trainer(
            max_epochs=self.plan.max_epochs,
            precision=self.plan.precision,
            device=self.device,
            callbacks=[keeper],
            loggers=self.loggers,
            accumulate=math.ceil(self.work.batch_size / self.plan.micro_batch),
            run_dir=keeper.run_dir,
        )
        loaders = self.work.train_loader(self.plan.micro_batch), self.work.val_loader()
        # Lightning fetches the first batch before any hook could tell the dataset which epoch it is.
        self.work.dataset.epoch = keeper.epochs_done
        resume = str(keeper.last) if keeper.epochs_done else None
        trainer.fit(module, *loaders, ckpt_path=resume, weights_only=True)

    def _after_nan(self) -> None:
        if self.plan.lr_scale < 1:
            raise Diverged(
                self.name,
                expected="a finite loss",
                found="NaN again after the learning rate had been halved",
                way_out="Lower the learning rate of the recipe's phase, or train in precision 32.",
            )
        self.plan.lr_scale = 0.5
        self.notes.append(
            "The loss became NaN; training went back to the last finished epoch and on with half the learning rate."
        )

    def _after_oom(self, error: Exception) -> None:
        if not is_out_of_memory(error):
            raise error
        if self.plan.micro_batch == 1:
            way_out = "Lower preprocessing.image_size."
            raise TrainingError(self.name, expected="room for one image", found="none", way_out=way_out) from None
        self.plan.micro_batch = math.ceil(self.plan.micro_batch / 2)
        self.notes.append(
            f"Out of memory: batches of {self.work.batch_size} were added up from parts of {self.plan.micro_batch}."
        )
        if self.device.type == "cuda":
            torch.cuda.empty_cache()


def state_of(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """A copy of a network's state on the CPU."""
    return {name: value.detach().cpu().clone() for name, value in network.state_dict().items()}
