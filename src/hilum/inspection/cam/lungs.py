"""Where the lungs lie: a small segmenter trained on drawn X-rays, whose masks are known to the pixel.

A U-Net (Ronneberger et al. 2015) of 0.12 million parameters at 64 pixels. It is coarse on purpose: all that is asked of
it is which share of a heat map lies inside the lungs. `benchmarks/lung_masks.py` trains it, writes its weights beside
this file and measures it; `docs/explain.md` holds the figures.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

SIDE = 64
"""Pixels that the network works at."""

WIDTHS = (8, 16, 32, 64)
WEIGHTS = Path(__file__).with_name("lungs.safetensors")
SMALLEST, LARGEST = 0.06, 0.6
"""Shares of the picture: a mask outside is that of no pair of lungs."""


class LungNet(nn.Module):
    """Standardised pictures `[B, 1, 64, 64]` -> logits of lung `[B, 1, 64, 64]`."""

    def __init__(self) -> None:
        super().__init__()
        pairs = zip((1, *WIDTHS[:-1]), WIDTHS, strict=True)
        self.down = nn.ModuleList(_double(before, after) for before, after in pairs)
        deep = tuple(reversed(WIDTHS))
        self.up = nn.ModuleList(_double(below + beside, beside) for below, beside in pairwise(deep))
        self.last = nn.Conv2d(WIDTHS[0], 1, 1)

    def forward(self, image: Tensor) -> Tensor:
        levels = [self.down[0](image)]
        for block in list(self.down)[1:]:
            levels.append(block(F.max_pool2d(levels[-1], 2)))
        features = levels.pop()
        for block in self.up:
            beside = levels.pop()
            features = block(torch.cat([F.interpolate(features, scale_factor=2, mode="nearest"), beside], dim=1))
        return self.last(features)


def find_lungs(canvases: np.ndarray, *, batch_size: int = 64) -> np.ndarray:
    """Lung masks of X-rays.

    Args:
        canvases: uint8 `[N, S, S]`, lungs dark.

    Returns:
        bool `[N, S, S]`; empty where nothing that could be a pair of lungs was found.
    """
    side = canvases.shape[1]
    network, masks = _network(), np.zeros((len(canvases), side, side), bool)
    for start in range(0, len(canvases), batch_size):
        batch = torch.from_numpy(standardise(canvases[start : start + batch_size])).unsqueeze(1)
        with torch.inference_mode():
            logits = network(batch)
            fine = F.interpolate(logits, size=(side, side), mode="bilinear", align_corners=False)[:, 0]
        masks[start : start + len(batch)] = [_two_largest(each) for each in (fine > 0).numpy()]
    return masks


def standardise(canvases: np.ndarray) -> np.ndarray:
    """uint8 `[N, S, S]` -> float32 `[N, 64, 64]` of mean 0 and deviation 1 over what is not black."""
    import cv2

    small = np.stack([cv2.resize(each, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for each in canvases])
    pixels = small.astype(np.float32)
    seen = np.maximum((small > 4).astype(np.float32), 1e-3)
    count = seen.sum(axis=(1, 2), keepdims=True)
    mean = (pixels * seen).sum(axis=(1, 2), keepdims=True) / count
    spread = np.sqrt((seen * (pixels - mean) ** 2).sum(axis=(1, 2), keepdims=True) / count)
    return (pixels - mean) / np.maximum(spread, 1)


@cache
def _network() -> LungNet:
    from safetensors.torch import load_file

    network = LungNet()
    network.load_state_dict({name: each.float() for name, each in load_file(WEIGHTS).items()})
    return network.eval()


def _two_largest(mask: np.ndarray) -> np.ndarray:
    """The mask `[S, S]` without its small islands, or nothing where its size cannot be that of lungs."""
    import cv2

    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    sizes = stats[1:count, cv2.CC_STAT_AREA]
    kept = np.isin(labels, 1 + np.argsort(sizes)[::-1][:2]) if len(sizes) else np.zeros_like(mask)
    return kept if SMALLEST <= kept.mean() <= LARGEST else np.zeros_like(mask)


def _double(before: int, after: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for width in (before, after):
        layers += [nn.Conv2d(width, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
    return nn.Sequential(*layers)
