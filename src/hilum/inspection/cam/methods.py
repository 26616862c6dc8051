"""From what a layer gave and how the score depends on it to a heat map: Grad-CAM, Grad-CAM++, LayerCAM.

Each takes activations and gradients `[B, C, h, w]` and gives a map `[B, h, w]`, at least 0 and not scaled.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

EPSILON = 1e-6


def gradcam(activations: Tensor, gradients: Tensor) -> Tensor:
    """Channels weighted by their mean gradient (Selvaraju et al. 2017, equations 1 and 2)."""
    weights = gradients.mean(dim=(2, 3), keepdim=True)
    return (weights * activations).sum(dim=1).relu()


def gradcam_plus_plus(activations: Tensor, gradients: Tensor) -> Tensor:
    """Channels weighted by their positive gradients, rare ones more (Chattopadhay et al. 2018, equation 19)."""
    square = gradients**2
    alpha = square / (2 * square + activations.sum(dim=(2, 3), keepdim=True) * square * gradients + EPSILON)
    weights = (gradients.relu() * alpha.where(gradients != 0, 0)).sum(dim=(2, 3), keepdim=True)
    return (weights * activations).sum(dim=1).relu()


def layercam(activations: Tensor, gradients: Tensor) -> Tensor:
    """Each place weighted by its own positive gradient (Jiang et al. 2021, equation 6)."""
    return (gradients.relu() * activations).sum(dim=1).relu()


BY_GRADIENT: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "gradcam": gradcam,
    "gradcam++": gradcam_plus_plus,
    "layercam": layercam,
}
ROLLOUT = "rollout"
METHODS = (*BY_GRADIENT, ROLLOUT)
NAMES = {"gradcam": "Grad-CAM", "gradcam++": "Grad-CAM++", "layercam": "LayerCAM", "rollout": "attention roll-out"}
