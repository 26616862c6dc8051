"""The last step before the network: grey bytes -> normalised channels, on whatever device the batch is."""

from __future__ import annotations

import numpy as np
import torch

from hilum.errors import RecipeError
from hilum.transforms.preprocessing import NORMALISATIONS
from hilum.transforms.threads import in_threads


def normalise(canvases: torch.Tensor, *, normalisation: str, channels: int) -> torch.Tensor:
    """Normalises a batch.

    Args:
        canvases: uint8 `[B, S, S]`.
        normalisation: a name from `NORMALISATIONS`; with one channel the mean of its three figures is used.
        channels: 1 or 3.

    Returns:
        float32 `[B, C, S, S]`, channels last in memory.

    Raises:
        RecipeError: canvases that are not uint8 (a picture that was scaled before would be scaled twice).
    """
    if canvases.dtype != torch.uint8 or canvases.ndim != 3:
        found = f"{canvases.dtype} {list(canvases.shape)}"
        raise RecipeError("canvases", expected="uint8 [B, S, S]", found=found)
    scale, offset = scale_and_offset(normalisation, channels)
    # Filled channels-last from the start: a later .to(memory_format=...) would copy the whole batch once more.
    place = canvases.device
    if place.type != "cpu":
        pixels = torch.addcmul(offset.to(place), canvases.unsqueeze(-1).float(), scale.to(place))
        return pixels.permute(0, 3, 1, 2)
    made = _normalised(canvases.contiguous().numpy(), scale.tolist(), offset.tolist())
    return torch.from_numpy(made).permute(0, 3, 1, 2)


BLOCK = 1 << 16
"""Pixels at a time: grey, planes and result of so many stay in a core's cache, which is worth a factor of two."""


def _normalised(canvases: np.ndarray, scale: list[float], offset: list[float]) -> np.ndarray:
    """float32 `[B, S, S, C]`, in threads."""
    import cv2

    # numpy's large arrays lie on large pages, torch's do not.
    pixels = np.empty((*canvases.shape, len(scale)), np.float32)
    side = max(canvases.shape[-1], 1)
    rows, made = canvases.reshape(-1, side), pixels.reshape(-1, side, len(scale))
    step = max(1, BLOCK // side)

    def work(blocks: range) -> None:
        room = [np.empty((step, side), np.float32) for _ in scale]
        for start in range(blocks.start * step, min(blocks.stop * step, len(rows)), step):
            grey, place = rows[start : start + step], made[start : start + step]
            # With one channel the plane is the place; cv2 fills what it is given where shape and type fit.
            planes = [place[..., 0]] if len(room) == 1 else [plane[: len(grey)] for plane in room]
            for plane, factor, more in zip(planes, scale, offset, strict=True):
                cv2.addWeighted(grey, factor, grey, 0, more, dst=plane, dtype=cv2.CV_32F)
            if len(planes) > 1:
                cv2.merge(planes, dst=place)

    in_threads(work, -(-len(rows) // step))
    return pixels


def scale_and_offset(normalisation: str, channels: int) -> tuple[torch.Tensor, torch.Tensor]:
    """float32 `[C]` each: what a grey byte is multiplied with, and what is added then.

    Args and raises: as `normalise`.
    """
    mean, std = (torch.tensor(each, dtype=torch.float32)[:channels] for each in _of(normalisation, channels))
    return 1 / (255 * std), -mean / std


def _of(normalisation: str, channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    try:
        mean, std = NORMALISATIONS[normalisation]
    except KeyError:
        raise RecipeError(
            "normalisation", expected=f"one of {', '.join(NORMALISATIONS)}", found=normalisation
        ) from None
    if channels == 3:
        return mean, std
    return (sum(mean) / 3,), (sum(std) / 3,)
