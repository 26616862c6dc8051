"""Training an autoencoder on normal images: through Lightning, with the history, clock and resume of a run."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch

from hilum.errors import Diverged, TrainingError
from hilum.inference.device import tune_cpu
from hilum.models.autoencoder import Autoencoder, reconstruction_error
from hilum.training.attempts import state_of
from hilum.training.datamodule import Batch, ExampleDataset, Examples, Rows, train_loader, val_loader
from hilum.training.fit import FitResult
from hilum.training.interrupt import graceful_interrupt
from hilum.training.keeper import Best, Interrupted, Keeper, OnEpoch, OnStep, StopRequest
from hilum.training.module import LossNotFinite, make_optimiser
from hilum.training.phase import Phase, lr_factor
from hilum.training.quiet import make_trainer
from hilum.training.work import is_out_of_memory
from hilum.transforms import Augmentation
from hilum.transforms.normalise import normalise

NORMALISATION = "zero-one"
"""An autoencoder draws pixels in [0, 1]."""


class ReconstructionModule(pl.LightningModule):
    """Draws images again; the loss is the mean squared difference of pixels.

    Args:
        network: image `[B, C, S, S]` in [0, 1] -> the same drawn again.
        phase: optimiser and schedule.
        seed: of torch's random numbers in each epoch.
    """

    def __init__(self, network: Autoencoder, phase: Phase, *, seed: int = 0) -> None:
        super().__init__()
        self.network, self.phase, self.seed = network, phase, seed
        self.max_epochs = phase.max_epochs
        self.val_losses: list[float] = []
        self.outputs: list[tuple[torch.Tensor, torch.Tensor]] = []
        self.train_sums = np.zeros(3)

    @property
    def evaluated(self) -> Autoencoder:
        """The network whose figures count."""
        return self.network

    def configure_optimizers(self) -> torch.optim.Optimizer:
        group = {"params": list(self.network.parameters()), "lr": self.phase.lr}
        return make_optimiser(self.phase, [{**group, "weight_decay": self.phase.weight_decay}])

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        if batch_idx == 0:
            torch.manual_seed(int(np.random.SeedSequence([self.seed, self.current_epoch]).generate_state(1)[0]))
            self.train_sums[:] = 0
        epoch = self.current_epoch + (batch_idx + 1) / int(self.trainer.num_training_batches)
        factor = lr_factor(self.phase, epoch, self.max_epochs, self.val_losses)
        self.optimizers().param_groups[0]["lr"] = self.phase.lr * factor  # type: ignore[union-attr] # one optimiser

    def training_step(self, batch: Batch, batch_idx: int) -> torch.Tensor:
        image = self._image(batch)
        loss = reconstruction_error(self.network(image), image).mean()
        value = loss.item()
        if not math.isfinite(value):
            raise LossNotFinite
        self.train_sums += value * len(image), math.nan, len(image)
        return loss

    def on_validation_epoch_start(self) -> None:
        self.outputs.clear()

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        image = self._image(batch)
        self.outputs.append((reconstruction_error(self.network(image), image).cpu(), batch["target"].cpu()))

    def on_save_checkpoint(self, checkpoint: dict) -> None:
        checkpoint["val_losses"] = list(self.val_losses)

    def on_load_checkpoint(self, checkpoint: dict) -> None:
        self.val_losses = list(checkpoint["val_losses"])

    def _image(self, batch: Batch) -> torch.Tensor:
        return normalise(batch["inputs"], normalisation=NORMALISATION, channels=self.network.in_channels)


def fit_autoencoder(
    model: Autoencoder,
    train: Rows,
    val: Rows,
    *,
    phase: Phase,
    run_dir: Path,
    device: torch.device,
    augmentation: Augmentation | None = None,
    batch_size: int = 32,
    time_budget: float | None = None,
    seed: int = 0,
    loggers: Sequence[Any] = (),
    on_step: OnStep | None = None,
    on_epoch: OnEpoch | None = None,
) -> FitResult:
    """Trains an autoencoder and leaves it with the weights of the epoch that draws validation images best.

    A run that was killed goes on from its last finished epoch when this is called again with the same arguments.

    Args:
        model: on any device; ends on `device`.
        train, val: uint8 canvases of normal images `[N, S, S]`: nothing else is to be seen by an anomaly detector.
        phase: how long, with what; `train` and `views` mean nothing here.
        run_dir: gets `history.csv`, and `checkpoints/` while training.
        time_budget: seconds; training ends with the epoch after which another would be too late.
        on_step, on_epoch: as in `hilum.training.fit`.

    Raises:
        Diverged: the loss became NaN.
        TrainingError: no image to learn from or to validate with, or too little memory.
    """
    for name, rows in (("training", train), ("validation", val)):
        if not len(rows):
            raise TrainingError("autoencoder", expected=f"normal {name} images", found="none")
    tune_cpu()
    started = time.monotonic()
    stop = StopRequest(deadline=math.inf if time_budget is None else started + time_budget)
    keeper = Keeper(
        run_dir, 0, [], patience=phase.patience, stop=stop, on_step=on_step, on_epoch=on_epoch, figures_of=_figures
    )
    module = ReconstructionModule(model.to(device), phase, seed=seed)
    with graceful_interrupt(stop):
        _train(module, keeper, train, val, augmentation or Augmentation(), batch_size, device, loggers)
    model.load_state_dict(keeper.best.state)
    return _result(keeper, phase, batch_size, len(train), stop, time.monotonic() - started)


def seconds_per_image(model: Autoencoder, canvases: np.ndarray, device: torch.device) -> float:
    """What one step of training takes for an image, measured on a copy of the network.

    Args:
        canvases: uint8 `[B, S, S]`, a batch.
    """
    network = copy.deepcopy(model).to(device).train()
    optimiser = torch.optim.Adam(network.parameters(), 1e-4)
    image = normalise(
        torch.from_numpy(np.array(canvases)).to(device), normalisation=NORMALISATION, channels=model.in_channels
    )
    for _ in range(2):  # the first one also warms up
        began = time.monotonic()
        optimiser.zero_grad()
        reconstruction_error(network(image), image).mean().backward()
        optimiser.step()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
    return (time.monotonic() - began) / len(canvases)


def _train(
    module: ReconstructionModule,
    keeper: Keeper,
    train: Rows,
    val: Rows,
    augmentation: Augmentation,
    batch_size: int,
    device: torch.device,
    loggers: Sequence[Any],
) -> None:
    targets = np.zeros(len(train), np.int64)
    dataset = ExampleDataset(Examples(train, targets), augmentation, module.seed)
    dataset.epoch = keeper.epochs_done  # Lightning fetches the first batch before any hook could tell
    loaders = (
        train_loader(dataset, targets, balance="as-is", batch_size=batch_size, seed=module.seed),
        val_loader(Examples(val, np.zeros(len(val), np.int64)), batch_size),
    )
    trainer = make_trainer(
        max_epochs=module.max_epochs,
        precision="32",
        device=device,
        callbacks=[keeper],
        loggers=loggers,
        accumulate=1,
        run_dir=keeper.run_dir,
    )
    try:
        trainer.fit(module, *loaders, ckpt_path=str(keeper.last) if keeper.epochs_done else None, weights_only=True)
    except Interrupted:
        if not keeper.best.state:
            keeper.best = Best(math.inf, len(keeper.history), state_of(module.network))
    except LossNotFinite:
        way_out = "Lower the learning rate of the recipe's phase."
        raise Diverged("autoencoder", expected="a finite loss", found="NaN", way_out=way_out) from None
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        way_out = "Lower batch_size or preprocessing.image_size."
        raise TrainingError("autoencoder", expected="room for a batch", found="none", way_out=way_out) from None


def _figures(errors: torch.Tensor, target: torch.Tensor) -> dict[str, float]:
    return {"val_loss": errors.double().mean().item(), "val_accuracy": math.nan, "val_auroc": math.nan}


def _result(keeper: Keeper, phase: Phase, batch_size: int, images: int, stop: StopRequest, seconds: float) -> FitResult:
    spent = sum(row["seconds"] for row in keeper.rows)
    return FitResult(
        history=keeper.history,
        best_epoch=keeper.best.epoch,
        best_val_loss=keeper.best.loss,
        epochs_planned=phase.max_epochs,
        seconds=seconds,
        images_per_second=images * len(keeper.rows) / spent if spent else 0.0,
        batch_size=batch_size,
        stopped="interrupted; the best weights so far were kept" if stop.interrupted else keeper.stopped,
        interrupted=stop.interrupted,
    )
