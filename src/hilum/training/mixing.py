"""Pictures laid over each other in pairs, with their classes mixed alike (Zhang et al. 2018, mixup, ICLR).

A network that only ever saw whole pictures is as sure between two classes as within them; one that saw mixtures has to
give way evenly. Draws depend on (seed, epoch, step) alone, so that a killed run goes on bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

_MIX = 0x6D6978
"""Sets these draws apart from those of the order and of dropout."""


@dataclass(frozen=True)
class Mix:
    """Who is laid over whom.

    Args:
        share: of the other picture, in [0, 0.5].
        other: for each picture of the batch the position of the one that is laid over it, int64 `[B]`.
    """

    share: float
    other: torch.Tensor

    def blend(self, inputs: torch.Tensor) -> torch.Tensor:
        """`[B, ...]` -> `[B, ...]`; the very same where nothing is mixed."""
        if not self.share:
            return inputs
        return torch.lerp(inputs, inputs[self.other.to(inputs.device)], self.share)

    def loss(self, loss: Callable[..., torch.Tensor], logits: torch.Tensor, *targets: torch.Tensor) -> torch.Tensor:
        """A loss against the targets of both pictures, each by its share.

        Args:
            loss: takes logits and targets.
            logits: `[B, K]` of the blended inputs.
            targets: a row an image each.
        """
        own = loss(logits, *targets)
        if not self.share:
            return own
        return torch.lerp(own, loss(logits, *(each[self.other.to(each.device)] for each in targets)), self.share)


def draw_mix(count: int, mixup: float, seed: Sequence[int]) -> Mix:
    """The mixture of one batch.

    Args:
        count: pictures in it.
        mixup: the share is the smaller part of a draw from Beta(mixup, mixup): mostly near 0 when small, mostly near
            a half when large; 0 = nothing is mixed.
        seed: what the draws depend on.
    """
    if not mixup:
        return Mix(0.0, torch.arange(count))
    generator = np.random.default_rng([*seed, _MIX])
    share = float(generator.beta(mixup, mixup))
    return Mix(min(share, 1 - share), torch.from_numpy(generator.permutation(count)))
