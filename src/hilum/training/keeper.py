"""What happens between epochs: history, best weights, patience, the clock, and the checkpoint to resume from."""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from lightning.pytorch.callbacks import Checkpoint

from hilum.training.datamodule import in_order
from hilum.training.module import LossNotFinite
from hilum.training.processes import gather, is_first, share, wait_for_all

HISTORY = (
    "epoch", "phase", "lr", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "val_auroc", "seconds", "best",
)  # fmt: skip
LOGGED = ("lr", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "val_auroc")
OnStep = Callable[[int, int, str], None]
"""Called after each step with (steps done in this phase, steps in all, a few words)."""

OnEpoch = Callable[[list[dict[str, Any]]], None]
"""Called after each epoch with the history so far; what it raises ends the run."""

ValFigures = Callable[[torch.Tensor, torch.Tensor], dict[str, float]]
"""What the network gave for every validation image, and the targets -> `val_loss`, `val_accuracy`, `val_auroc`."""


class Interrupted(Exception):
    """Ctrl-C was pressed; raised at the end of a batch so that nothing is half done."""


@dataclass
class StopRequest:
    """Why training should end early; set from outside."""

    interrupted: bool = False
    deadline: float = math.inf


@dataclass
class Best:
    """The best epoch so far of a phase."""

    loss: float = math.inf
    epoch: int = 0
    state: dict[str, torch.Tensor] = field(default_factory=dict)


class Keeper(Checkpoint):
    """Keeps what a phase has learned.

    Args:
        run_dir: where `history.csv` and `checkpoints/` are.
        phase: number of the phase, from 0.
        rows: history of the phases before.
        patience: epochs without a better validation loss before the phase ends; 0 = never.
        stop: interruption and deadline.
        on_step: progress.
        on_epoch: sees each finished epoch.
        figures_of: what a validation pass comes to; those of a classifier when None.
    """

    def __init__(
        self,
        run_dir: Path,
        phase: int,
        rows: list[dict[str, Any]],
        *,
        patience: int = 0,
        stop: StopRequest | None = None,
        on_step: OnStep | None = None,
        on_epoch: OnEpoch | None = None,
        figures_of: ValFigures | None = None,
    ) -> None:
        self.figures_of = figures_of or val_figures
        self.run_dir, self.phase, self.patience = run_dir, phase, patience
        self.earlier = list(rows)
        self.stop, self.on_step, self.on_epoch = stop or StopRequest(), on_step, on_epoch
        self.started, self.figures = time.monotonic(), dict[str, float]()
        self.restart()

    def restart(self) -> None:
        """Forgets the phase; a checkpoint that is loaded next brings back what it had."""
        self.rows: list[dict[str, Any]] = []
        self.best, self.stopped = Best(), ""

    @property
    def history(self) -> list[dict[str, Any]]:
        """One row an epoch, earlier phases included."""
        return [*self.earlier, *self.rows]

    @property
    def last(self) -> Path:
        """The checkpoint of the last finished epoch."""
        return self.run_dir / "checkpoints" / f"phase-{self.phase}-last.ckpt"

    @property
    def epochs_done(self) -> int:
        """Epochs of this phase that the checkpoint holds."""
        if not self.last.exists():
            return 0
        return int(torch.load(self.last, map_location="cpu", weights_only=True, mmap=True)["epoch"]) + 1

    @property
    def best_file(self) -> Path:
        return self.run_dir / "checkpoints" / f"phase-{self.phase}-best.pt"

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows, "loss": self.best.loss, "epoch": self.best.epoch}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rows = list(state_dict["rows"])
        best_state = torch.load(self.best_file, weights_only=True) if self.best_file.exists() else {}
        self.best = Best(state_dict["loss"], state_dict["epoch"], best_state)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.started = time.monotonic()

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.started = time.monotonic()
        trainer.train_dataloader.dataset.epoch = trainer.current_epoch  # type: ignore[union-attr] # it is ours

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if self.stop.interrupted:
            raise Interrupted
        if self.on_step:
            steps = int(trainer.num_training_batches)
            words = f"epoch {trainer.current_epoch + 1}/{pl_module.max_epochs}{self._so_far()}"
            self.on_step(trainer.current_epoch * steps + batch_idx + 1, pl_module.max_epochs * steps, words)

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        found = (torch.cat(parts) for parts in zip(*pl_module.outputs, strict=True))
        given, target = (in_order(gather(each)) for each in found)
        self.figures = self.figures_of(given, target)
        if not math.isfinite(self.figures["val_loss"]):
            raise LossNotFinite  # before these weights could be taken for a finished epoch

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self._record(trainer, pl_module)
        if is_first():
            write_history(self.run_dir / "history.csv", self.history)
        save_beside(self.last, trainer.save_checkpoint, everywhere=True)
        if self.on_epoch:
            self.on_epoch(self.history)
        self._maybe_stop(trainer)

    def _record(self, trainer: pl.Trainer, module: Any) -> None:
        loss_sum, right, count = module.train_sums.tolist()
        better = self.figures["val_loss"] < self.best.loss
        module.val_losses.append(self.figures["val_loss"])
        self.rows.append(
            {
                "epoch": len(self.history) + 1,
                "phase": self.phase + 1,
                "lr": float(trainer.optimizers[0].param_groups[-1]["lr"]),
                "train_loss": loss_sum / max(count, 1),
                "train_accuracy": right / max(count, 1),
                **self.figures,
                "seconds": time.monotonic() - self.started,
                "best": 0,
            }
        )
        for logger in trainer.loggers:
            logger.log_metrics({name: self.rows[-1][name] for name in LOGGED}, step=len(self.history))
        if better:
            state = {name: value.detach().cpu().clone() for name, value in module.evaluated.state_dict().items()}
            self.best = Best(self.figures["val_loss"], len(self.history), state)
            save_beside(self.best_file, lambda path: torch.save(state, path))
        for row in self.rows:
            row["best"] = int(row["epoch"] == self.best.epoch)

    def _maybe_stop(self, trainer: pl.Trainer) -> None:
        waited = len(self.history) - self.best.epoch
        if trainer.current_epoch + 1 >= int(trainer.max_epochs or 0):
            return
        if self.patience and waited >= self.patience:
            self.stopped = f"stopped early: {waited} epochs without a better validation loss"
        elif time.monotonic() + 0.9 * self.rows[-1]["seconds"] > self.stop.deadline:
            self.stopped = f"stopped by the time budget after {len(self.rows)} of {trainer.max_epochs} epochs"
        self.stopped = share(self.stopped)  # each has a clock of its own
        trainer.should_stop = bool(self.stopped)

    def _so_far(self) -> str:
        return f", validation loss {self.rows[-1]['val_loss']:.3f}" if self.rows else ""


