"""Model + canvases -> heat maps, in batches, with gradients from the target layer upwards only."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from hilum.errors import RecipeError
from hilum.inference.device import tune_cpu
from hilum.inference.predict import Canvases
from hilum.inspection.cam.methods import BY_GRADIENT, METHODS, ROLLOUT
from hilum.inspection.cam.rollout import roll_out
from hilum.inspection.cam.target import Target, evaluating, find_target
from hilum.models.classifier import Classifier
from hilum.transforms.normalise import normalise
from hilum.transforms.preprocessing import Preprocessing

Classes = int | Sequence[int] | np.ndarray | None


@dataclass(frozen=True)
class HeatMaps:
    """Heat maps of N images.

    Args:
        maps: method -> float32 `[N, h, w]`, at least 0, not scaled; rows from the top of the canvas.
        logits: float32 `[N, K]`, of the plain picture.
        target: int `[N]`, the class that each map speaks for.
        layer: where they were taken.
    """

    maps: Mapping[str, np.ndarray]
    logits: np.ndarray
    target: np.ndarray
    layer: str


def compute_maps(
    model: Classifier,
    canvases: Canvases,
    preprocessing: Preprocessing,
    *,
    methods: Sequence[str] = ("gradcam",),
    target: Classes = None,
    against: Classes = None,
    layer: Target | str | None = None,
    batch_size: int = 16,
    device: torch.device | str | None = None,
    on_batch: Callable[[int], None] | None = None,
) -> HeatMaps:
    """Heat maps of some images, all methods from one pass.

    Args:
        canvases: N images, uint8 `[S, S]` each, S being the side that `preprocessing` names.
        methods: of `METHODS`; `rollout` is the same for every class.
        target: the class that a map speaks for, one for all or one an image; None = the most probable.
        against: a class whose score is taken off: the map of a difference.
        layer: of `find_target`, or a name; None = what suits the network. `rollout` does not use it.
        device: where to compute; the model is moved there. None = where it is.
        on_batch: called after each batch with the number of its images.

    Raises:
        RecipeError: an unknown method or class, or one that the network cannot have.
    """
    _check(model, preprocessing, methods, target, against)
    by_gradient = [name for name in methods if name != ROLLOUT]
    place = torch.device(device) if device is not None else model.device
    if place.type == "cpu":
        tune_cpu()  # activations of a batch are as large as those of a training step
    model.to(place).to(memory_format=torch.channels_last)
    where = None if not by_gradient else layer if isinstance(layer, Target) else find_target(model, layer)
    found: dict[str, list[np.ndarray]] = {name: [] for name in methods}
    logits, targets = [np.empty((0, model.num_classes), np.float32)], [np.empty(0, np.int64)]
    with evaluating(model):
        for start in range(0, len(canvases), batch_size):
            image = _input(canvases[start : start + batch_size], preprocessing, place)
            wanted, other = (_classes(each, len(canvases), start, len(image), place) for each in (target, against))
            maps, scores, spoken_for = _one_batch(model, image, where, methods, wanted, other)
            for name, each in maps.items():
                found[name].append(each.float().cpu().numpy())
            logits.append(scores.detach().float().cpu().numpy())
            targets.append(spoken_for.cpu().numpy())
            if on_batch is not None:
                on_batch(len(image))
    cells = where.cells if where is not None else (0, 0)
    stacked = {
        name: np.concatenate(each) if each else np.empty((0, *cells), np.float32) for name, each in found.items()
    }
    name = where.name if where is not None else "all blocks"
    return HeatMaps(stacked, np.concatenate(logits), np.concatenate(targets), name)


def _one_batch(
    model: Classifier,
    image: Tensor,
    where: Target | None,
    methods: Sequence[str],
    target: Tensor | None,
    other: Tensor | None,
) -> tuple[dict[str, Tensor], Tensor, Tensor]:
    """Maps by method, logits `[B, K]`, the classes that the maps speak for `[B]`; no layer means roll-out alone."""
    if where is None:
        rolled, logits = roll_out(model, image)
        return {ROLLOUT: rolled}, logits, logits.argmax(1) if target is None else target
    by_gradient = [name for name in methods if name != ROLLOUT]
    maps, logits, spoken_for = _by_gradient(model, image, where, by_gradient, target, other)
    if ROLLOUT in methods:
        maps[ROLLOUT], logits = roll_out(model, image)
    return maps, logits, spoken_for


def _by_gradient(
    model: Classifier, image: Tensor, where: Target, methods: Sequence[str], target: Tensor | None, other: Tensor | None
) -> tuple[dict[str, Tensor], Tensor, Tensor]:
    with _cut(where) as kept, torch.no_grad():
        logits = model(image)
    if target is None:
        target = logits.argmax(1)
    (gradients,) = torch.autograd.grad(score_of(logits, target, other, model.head.single).sum(), kept)
    values, slopes = where.as_maps(kept[0].detach()), where.as_maps(gradients)
    return {name: BY_GRADIENT[name](values, slopes) for name in methods}, logits, target


def score_of(logits: Tensor, target: Tensor, other: Tensor | None, single: bool) -> Tensor:
    """What a map explains, `[B]`: the logit of a class, or how far it exceeds that of another.

    With a single sigmoid output, given as the logits (0, z), the score is z for the second class and -z for the first:
    the logit 0 by itself depends on nothing.
    """
    own = logits.gather(1, target[:, None])[:, 0]
    if other is None and single:
        other = 1 - target
    return own if other is None else own - logits.gather(1, other[:, None])[:, 0]


@contextmanager
def _cut(where: Target) -> Iterator[list[Tensor]]:
    """Within, a pass of this thread under `no_grad` keeps the layer's result, and is differentiable from there on.

    Nothing below the layer is recorded, so that it costs what plain inference costs. Leaving `no_grad` puts the
    gradient mode back.
    """
    kept: list[Tensor] = []
    mine = threading.get_ident()

    def cut(_module: object, _inputs: object, result: Tensor) -> Tensor | None:
        if threading.get_ident() != mine:
            return None
        torch.set_grad_enabled(True)
        kept[:] = [result.detach().requires_grad_()]
        return kept[0].clone()  # what follows may write into it

    hook = where.module.register_forward_hook(cut)
    try:
        yield kept
    finally:
        hook.remove()


def _input(canvases: object, preprocessing: Preprocessing, place: torch.device) -> Tensor:
    stacked, side = np.array(canvases), preprocessing.image_size
    if stacked.dtype != np.uint8 or stacked.shape[1:] != (side, side):
        found = f"{stacked.dtype} {list(stacked.shape[1:])}"
        raise RecipeError("canvases", expected=f"uint8, {side} x {side} pixels", found=found)
    pixels = torch.from_numpy(stacked).to(place)
    return normalise(pixels, normalisation=preprocessing.normalisation, channels=preprocessing.channels)


def _classes(classes: Classes, images: int, start: int, size: int, place: torch.device) -> Tensor | None:
    if classes is None:
        return None
    each = np.broadcast_to(np.asarray(classes, np.int64), (images,))[start : start + size]
    return torch.from_numpy(each.copy()).to(place)


def _check(
    model: Classifier, preprocessing: Preprocessing, methods: Sequence[str], target: Classes, against: Classes
) -> None:
    for name in methods:
        if name not in METHODS:
            raise RecipeError("heat map", expected=f"one of {', '.join(METHODS)}", found=str(name))
    if not methods:
        raise RecipeError("heat map", expected="at least one method", found="none")
    if preprocessing.channels != model.in_channels:
        found, expected = str(preprocessing.channels), f"{model.in_channels}, as {model.name} has"
        raise RecipeError("preprocessing.channels", expected=expected, found=found)
    if against is not None and ROLLOUT in methods:
        raise RecipeError("attention roll-out", expected="no difference of classes: it is the same for all of them")
    for classes in (target, against):
        if classes is not None and not ((np.asarray(classes) >= 0) & (np.asarray(classes) < model.num_classes)).all():
            raise RecipeError("class of a heat map", expected=f"0 to {model.num_classes - 1}", found=str(classes))
