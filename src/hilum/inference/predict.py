"""Model + canvases -> logits or embeddings, in batches."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from hilum.errors import RecipeError
from hilum.models.classifier import Classifier
from hilum.transforms.normalise import normalise
from hilum.transforms.preprocessing import Preprocessing
from hilum.transforms.tta import BUILT_IN, View, look, make_views

PRECISIONS = ("32", "bf16")


class Canvases(Protocol):
    """N images, uint8 `[S, S]`: an array, a memory map, a list, or whatever else has a length and takes a slice."""

    def __len__(self) -> int: ...

    def __getitem__(self, positions: Any, /) -> Any: ...


def predict_logits(
    model: Classifier,
    canvases: Canvases,
    preprocessing: Preprocessing,
    *,
    views: Sequence[str | Mapping[str, Any] | View] = ("plain",),
    view_seed: int = 0,
    batch_size: int = 64,
    device: torch.device | str | None = None,
    precision: str = "32",
    on_batch: Callable[[int], None] | None = None,
) -> np.ndarray:
    """The logits of each image.

    With one view these are the network's own. With several, the probabilities of the views are averaged, and what
    comes back is the logarithm of that mean: its softmax is the mean again.

    Args:
        canvases: N images, uint8 `[S, S]` each, S being the side that `preprocessing` names.
        preprocessing: of the model; its normalisation and channels are applied here.
        views: `plain`, `flip`, or whatever `hilum.transforms.make_views` takes.
        view_seed: of the random changes of views; an image's own depend on it and on the picture alone.
        device: where to compute; the model is moved there. None = where it is.
        precision: `32`, or `bf16` for bfloat16 arithmetic inside the network.
        on_batch: called after each batch with the number of its images.

    Returns:
        float32 `[N, K]`, in the order of `canvases`.

    Raises:
        RecipeError: an unknown view or precision, or canvases and preprocessing that do not fit the model.
    """
    looks = make_views(views)

    def mean_logits(pictures: list[Tensor]) -> Tensor:
        if len(pictures) == 1:
            return model(_input(pictures[0], preprocessing))
        return average_views(torch.stack(_scores(model, pictures, preprocessing)))

    rows = _batches(
        model, canvases, preprocessing, mean_logits, batch_size, device, precision, on_batch, looks, view_seed
    )
    return np.concatenate([np.empty((0, model.num_classes), np.float32), *rows])


def predict_views(
    model: Classifier,
    canvases: Canvases,
    preprocessing: Preprocessing,
    *,
    views: Sequence[str | Mapping[str, Any] | View],
    view_seed: int = 0,
    batch_size: int = 64,
    device: torch.device | str | None = None,
    on_batch: Callable[[int], None] | None = None,
) -> np.ndarray:
    """What each view by itself says of each image: logarithms of probabilities, float32 `[V, N, K]`.

    Args: as `predict_logits`.

    Raises:
        RecipeError: as `predict_logits`.
    """
    looks = make_views(views)

    def scores(pictures: list[Tensor]) -> Tensor:
        return torch.stack(_scores(model, pictures, preprocessing), dim=1)

    rows = _batches(model, canvases, preprocessing, scores, batch_size, device, "32", on_batch, looks, view_seed)
    empty = np.empty((0, len(looks), model.num_classes), np.float32)
    return np.concatenate([empty, *rows]).swapaxes(0, 1)


def average_views(scores: Tensor) -> Tensor:
    """The logarithm of the views' mean probabilities: log-probabilities `[V, N, K]` -> `[N, K]`."""
    return scores.logsumexp(0) - math.log(len(scores))


def _scores(model: Classifier, pictures: list[Tensor], preprocessing: Preprocessing) -> list[Tensor]:
    return [model(_input(each, preprocessing)).float().log_softmax(1) for each in pictures]


def embed_images(
    model: Classifier,
    canvases: Canvases,
    preprocessing: Preprocessing,
    *,
    batch_size: int = 64,
    device: torch.device | str | None = None,
    precision: str = "32",
    on_batch: Callable[[int], None] | None = None,
) -> np.ndarray:
    """The embedding of each image: what enters the head, so that `model.classify` of it is the logits.

    Args: as `predict_logits`.

    Returns:
        float32 `[N, D]`, in the order of `canvases`.

    Raises:
        RecipeError: as `predict_logits`.
    """

    def embed(pictures: list[Tensor]) -> Tensor:
        return model.embed(_input(pictures[0], preprocessing))

    rows = _batches(model, canvases, preprocessing, embed, batch_size, device, precision, on_batch)
    return np.concatenate([np.empty((0, model.embedding_dim), np.float32), *rows])


def _batches(
    model: Classifier,
    canvases: Canvases,
    preprocessing: Preprocessing,
    compute: Callable[[list[Tensor]], Tensor],
    batch_size: int,
    device: torch.device | str | None,
    precision: str,
    on_batch: Callable[[int], None] | None,
    views: Sequence[View] = (BUILT_IN["plain"],),
    view_seed: int = 0,
) -> Iterator[np.ndarray]:
    _check_fit(model, preprocessing, precision)
    place = torch.device(device) if device is not None else model.device
    model.to(place).to(memory_format=torch.channels_last)
    with _evaluating(model):
        for start in range(0, len(canvases), batch_size):
            batch = _stacked(canvases[start : start + batch_size], preprocessing)
            pictures = [torch.from_numpy(look(batch, view, seed=view_seed)).to(place) for view in views]
            with torch.inference_mode(), torch.autocast(place.type, torch.bfloat16, precision == "bf16"):
                result = compute(pictures)
            yield result.float().cpu().numpy()
            if on_batch is not None:
                on_batch(len(batch))


def _input(canvases: Tensor, preprocessing: Preprocessing) -> Tensor:
    return normalise(canvases, normalisation=preprocessing.normalisation, channels=preprocessing.channels)


def _stacked(canvases: Any, preprocessing: Preprocessing) -> np.ndarray:
    """uint8 `[B, S, S]`, a copy of its own: torch warns of read-only memory such as a map's."""
    stacked, side = np.array(canvases), preprocessing.image_size
    if stacked.shape[1:] != (side, side):
        raise RecipeError("canvases", expected=f"{side} x {side} pixels", found=f"{list(stacked.shape[1:])}")
    return stacked


def _check_fit(model: Classifier, preprocessing: Preprocessing, precision: str) -> None:
    if precision not in PRECISIONS:
        raise RecipeError("precision", expected=f"one of {', '.join(PRECISIONS)}", found=precision)
    if preprocessing.channels != model.in_channels:
        found, expected = str(preprocessing.channels), f"{model.in_channels}, as {model.name} has"
        raise RecipeError("preprocessing.channels", expected=expected, found=found)


@contextmanager
def _evaluating(model: Classifier) -> Iterator[None]:
    """Evaluation mode within; afterwards every module is in the mode that it was in."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