def val_figures(logits: torch.Tensor, target: torch.Tensor) -> dict[str, float]:
    """Log loss, accuracy, and AUROC (macro, one against the rest) of a validation pass.

    Args:
        logits: `[N, K]`.
        target: `[N]`.
    """
    loss = torch.nn.functional.cross_entropy(logits, target).item()
    accuracy = (logits.argmax(1) == target).double().mean().item()
    probs = torch.softmax(logits.double(), 1).nan_to_num().numpy()
    present = [k for k in range(logits.shape[1]) if 0 < (target == k).sum() < len(target)]
    aurocs = [_auroc((target == k).numpy(), probs[:, k]) for k in present]
    return {"val_loss": loss, "val_accuracy": accuracy, "val_auroc": float(np.mean(aurocs)) if aurocs else math.nan}


def _auroc(positive: np.ndarray, score: np.ndarray) -> float:
    """By ranks (Mann and Whitney): it is asked each epoch, and scikit-learn takes thirty times as long."""
    from scipy.stats import rankdata

    count = int(positive.sum())
    wins = float(rankdata(score)[positive].sum()) - count * (count + 1) / 2
    return wins / (count * (len(positive) - count))


def write_history(path: Path, rows: list[dict[str, Any]]) -> None:
    """One line an epoch, beside and renamed into place."""
    partial = path.with_name(path.name + ".partial")
    with partial.open("w", newline="") as file:
        writer = csv.DictWriter(file, HISTORY)
        writer.writeheader()
        for row in rows:
            writer.writerow({name: f"{x:.6g}" if isinstance(x, float) else x for name, x in row.items()})
    partial.replace(path)


def save_beside(path: Path, save: Callable[[Path], object], *, everywhere: bool = False) -> None:
    """Saves under another name and renames into place; of several processes the first one does, and all wait for it.

    Args:
        everywhere: call `save` in each process: Lightning's own wants all of them and lets the first one write.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name("." + path.name)
    if everywhere or is_first():
        save(partial)
    if is_first():
        partial.replace(path)
    wait_for_all()
