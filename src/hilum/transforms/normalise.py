"""The last step before the network: grey bytes -> normalised channels, on whatever device the batch is."""

from __future__ import annotations

import numpy as np
import torch

from hilum.errors import RecipeError
from hilum.transforms.preprocessing import NORMALISATIONS


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
    # numpy's large arrays lie on large pages, torch's do not; a channel at a time is faster than one broadcast over a
    # last dimension that is only three long.
    grey, pixels = _empty(canvases.shape), _empty((*canvases.shape, channels))
    grey.copy_(canvases)
    for channel in range(channels):
        torch.add(offset[channel], grey, alpha=float(scale[channel]), out=pixels[..., channel])
    return pixels.permute(0, 3, 1, 2)


def _empty(shape: tuple[int, ...]) -> torch.Tensor:
    return torch.from_numpy(np.empty(shape, np.float32))


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
