"""The LightningModule: a forward pass, a loss, an average of the weights, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import lightning.pytorch as pl
import numpy as np
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from hilum.training.datamodule import Batch
from hilum.training.mixing import draw_mix
from hilum.training.phase import Phase, lr_factor
from hilum.training.processes import average_buffers, gather

LOOK_EVERY = 20
"""Steps on a GPU between two looks at the loss."""


class LossNotFinite(Exception):
    """The loss became NaN or infinite; `fit` goes back to the last finished epoch."""


class TrainingModule(pl.LightningModule):
    """Trains a network for one phase.

    Args:
        network: inputs -> logits `[B, K]`; takes what `prepare` gives.
        prepare: a batch's `inputs` on the device -> what `network` takes.
        groups: optimiser parameter groups with their full learning rate in `lr`.
        phase: optimiser and schedule.
        max_epochs: epochs that the schedule is stretched over.
        class_weights: float32 `[K]` or None.
        label_smoothing: in [0, 1).
        mixup: how much pictures are mixed, see `draw_mix`; 0 = never.
        soft_share: weight of a batch's `soft` targets in the loss, where it has any; the labels have the rest.
        ema: decay a step; 0 = no average.
        seed: dropout is drawn from (seed, epoch).
        compiled: let `torch.compile` translate the training step.
    """

    def __init__(
        self,
        network: nn.Module,
        prepare: Callable[[torch.Tensor], torch.Tensor],
        groups: Sequence[dict],
        phase: Phase,
        *,
        max_epochs: int,
        class_weights: np.ndarray | None = None,
        label_smoothing: float = 0.0,
        mixup: float = 0.0,
        soft_share: float = 0.0,
        ema: float = 0.0,
        seed: int = 0,
        compiled: bool = False,
    ) -> None:
        super().__init__()
        self.network, self.prepare, self.groups, self.phase = network, prepare, list(groups), phase
        self.max_epochs, self.seed, self.lr_scale, self.mixup = max_epochs, seed, 1.0, mixup
        self.soft_share = soft_share
        self.val_losses: list[float] = []
        weights = None if class_weights is None else torch.from_numpy(class_weights)
        self.loss = nn.CrossEntropyLoss(weights, label_smoothing=label_smoothing)
        self.average = AveragedModel(network, avg_fn=warm_average(ema), use_buffers=True) if ema else None
        if self.average is not None:
            self.average.requires_grad_(False)  # several processes would wait for gradients that it never gets
        self.outputs: list[tuple[torch.Tensor, torch.Tensor]] = []
        self.train_sums, self.pending, self.look_every = np.zeros(3), list[torch.Tensor](), 1
        # In a list, so that Lightning does not take it for another part with weights of its own.
        self.runs = [torch.compile(network) if compiled else network]

    @property
    def evaluated(self) -> nn.Module:
        """The network whose figures count: the average where there is one."""
        return self.network if self.average is None else self.average.module

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return make_optimiser(self.phase, [dict(group) for group in self.groups])

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        if batch_idx == 0:  # not on_train_epoch_start: Lightning leaves that out in the first epoch after a resume
            torch.manual_seed(int(np.random.SeedSequence([self.seed, self.current_epoch]).generate_state(1)[0]))
            self.train_sums[:] = 0
            self.pending.clear()
            self.look_every = LOOK_EVERY if self.device.type == "cuda" else 1
        epoch = self.current_epoch + (batch_idx + 1) / int(self.trainer.num_training_batches)
        factor = self.lr_scale * lr_factor(self.phase, epoch, self.max_epochs, self.val_losses)
        for group, full in zip(self.optimizers().param_groups, self.groups, strict=True):  # type: ignore[union-attr] # one optimiser
            group["lr"] = full["lr"] * factor

    def training_step(self, batch: Batch, batch_idx: int) -> torch.Tensor:
        mix = draw_mix(len(batch["target"]), self.mixup, (self.seed, self.current_epoch, batch_idx))
        logits = self.runs[0](mix.blend(self.prepare(batch["inputs"]))).float()
        loss = mix.loss(self.loss_of, logits, *(batch[name] for name in ("target", "soft") if name in batch))
        right = (logits.detach().argmax(1) == batch["target"]).sum()
        self.pending.append(
            torch.stack([loss.detach() * len(logits), right.float(), right.new_tensor(len(logits)).float()])
        )
        if len(self.pending) >= self.look_every:
            self.settle()
        return loss

    def loss_of(self, logits: torch.Tensor, target: torch.Tensor, soft: torch.Tensor | None = None) -> torch.Tensor:
        """The loss against labels `[B]` and, by its share, against probabilities `[B, K]` of other networks."""
        hard = self.loss(logits, target)
        if soft is None or not self.soft_share:
            return hard
        return torch.lerp(hard, nn.functional.cross_entropy(logits, soft), self.soft_share)

    def settle(self) -> None:
        """Adds up what the last steps gave. Looking makes a GPU wait, so it is not done at every step there.

        Raises:
            LossNotFinite: one of the losses was not, here or in another process.
        """
        if not self.pending:
            return
        sums = torch.stack(self.pending).double().sum(0).cpu().numpy()
        self.pending.clear()
        sums = np.sum(gather(sums), axis=0)  # all stop where one has to, and all know the same sums
        if not np.isfinite(sums[0]):
            raise LossNotFinite
        self.train_sums += sums

    def on_train_epoch_end(self) -> None:
        self.settle()

    def on_train_batch_end(self, outputs: object, batch: Batch, batch_idx: int) -> None:
        whole_step = (batch_idx + 1) % self.trainer.accumulate_grad_batches == 0
        if self.average is not None and whole_step:
            self.average.update_parameters(self.network)

    def on_validation_epoch_start(self) -> None:
        self.outputs.clear()
        for network in (self.network, self.average):
            if network is not None:
                average_buffers(network)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        # Figures are made in float32 whatever the training precision, so that the saved model gives them again.
        with torch.autocast(self.device.type, enabled=False):
            logits = self.evaluated(self.prepare(batch["inputs"]))
        self.outputs.append((logits.cpu(), batch["target"].cpu()))

    def on_save_checkpoint(self, checkpoint: dict) -> None:
        checkpoint["val_losses"], checkpoint["lr_scale"] = list(self.val_losses), self.lr_scale

    def on_load_checkpoint(self, checkpoint: dict) -> None:
        self.val_losses = list(checkpoint["val_losses"])
        self.lr_scale = min(self.lr_scale, checkpoint["lr_scale"])


def warm_average(decay: float) -> Callable:
    """An exponential moving average that follows quickly at first: decay = min(decay, (1 + n) / (10 + n))."""

    def average(mean: torch.Tensor, current: torch.Tensor, count: torch.Tensor | int) -> torch.Tensor:
        keep = min(decay, (1 + int(count)) / (10 + int(count)))
        return mean + (current - mean) * (1 - keep)

    return average


def make_optimiser(phase: Phase, groups: Sequence[dict]) -> torch.optim.Optimizer:
    """The phase's optimiser over parameter groups that carry their own `lr` and `weight_decay`."""
    if phase.optimiser == "sgd":
        return torch.optim.SGD(groups, lr=phase.lr, momentum=0.9)
    kind = torch.optim.AdamW if phase.optimiser == "adamw" else torch.optim.Adam
    return kind(groups, lr=phase.lr)
