"""Model + canvases -> logits or embeddings, in batches, by the engine that is worth it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch

from hilum.errors import RecipeError
from hilum.inference.choose import choose_engine
from hilum.inference.engine import PRECISIONS, Engine, average_views, describe, log_softmax
from hilum.inference.memory import recall, with_memory
from hilum.models.classifier import Classifier
from hilum.transforms.preprocessing import Preprocessing
from hilum.transforms.tta import BUILT_IN, View, look, make_views


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
    engine: str = "auto",
    on_batch: Callable[[int], None] | None = None,
    on_engine: Callable[[str], None] | None = None,
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
        precision: `32`; `bf16` for bfloat16 arithmetic inside the network; `auto` for bf16 where the processor has it
            and the results hold; `features` where its noise is too small to matter to a head that is trained on them.
        engine: see `hilum.inference.choose.choose_engine`; probabilities are torch's within 1e-3 whichever it is.
        on_batch: called after each batch with the number of its images.
        on_engine: told in words which engine runs.

    Returns:
        float32 `[N, K]`, in the order of `canvases`.

    Raises:
        RecipeError: an unknown view or precision, or canvases and preprocessing that do not fit the model.
    """
    looks = make_views(views)
    rows = _batches(
        model, canvases, preprocessing, logits_of_views, batch_size, device, precision, engine, on_batch, on_engine,
        looks, view_seed,
    )  # fmt: skip
    return np.concatenate([np.empty((0, model.num_classes), np.float32), *rows])


def logits_of_views(runner: Engine, pictures: Sequence[np.ndarray]) -> np.ndarray:
    """One batch seen in several ways, uint8 `[B, S, S]` each -> logits `[B, K]`, as `predict_logits` gives them."""
    if len(pictures) == 1:
        return runner.logits(pictures[0])
    return average_views(np.stack([log_softmax(runner.logits(each)) for each in pictures]))


def predict_views(
    model: Classifier,
    canvases: Canvases,
    preprocessing: Preprocessing,
    *,
    views: Sequence[str | Mapping[str, Any] | View],
    view_seed: int = 0,
    batch_size: int = 64,
    device: torch.device | str | None = None,
    engine: str = "auto",
    on_batch: Callable[[int], None] | None = None,
    on_engine: Callable[[str], None] | None = None,
) -> np.ndarray:
    """What each view by itself says of each image: logarithms of probabilities, float32 `[V, N, K]`.

    Args: as `predict_logits`.

    Raises:
        RecipeError: as `predict_logits`.
    """
    looks = make_views(views)

    def scores(runner: Engine, pictures: list[np.ndarray]) -> np.ndarray:
        return np.stack([log_softmax(runner.logits(each)) for each in pictures], axis=1)

    rows = _batches(
        model, canvases, preprocessing, scores, batch_size, device, "32", engine, on_batch, on_engine, looks, view_seed
    )
    empty = np.empty((0, len(looks), model.num_classes), np.float32)
    return np.concatenate([empty, *rows]).swapaxes(0, 1)


def embed_images(
    model: Classifier,
    canvases: Canvases,
    preprocessing: Preprocessing,
    *,
    batch_size: int = 64,
    device: torch.device | str | None = None,
    precision: str = "32",
    engine: str = "auto",
    on_batch: Callable[[int], None] | None = None,
    on_engine: Callable[[str], None] | None = None,
) -> np.ndarray:
    """The embedding of each image: what enters the head, so that `model.classify` of it is the logits.

    Args: as `predict_logits`.

    Returns:
        float32 `[N, D]`, in the order of `canvases`.

    Raises:
        RecipeError: as `predict_logits`.
    """

    def embed(runner: Engine, pictures: list[np.ndarray]) -> np.ndarray:
        return runner.embed(pictures[0])

    rows = _batches(model, canvases, preprocessing, embed, batch_size, device, precision, engine, on_batch, on_engine)
    return np.concatenate([np.empty((0, model.embedding_dim), np.float32), *rows])


def _batches(
    model: Classifier,
    canvases: Canvases,
    preprocessing: Preprocessing,
    compute: Callable[[Engine, list[np.ndarray]], np.ndarray],
    batch_size: int,
    device: torch.device | str | None,
    precision: str,
    engine: str,
    on_batch: Callable[[int], None] | None,
    on_engine: Callable[[str], None] | None,
    views: Sequence[View] = (BUILT_IN["plain"],),
    view_seed: int = 0,
) -> Iterator[np.ndarray]:
    _check_fit(model, preprocessing, precision)
    place = torch.device(device) if device is not None else model.device
    for first in canvases[:1]:
        _stacked(first[None], preprocessing)
    runner: Engine | None = None
    if place.type == "cpu" and precision == "32":
        runner = recall(model, preprocessing, canvases, engine)
    words = describe(runner) if runner else ""
    if runner is None:
        chosen = choose_engine(
            model, preprocessing, canvases, place=place, precision=precision, passes=len(views), engine=engine
        )
        runner, words = with_memory(chosen.engine, model, preprocessing), chosen.words
    if on_engine is not None:
        on_engine(words)
    for start in range(0, len(canvases), batch_size):
        batch = _stacked(canvases[start : start + batch_size], preprocessing)
        yield compute(runner, [look(batch, view, seed=view_seed) for view in views])
        if on_batch is not None:
            on_batch(len(batch))


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
