"""Phases of training, with what can go wrong on the way: NaN, too little memory, Ctrl-C, a killed process."""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from hilum.data.balance import class_weights
from hilum.errors import Diverged, TrainingError
from hilum.inference import tune_cpu
from hilum.models.classifier import Classifier
from hilum.models.stages import mark_trained, param_groups, select_stages, set_trained_stages
from hilum.training.datamodule import ExampleDataset, Examples, FeatureDataset, train_loader, val_loader
from hilum.training.features import HeadOnly, feature_examples, head_examples
from hilum.training.interrupt import graceful_interrupt
from hilum.training.keeper import Interrupted, Keeper, OnStep, StopRequest, write_history
from hilum.training.module import LossNotFinite, TrainingModule
from hilum.training.phase import Phase
from hilum.training.probe import check_it_learns, few_examples, probe_precision
from hilum.training.quiet import make_trainer
from hilum.transforms import Augmentation, Preprocessing
from hilum.transforms.normalise import normalise

HEAD_BATCH = 256
"""Images a step when only a head is trained on features: it is so small that more steps would only cost overhead."""


@dataclass(frozen=True)
class Settings:
    """What all phases of a run share; the fields are those of a recipe.

    Args:
        balance: see `hilum.data.balance`.
        label_smoothing: share of the target spread over all classes, in [0, 1).
        ema: decay a step of the average of the weights that is evaluated and kept; 0 = none.
        precision: `auto`, `32` or `bf16`.
        overfit_check: first see whether the network can memorise 16 images.
    """

    augmentation: Augmentation = field(default_factory=Augmentation)
    balance: str = "as-is"
    label_smoothing: float = 0.0
    ema: float = 0.0
    batch_size: int = 32
    precision: str = "auto"
    overfit_check: bool = True
    seed: int = 0


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

    Raises:
        CannotLearn: the network cannot memorise 16 images.
        Diverged: the loss became NaN again after the learning rate was halved.
        TrainingError: not even one image fits into memory.
    """
    tune_cpu()
    stop = StopRequest()
    fitter = _Fitter(model, train, val, preprocessing, settings, run_dir, device, stop, list(loggers), on_step)
    started = time.monotonic()
    with graceful_interrupt(stop):
        fitter.run(list(phases), math.inf if time_budget is None else started + time_budget)
    fitter.result.seconds += time.monotonic() - started
    return fitter.result


@dataclass
class _Work:
    """One phase made ready: a network and its batches."""

    network: nn.Module
    prepare: Any
    dataset: Any
    train: Examples
    val: Examples
    groups: list[dict]
    batch_size: int


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
    result: FitResult = field(default_factory=FitResult)

    def run(self, phases: list[Phase], deadline: float) -> None:
        self.model.to(self.device, memory_format=torch.channels_last)
        done = self._resume()
        for number in range(done, len(phases)):
            phase = phases[number]
            share = _time_share(phases[number:], deadline)
            self.stop.deadline = min(deadline, time.monotonic() + share)
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
        if state["done"]:
            best = self.run_dir / "checkpoints" / f"phase-{state['done'] - 1}-best.pt"
            self._network_of(state["train"]).load_state_dict(torch.load(best, weights_only=True))
        return state["done"]

    def _network_of(self, train: str) -> nn.Module:
        return HeadOnly(self.model) if train == "head" else self.model

    def _run_phase(self, number: int, phase: Phase) -> None:
        set_trained_stages(self.model, select_stages(self.model, phase.train))
        work = self._prepare_phase(phase)
        if number == 0 and self.settings.overfit_check and not self._last(number).exists():
            self._check(work)
        plan = self._plan(number, phase, work)
        keeper = self._train(number, phase, work, plan)
        self._adopt(work, keeper)
        self._finish_phase(number, phase, keeper, plan)

    def _last(self, number: int) -> Path:
        return self.run_dir / "checkpoints" / f"phase-{number}-last.ckpt"

    def _prepare_phase(self, phase: Phase) -> _Work:
        groups = param_groups(
            self.model, lr=phase.lr, backbone_lr_scale=phase.backbone_lr_scale, weight_decay=phase.weight_decay
        )
        if phase.train != "head":
            dataset: Any = ExampleDataset(self.train, self.settings.augmentation, self.settings.seed)
            return _Work(self.model, self._normalise, dataset, self.train, self.val, groups, self.settings.batch_size)
        views = phase.views if not self.settings.augmentation.is_off else 1
        train, val = self._features(self.train, views), self._features(self.val, 1)
        dataset = FeatureDataset(train, self.train.targets, self.settings.seed)
        work_train, work_val = head_examples(train, self.train), head_examples(val, self.val)
        return _Work(HeadOnly(self.model), _as_it_is, dataset, work_train, work_val, groups, HEAD_BATCH)

    def _normalise(self, inputs: torch.Tensor) -> torch.Tensor:
        return normalise(inputs, normalisation=self.preprocessing.normalisation, channels=self.preprocessing.channels)

    def _features(self, examples: Examples, views: int) -> np.ndarray:
        done, total = 0, views * len(examples.targets)

        def on_images(count: int) -> None:
            nonlocal done
            done += count
            if self.on_step:
                self.on_step(done, total, "features of the frozen backbone")

        return feature_examples(
            self.model,
            examples,
            preprocessing=self.preprocessing,
            augmentation=self.settings.augmentation,
            views=views,
            seed=self.settings.seed,
            device=self.device,
            on_images=on_images,
        )

    def _check(self, work: _Work) -> None:
        rows = few_examples(self.train.targets, self.settings.seed)
        inputs = np.ascontiguousarray(work.train.inputs[rows])
        targets = self.train.targets[rows]
        steps = check_it_learns(work.network, work.prepare, inputs, targets, device=self.device, name=self.model.name)
        self.result.notes.append(
            f"Learned {len(rows)} training images by heart in {steps} steps before training began."
        )

    def _plan(self, number: int, phase: Phase, work: _Work) -> dict[str, Any]:
        """Epochs and precision; written down, so that a resumed run follows the same plan."""
        file = self.run_dir / "checkpoints" / f"phase-{number}-plan.json"
        if file.exists():
            return json.loads(file.read_text())
        rows = np.resize(few_examples(self.train.targets, self.settings.seed, work.batch_size), work.batch_size)
        batch = np.ascontiguousarray(work.train.inputs[rows])
        asked = "32" if isinstance(work.network, HeadOnly) else self.settings.precision
        precision, seconds = probe_precision(
            work.network, work.prepare, batch, self.train.targets[rows], self.device, asked
        )
        steps = len(train_loader(work.dataset, self.train.targets, **self._loading(work, work.batch_size)))
        # An epoch also augments, averages, validates and writes: a fifth on top, as measured on two cores.
        left = self.stop.deadline - time.monotonic()
        epochs = phase.max_epochs if math.isinf(left) else int(left / (1.2 * seconds * steps))
        epochs = max(1, min(phase.max_epochs, epochs))
        plan = {"max_epochs": epochs, "precision": precision, "micro_batch": work.batch_size, "lr_scale": 1.0}
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(plan))
        if epochs < phase.max_epochs:
            self.result.notes.append(
                f"Phase {number + 1}: {epochs} of {phase.max_epochs} epochs fit into the time budget; "
                "the schedule was shortened to end there."
            )
        return plan

    def _loading(self, work: _Work, batch_size: int) -> dict[str, Any]:
        return {"balance": self.settings.balance, "batch_size": batch_size, "seed": self.settings.seed}

    def _train(self, number: int, phase: Phase, work: _Work, plan: dict[str, Any]) -> Keeper:
        """Trains, mending what can be mended, until the phase has ended one way or another."""
        start = copy.deepcopy(work.network.state_dict())
        while True:
            keeper = Keeper(
                self.run_dir,
                number,
                self.result.history,
                patience=phase.patience,
                stop=self.stop,
                on_step=self.on_step,
            )
            module = self._module(phase, work, plan)
            try:
                self._fit_once(module, keeper, work, plan)
                return keeper
            except Interrupted:
                if not keeper.best.state:
                    keeper.best.state = {k: v.detach().cpu().clone() for k, v in module.evaluated.state_dict().items()}
                return keeper
            except LossNotFinite:
                self._after_nan(plan)
            except (torch.OutOfMemoryError, RuntimeError) as error:
                self._after_oom(error, plan, work)
            work.network.load_state_dict(start)

    def _module(self, phase: Phase, work: _Work, plan: dict[str, Any]) -> TrainingModule:
        weights = None
        if self.settings.balance == "class-weights":
            weights = class_weights(self.train.targets, self.model.num_classes)
        module = TrainingModule(
            work.network,
            work.prepare,
            work.groups,
            phase,
            max_epochs=plan["max_epochs"],
            class_weights=weights,
            label_smoothing=self.settings.label_smoothing,
            ema=self.settings.ema if not isinstance(work.network, HeadOnly) else 0.0,
            seed=self.settings.seed,
        )
        module.lr_scale = plan["lr_scale"]
        return module

    def _fit_once(self, module: TrainingModule, keeper: Keeper, work: _Work, plan: dict[str, Any]) -> None:
        accumulate = math.ceil(work.batch_size / plan["micro_batch"])
        trainer = make_trainer(
            max_epochs=plan["max_epochs"],
            precision=plan["precision"],
            device=self.device,
            callbacks=[keeper],
            loggers=self.loggers,
            accumulate=accumulate,
            run_dir=self.run_dir,
        )
        loader = train_loader(work.dataset, self.train.targets, **self._loading(work, plan["micro_batch"]))
        resume = str(keeper.last) if keeper.last.exists() else None
        trainer.fit(module, loader, val_loader(work.val, work.batch_size), ckpt_path=resume, weights_only=True)

    def _after_nan(self, plan: dict[str, Any]) -> None:
        if plan["lr_scale"] < 1:
            raise Diverged(
                self.model.name,
                expected="a finite loss",
                found="NaN again after the learning rate had been halved",
                way_out="Lower the learning rate of the recipe's phase, or train in precision 32.",
            )
        plan["lr_scale"] = 0.5
        self.result.notes.append(
            "The loss became NaN; training went back to the last finished epoch and on with half the learning rate."
        )

    def _after_oom(self, error: Exception, plan: dict[str, Any], work: _Work) -> None:
        if not isinstance(error, torch.OutOfMemoryError) and "out of memory" not in str(error).casefold():
            raise error
        if plan["micro_batch"] == 1:
            raise TrainingError(
                self.model.name, expected="room for one image", found="out of memory", way_out="Lower image_size."
            ) from None
        plan["micro_batch"] = math.ceil(plan["micro_batch"] / 2)
        self.result.notes.append(
            f"Out of memory: batches of {work.batch_size} are now added up from parts of {plan['micro_batch']}."
        )
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _adopt(self, work: _Work, keeper: Keeper) -> None:
        work.network.load_state_dict(keeper.best.state)
        mark_trained(self.model)

    def _finish_phase(self, number: int, phase: Phase, keeper: Keeper, plan: dict[str, Any]) -> None:
        result = self.result
        result.history = keeper.history
        result.best_epoch, result.best_val_loss = keeper.best.epoch, keeper.best.loss
        result.epochs_planned += plan["max_epochs"]
        result.precision, result.batch_size, result.stopped = (
            plan["precision"],
            self.settings.batch_size,
            keeper.stopped,
        )
        seconds = [row["seconds"] for row in keeper.rows]
        shown = len(self.train.targets) * len(seconds)
        result.images_per_second = shown / sum(seconds) if sum(seconds) else 0.0
        write_history(self.run_dir / "history.csv", result.history)
        if not self.stop.interrupted:
            state = {"done": number + 1, "train": phase.train, "result": vars(result)}
            partial = self._state_file.with_suffix(".partial")
            partial.write_text(json.dumps(state))
            partial.replace(self._state_file)


def _as_it_is(inputs: torch.Tensor) -> torch.Tensor:
    return inputs


def _time_share(phases: list[Phase], deadline: float) -> float:
    """Seconds for the first of these phases; a head on features is quick and takes what it needs."""
    left = max(deadline - time.monotonic(), 0.0)
    if math.isinf(left) or phases[0].train == "head":
        return left
    return left * phases[0].max_epochs / sum(phase.max_epochs for phase in phases)
