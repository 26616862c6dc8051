"""A phase made ready: what is trained on what, on images or on what frozen parts give for them once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from hilum.inference.torch_engine import evaluating
from hilum.models.classifier import Classifier
from hilum.models.stages import param_groups
from hilum.training.datamodule import ExampleDataset, Examples, FeatureDataset, on_device
from hilum.training.features import HeadOnly, feature_examples, head_examples
from hilum.training.front import Front, find_front
from hilum.training.keeper import Interrupted, OnStep, StopRequest
from hilum.training.phase import Phase
from hilum.training.processes import world
from hilum.training.work import Settings, Work
from hilum.transforms import Preprocessing
from hilum.transforms.normalise import normalise


@dataclass(frozen=True)
class Ready:
    """Makes the phases of one run ready.

    Args:
        model: with the trained stages of the phase set.
        run_dir: its `checkpoints/` holds features that are too many for the memory.
        stop: ends the making of features too.
        on_step: as in `fit`.
    """

    model: Classifier
    train: Examples
    val: Examples
    preprocessing: Preprocessing
    settings: Settings
    run_dir: Path
    device: torch.device
    stop: StopRequest
    on_step: OnStep | None = None

    def work(self, number: int, phase: Phase) -> Work:
        """What a phase trains on: images, what the frozen front gives for them, or features for the head alone."""
        groups = param_groups(
            self.model,
            lr=phase.lr,
            backbone_lr_scale=phase.backbone_lr_scale,
            weight_decay=phase.weight_decay,
            layer_decay=phase.layer_decay,
        )
        if on_features(phase, self.settings):
            return self._head(number, phase, groups)
        batch = phase.batch_size or self.settings.batch_size
        if self.settings.augmentation.is_off:
            front = find_front(self.model, (self.train, self.val), self._normalise)
            if front:
                return self._behind(front, number, groups, batch)
        train, val = on_device(self.train, self.device), on_device(self.val, self.device)
        images = ExampleDataset(train, self.settings.augmentation, self.settings.seed)
        return Work(self.model, self._normalise, images, train, val, groups, batch, self.settings)

    def _head(self, number: int, phase: Phase, groups: list[dict]) -> Work:
        """A phase that trains the head on the frozen backbone's features of each view."""
        views = 1 if self.settings.augmentation.is_off else phase.views
        made = self._features(self.train, views, self._features_file(number, "train"))
        features = FeatureDataset(made, self.train.targets, self.settings.seed, self.train.soft)
        seen = self._features(self.val, 1, self._features_file(number, "val"))
        plain = head_examples(made, self.train), head_examples(seen, self.val)
        batch = phase.batch_size or head_batch(len(self.train.targets))
        return Work(HeadOnly(self.model), _as_it_is, features, *plain, groups, batch, self.settings)

    def _behind(self, front: Front, number: int, groups: list[dict], batch: int) -> Work:
        """A phase that trains what lies behind a frozen front, on what the front gives once for each image."""
        on_images = self._progress(len(self.train.targets) + len(self.val.targets), "frozen stages")
        with evaluating(self.model):
            made, seen = (
                front.results(examples, self._features_file(number, split), on_images)
                for split, examples in (("train", self.train), ("val", self.val))
            )
        front.rest.train(self.model.training)
        dataset = FeatureDataset(made, self.train.targets, self.settings.seed, self.train.soft)
        plain = head_examples(made, self.train), head_examples(seen, self.val)
        return Work(front.rest, _channels_last, dataset, *plain, groups, batch, self.settings)

    def _normalise(self, inputs: torch.Tensor) -> torch.Tensor:
        return normalise(inputs, normalisation=self.preprocessing.normalisation, channels=self.preprocessing.channels)

    def _features_file(self, number: int, split: str) -> Path:
        """Where the features of a phase lie when they are too many for the memory; gone when the phase is done."""
        own = f"-{world()[0]}" if world()[0] else ""
        return self.run_dir / "checkpoints" / f"phase-{number}-features-{split}{own}.npy"

    def _progress(self, total: int, what: str) -> Callable[[int], None]:
        """To be told the number of images done since the last call; raises `Interrupted` when the run is to end."""
        done = 0

        def on_images(count: int) -> None:
            nonlocal done
            done += count
            if self.stop.interrupted:
                raise Interrupted
            if self.on_step:
                self.on_step(done, total, what)

        return on_images

    def _features(self, examples: Examples, views: int, file: Path) -> np.ndarray:
        on_images = self._progress(views * len(examples.targets), "features of the frozen backbone")
        return feature_examples(
            self.model,
            examples,
            preprocessing=self.preprocessing,
            augmentation=self.settings.augmentation,
            views=views,
            seed=self.settings.seed,
            device=self.device,
            on_images=on_images,
            file=file,
        )

    def clear(self, number: int) -> None:
        """Removes the files of features of a phase."""
        for split in ("train", "val"):
            self._features_file(number, split).unlink(missing_ok=True)  # a map of it lives on until it is let go


def on_features(phase: Phase, settings: Settings) -> bool:
    """Whether a phase trains a head on features that the frozen backbone gives once."""
    return phase.train == "head" and (phase.views > 0 or settings.augmentation.is_off)


def head_batch(images: int) -> int:
    """Images a step when only a head is trained on features: sixteen steps an epoch, of 16 to 256 images.

    A step is so small that its overhead is what it costs; large batches avoid it where there are images for them.
    """
    return min(256, max(16, images // 16))


def _channels_last(inputs: torch.Tensor) -> torch.Tensor:
    return inputs.contiguous(memory_format=torch.channels_last) if inputs.ndim == 4 else inputs


def _as_it_is(inputs: torch.Tensor) -> torch.Tensor:
    return inputs
