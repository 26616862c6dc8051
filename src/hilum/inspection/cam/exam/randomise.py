"""Does a map depend on what the network learned? Its weights are made random, stage after stage, from the head down.

Source: Adebayo et al. 2018 (Sanity checks for saliency maps), cascading randomisation.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from hilum.inspection.cam.target import evaluating
from hilum.models.classifier import Classifier
from hilum.transforms.normalise import normalise
from hilum.transforms.preprocessing import Preprocessing

STEPS, DRAWS = 4, 3
"""Steps of the cascade; random networks whose weights are all shuffled."""

STEP_IMAGES = 16
"""Images of the steps before the last: they draw the curve, and only its end is judged."""

MEASURED = 16
"""Images on which batch norm is measured again: some thousand places a channel in most layers."""


def cascade(model: Classifier, steps: int) -> list[tuple[str, ...]]:
    """Which stages are random at each step: the head alone, then more and more of those before it, at last all."""
    names = list(reversed(model.stages))
    ends = np.unique(np.rint(np.linspace(1, len(names), max(steps, 2))).astype(int))
    return [tuple(names[:end]) for end in ends]


def randomised(
    model: Classifier, stages: Sequence[str], canvases: np.ndarray, preprocessing: Preprocessing, *, seed: int
) -> Classifier:
    """A copy of a network in which the numbers of each parameter of some stages are shuffled.

    Shuffled, because that keeps the scale whatever the layer; what batch norm measured is measured again on the
    pictures, lest a deep network of random weights overflow.

    Args:
        canvases: uint8 `[N, S, S]`, for batch norm; the first `MEASURED` are used.
    """
    changed = copy.deepcopy(model)
    generator = torch.Generator().manual_seed(seed)
    for name in stages:
        for parameter in changed.stages[name].parameters():
            order = torch.randperm(parameter.numel(), generator=generator).to(parameter.device)
            parameter.data = parameter.data.flatten()[order].view_as(parameter)
    _measure_norms(changed, canvases, preprocessing)
    return changed


def _measure_norms(model: Classifier, canvases: np.ndarray, preprocessing: Preprocessing) -> None:
    norms = [each for each in model.modules() if isinstance(each, nn.modules.batchnorm._BatchNorm)]
    if not norms or len(canvases) < 2:
        return
    before = [norm.momentum for norm in norms]
    with evaluating(model), torch.no_grad():
        for norm in norms:
            norm.train()
            norm.momentum = 1.0
        pixels = torch.from_numpy(np.array(canvases[:MEASURED])).to(model.device)
        model(normalise(pixels, normalisation=preprocessing.normalisation, channels=preprocessing.channels))
    for norm, momentum in zip(norms, before, strict=True):
        norm.momentum = momentum


def rank_correlations(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Spearman's rank correlation of each pair of maps `[N, h, w]`: `[N]`, 0 where a map is the same everywhere."""
    from scipy.stats import rankdata

    ranks = [rankdata(each.reshape(len(each), -1), axis=1) for each in (one, other)]
    a, b = (each - each.mean(axis=1, keepdims=True) for each in ranks)
    size = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    return np.divide((a * b).sum(axis=1), size, out=np.zeros(len(a)), where=size > 0)
