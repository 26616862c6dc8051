"""Attention roll-out: through all blocks of a transformer, from which patches the answer was gathered.

Source: Abnar and Zuidema 2020 (Quantifying attention flow in transformers), equation 1.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from hilum.errors import RecipeError
from hilum.inspection.cam.target import is_transformer, prefix_tokens
from hilum.models.classifier import Classifier

WAY_OUT = "Take gradcam, gradcam++ or layercam."


class _Rolling(TorchFunctionMode):
    """Multiplies up the attention of every call of scaled_dot_product_attention within, `[B, N, N]`.

    The fused function does not give its weights away, so they are computed once more beside it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.product: Tensor | None = None

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is F.scaled_dot_product_attention:
            weights = _weights(*args[:2], mask=kwargs.get("attn_mask"), scale=kwargs.get("scale"))
            mixed = 0.5 * weights + 0.5 * torch.eye(weights.shape[-1], device=weights.device)
            if self.product is not None and self.product.shape != mixed.shape:
                raise RecipeError("attention roll-out", expected="attention over the whole picture", found="windows")
            self.product = mixed if self.product is None else mixed @ self.product
        return func(*args, **kwargs)


def roll_out(model: Classifier, image: Tensor) -> tuple[Tensor, Tensor]:
    """Attention roll-out of a batch; the same for every class.

    Args:
        image: float `[B, C, S, S]`, normalised.

    Returns:
        Maps `[B, h, w]`, each cell the share of the answer that was gathered there; logits `[B, K]`.

    Raises:
        RecipeError: no transformer, or one whose attention cannot be read.
    """
    if not is_transformer(model):
        raise RecipeError(f"attention roll-out of {model.name}", expected="a ViT", found="no ViT", way_out=WAY_OUT)
    with torch.no_grad(), _Rolling() as rolling:
        logits = model(image)
    prefix = prefix_tokens(model)
    if (
        rolling.product is None
        or round((rolling.product.shape[-1] - prefix) ** 0.5) ** 2 + prefix != (rolling.product.shape[-1])
    ):
        raise RecipeError(
            f"attention roll-out of {model.name}", expected="attention between patches", found="none", way_out=WAY_OUT
        )
    # The class token gathers the answer where the network reads that; else all patches do alike.
    reads_class_token = prefix and getattr(model.backbone, "global_pool", "token") == "token"
    gathered = rolling.product[:, 0] if reads_class_token else rolling.product[:, prefix:].mean(dim=1)
    patches = gathered[:, prefix:]
    side = round(patches.shape[1] ** 0.5)
    return patches.unflatten(1, (side, side)), logits


def _weights(query: Tensor, key: Tensor, *, mask: Tensor | None, scale: float | None) -> Tensor:
    """Attention, mean over the heads: `[B, heads, N, d]` twice -> `[B, N, N]`."""
    scores = query @ key.transpose(-2, -1) * (query.shape[-1] ** -0.5 if scale is None else scale)
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf")) if mask.dtype == torch.bool else scores + mask
    return scores.float().softmax(dim=-1).mean(dim=1)
