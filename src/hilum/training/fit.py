"""Phases of training, one after the other; a run that was killed goes on from its last finished epoch."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from hilum.inference.device import give_back_memory, tune_cpu
from hilum.models.classifier import Classifier
from hilum.models.stages import mark_trained, select_stages, set_trained_stages
from hilum.training.attempts import Attempts
from hilum.training.datamodule import Examples
from hilum.training.interrupt import graceful_interrupt
from hilum.training.keeper import Interrupted, Keeper, OnEpoch, OnStep, StopRequest, save_beside, write_history
from hilum.training.phase import Phase
from hilum.training.probe import FEW, check_it_learns
from hilum.training.processes import is_first, join, wait_for_all
from hilum.training.ready import Ready, on_features
from hilum.training.work import PhasePlan, Settings, Work, plan_phase
from hilum.transforms import Preprocessing

__all__ = ["FitResult", "Settings", "fit"]


HEAD_SECONDS = 10.0
"""Seconds that a head on features has at least, whatever the time budget says."""


@dataclass
class FitResult:
    """What a run did.

    Args:
        history: one row an epoch, columns `keeper.HISTORY`.
        stopped: why it ended before its last planned epoch, a sentence; empty when it did not.
        notes: what had to be done on the way (learning rate halved, smaller batches, ...).
        images_per_second: of the last phase, training images only.
    """

    history: list[dict[str, Any]] = field(default_factory=list)
    best_epoch: int = 0
    best_val_loss: float = math.inf
    epochs_planned: int = 0
    seconds: float = 0.0
    images_per_second: float = 0.0
    precision: str = "32"
    batch_size: int = 0
    stopped: str = ""
    interrupted: bool = False
    notes: list[str] = field(default_factory=list)


def fit(
    model: Classifier,
    train: Examples,
    val: Examples,
    *,
    preprocessing: Preprocessing,
    phases: Sequence[Phase],
    settings: Settings,
    run_dir: Path,
    device: torch.device,
    time_budget: float | None = None,
    loggers: Sequence[Any] = (),
    on_step: OnStep | None = None,
    allow: Collection[str] = (),
    on_epoch: OnEpoch | None = None,
) -> FitResult:
    """Trains a network in phases and leaves it with the weights of the best epoch of the last one.

    A run that was killed goes on from its last finished epoch when `fit` is called again with the same arguments; on
    a CPU it ends with the same bits.

    Args:
        model: on any device; ends on `device`.
        train, val: uint8 canvases and targets.
        run_dir: gets `history.csv`, and `checkpoints/` while training.
        time_budget: seconds; schedules are shortened so that they still run to their end.
        loggers: Lightning loggers.
        allow: guards of `hilum.models.stages.set_trained_stages` that are lifted on purpose.
        on_epoch: called after each epoch with the history so far; what it raises ends the training.

    Raises:
        CannotLearn: the network cannot memorise 16 images.
        Diverged: the loss became NaN again after the learning rate was halved.
        TrainingError: not even one image fits into memory.
    """
    tune_cpu()
    device = join(device)
    stop = StopRequest()
    fitter = _Fitter(
        model, train, val, preprocessing, settings, run_dir, device, stop, list(loggers), on_step, allow, on_epoch
    )
    started = time.monotonic()
    with graceful_interrupt(stop):
        fitter.run(list(phases), math.inf if time_budget is None else started + time_budget)
    give_back_memory()
    fitter.result.seconds += time.monotonic() - started
    return fitter.result


@dataclass
class _Fitter:
    model: Classifier
    train: Examples
    val: Examples
    preprocessing: Preprocessing
    settings: Settings
    run_dir: Path
    device: torch.device
    stop: StopRequest
    loggers: list[Any]
    on_step: OnStep | None
    allow: Collection[str] = ()
    on_epoch: OnEpoch | None = None
    result: FitResult = field(default_factory=FitResult)

    def __post_init__(self) -> None:
        self._ready = Ready(
            self.model,
            self.train,
            self.val,
            self.preprocessing,
            self.settings,
            self.run_dir,
            self.device,
            self.stop,
            self.on_step,
        )

    def run(self, phases: list[Phase], deadline: float) -> None:
        self.model.to(self.device)
        self.model.to(memory_format=torch.channels_last)
        done = self._resume()
        wait_for_all()  # before the first one writes what another may be about to look for
        for number in range(done, len(phases)):
            phase = phases[number]
            seconds = _time_share(phases[number:], self.settings, deadline)
            self.stop.deadline = min(deadline, time.monotonic() + seconds)
            with suppress(Interrupted):  # while features were made: what the phases before left stands
                self._run_phase(number, phase)
            if self.stop.interrupted:
                self.result.interrupted, self.result.stopped = True, "interrupted; the best weights so far were kept"
                return

    @property
    def _state_file(self) -> Path:
        return self.run_dir / "checkpoints" / "state.json"

    def _resume(self) -> int:
        """Loads the weights and history of phases that are done; returns how many they are."""
        if not self._state_file.exists():
            return 0
        state = json.loads(self._state_file.read_text())
        self.result = FitResult(**state["result"])
        self.model.load_state_dict(torch.load(self._whole_file(state["done"] - 1), weights_only=True))
        self.model.fresh = frozenset(state["fresh"])
        return state["done"]

    def _whole_file(self, number: int) -> Path:
        """The whole network as a phase left it."""
        return self.run_dir / "checkpoints" / f"phase-{number}-whole.pt"

    def _run_phase(self, number: int, phase: Phase) -> None:
        set_trained_stages(self.model, select_stages(self.model, phase.train), allow=self.allow)
        work = self._ready.work(number, phase)
        if work.on_features:  # what took time is done: not to train the head now would waste it
            self.stop.deadline = max(self.stop.deadline, time.monotonic() + HEAD_SECONDS)
        folder = self.run_dir / "checkpoints"
        keeper = Keeper(
            self.run_dir,
            number,
            self.result.history,
            patience=phase.patience,
            stop=self.stop,
            on_step=self.on_step,
            on_epoch=self.on_epoch,
        )
        if number == 0 and self.settings.overfit_check and not keeper.last.exists():
            self._check(work)
        plan = plan_phase(folder / f"phase-{number}-plan.json", phase, work, self.device, self.stop.deadline)
        if plan.max_epochs < phase.max_epochs:
            self.result.notes.append(
                f"Phase {number + 1}: {plan.max_epochs} of {phase.max_epochs} epochs fit into the time budget; "
                "the schedule was shortened to end there."
            )
        attempts = Attempts(
            self.model.name, self.model.num_classes, phase, work, plan, self.device, self.loggers, self.result.notes
        )
        before = {name: value.clone() for name, value in self.model.state_dict().items()} if number else {}
        attempts.train(keeper)
        better = keeper.best.loss < self.result.best_val_loss or not number
        if better:
            work.network.load_state_dict(keeper.best.state)
        else:
            self.model.load_state_dict(before)
            self.result.notes.append(f"Phase {number + 1} found nothing better on validation; it was not kept.")
        mark_trained(self.model)
        wait_for_all()
        self._ready.clear(number)
        self._finish_phase(number, keeper, plan, better)

    def _check(self, work: Work) -> None:
        inputs, targets = work.few(FEW)
        steps = check_it_learns(
            work.network,
            work.prepare,
            inputs,
            targets,
            device=self.device,
            name=self.model.name,
            deadline=self.stop.deadline,
        )
        self.result.notes.append(f"Learned {len(targets)} training images by heart in {steps} steps before it began.")

    def _finish_phase(self, number: int, keeper: Keeper, plan: PhasePlan, better: bool) -> None:
        result = self.result
        result.history = keeper.history
        if better:
            result.best_epoch, result.best_val_loss = keeper.best.epoch, keeper.best.loss
        for row in result.history:
            row["best"] = int(row["epoch"] == result.best_epoch)
        result.epochs_planned += plan.max_epochs
        result.precision, result.batch_size, result.stopped = plan.precision, self.settings.batch_size, keeper.stopped
        seconds = [row["seconds"] for row in keeper.rows]
        result.images_per_second = len(self.train.targets) * len(seconds) / sum(seconds) if seconds else 0.0
        if is_first():
            write_history(self.run_dir / "history.csv", result.history)
        if not self.stop.interrupted:
            state = {"done": number + 1, "fresh": sorted(self.model.fresh), "result": vars(result)}
            save_beside(self._whole_file(number), lambda path: torch.save(self.model.state_dict(), path))
            save_beside(self._state_file, lambda path: path.write_text(json.dumps(state)))


def _time_share(phases: list[Phase], settings: Settings, deadline: float) -> float:
    """Seconds for the first of these phases; a head on features is quick and takes what it needs."""
    left = max(deadline - time.monotonic(), 0.0)
    if math.isinf(left) or on_features(phases[0], settings):
        return left
    return left * phases[0].max_epochs / sum(phase.max_epochs for phase in phases)
