"""Frozen stages in front of trained ones are run once for each image, not once for each epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from hilum.data.cache import let_go
from hilum.models.classifier import Classifier
from hilum.models.front import after_front, frozen_front, run_front
from hilum.training.datamodule import Examples, Rows
from hilum.training.features import make_room

MOST = 4 << 30
"""Bytes of results that are kept for one split; more are computed anew in each epoch."""

BATCH = 32
TOLERANCE = 1e-4
"""By how much a logit may differ between the whole network and its rest behind the front, as a share of the largest."""


@dataclass(frozen=True)
class Front:
    """A network cut in two.

    Args:
        model: the whole.
        names: of the modules in front, all frozen.
        rest: takes what they give; shares the weights of `model`.
        prepare: canvases uint8 `[B, S, S]` on the device -> what `model` takes.
        shape: of what the front gives for one image.
    """

    model: Classifier
    names: tuple[str, ...]
    rest: Classifier
    prepare: Callable[[torch.Tensor], torch.Tensor]
    shape: tuple[int, ...]

    def results(
        self, examples: Examples, file: Path | None, on_images: Callable[[int], None] | None = None
    ) -> np.ndarray:
        """float32 `[1, N, ...]`: what the front gives for each image, as features of one view.

        Args:
            file: where they lie when they are more than memory should hold; the array is then a map of it.
            on_images: called with the number of images done since the last call.
        """
        held = make_room((1, len(examples.targets), *self.shape), file)
        for start, batch in _batches(examples.inputs):
            given = self.run(batch)
            held[0, start : start + len(given)] = given.float().cpu().numpy()
            let_go(held, given.nelement() * held.itemsize)
            if on_images:
                on_images(len(given))
        return np.load(file, mmap_mode="r") if file and isinstance(held, np.memmap) else held

    def run(self, canvases: np.ndarray) -> torch.Tensor:
        """uint8 `[B, S, S]` -> what the front gives, float32 `[B, ...]`, on the model's device."""
        inputs = torch.from_numpy(np.array(canvases)).to(self.model.device)
        return run_front(self.model, self.names, self.prepare(inputs))


def find_front(
    model: Classifier, examples: Sequence[Examples], prepare: Callable[[torch.Tensor], torch.Tensor]
) -> Front | None:
    """The front of a network whose trained stages were set; None where it would not help or cannot be cut off.

    It cannot be cut off where its parts do not simply follow each other. Two images are sent both ways to see that.

    Args:
        examples: training and validation images; what the front gives for each must fit into `MOST`.
        prepare: as in `Front`.
    """
    names = frozen_front(model)
    if not names:
        return None
    few = examples[0].inputs[np.arange(min(2, len(examples[0].targets)))]
    was = model.training
    model.eval()
    try:
        front = _cut(model, names, few, prepare)
    except (RuntimeError, TypeError, AttributeError, IndexError, ValueError):  # its parts do not fit when put together
        return None
    finally:
        model.train(was)
    size = 4 * int(np.prod(front.shape)) * max(len(each.targets) for each in examples) if front else 0
    return front if front and size <= MOST else None


def _cut(
    model: Classifier, names: tuple[str, ...], few: np.ndarray, prepare: Callable[[torch.Tensor], torch.Tensor]
) -> Front | None:
    front = Front(model, names, after_front(model, names), prepare, ())
    given = front.run(few)
    with torch.inference_mode():
        whole = model(prepare(torch.from_numpy(np.array(few)).to(model.device)))
        apart = front.rest(given)
    same = whole.shape == apart.shape and (whole - apart).abs().max() <= TOLERANCE * whole.abs().max()
    return Front(model, names, front.rest, prepare, tuple(given.shape[1:])) if same else None


def _batches(rows: Rows) -> Iterator[tuple[int, np.ndarray]]:
    for start in range(0, len(rows), BATCH):
        yield start, np.ascontiguousarray(rows[np.arange(start, min(start + BATCH, len(rows)))])
