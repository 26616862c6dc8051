"""Model + canvases -> embeddings: what enters the head, the last hidden layer, or a named stage."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from hilum.errors import RecipeError
from hilum.inference.predict import Canvases, embed_images
from hilum.models.classifier import Classifier
from hilum.models.stages import find_module
from hilum.transforms.preprocessing import Preprocessing

EMBEDDING, HIDDEN = "embedding", "hidden"


def embed_layer(
    model: Classifier,
    canvases: Canvases,
    preprocessing: Preprocessing,
    *,
    layer: str = EMBEDDING,
    batch_size: int = 64,
    device: torch.device | str | None = None,
    on_batch: Callable[[int], None] | None = None,
) -> np.ndarray:
    """One vector an image, in one pass.

    Args:
        canvases, preprocessing, batch_size, device, on_batch: as for `hilum.inference.embed_images`.
        layer: `embedding` (what enters the head), `hidden` (the last fully connected layer before the classes), or a
            stage or module of the backbone by name, whose output is averaged over its places or tokens.

    Returns:
        float32 `[N, D]`, in the order of `canvases`.

    Raises:
        RecipeError: no such layer, or canvases that do not fit the model.
    """
    given: dict[str, Any] = {"batch_size": batch_size, "device": device, "on_batch": on_batch}
    if layer in (EMBEDDING, HIDDEN):
        embedding = embed_images(model, canvases, preprocessing, **given)
        return embedding if layer == EMBEDDING else last_hidden(model, embedding)
    view = StageView(model, layer)
    return embed_images(view, canvases, preprocessing, **given)  # type: ignore[arg-type] # it behaves as one


def last_hidden(model: Classifier, embedding: np.ndarray, *, batch_size: int = 4096) -> np.ndarray:
    """The last fully connected layer before the classes, float32 `[N, W]`; without one the embedding itself.

    Args:
        embedding: float32 `[N, D]`.
    """
    model.eval()
    with torch.inference_mode():
        parts = [
            model.head.last_hidden(torch.tensor(embedding[start : start + batch_size]).to(model.device)).float().cpu()
            for start in range(0, max(len(embedding), 1), batch_size)
        ]
    return torch.cat(parts).numpy()


class _Reached(Exception):
    """What was wanted has been computed; the rest of the network need not run."""


class StageView(nn.Module):
    """A network that ends at one of its stages; shares every parameter with the whole one.

    Args:
        layer: name of a stage or of a module of the backbone.

    Raises:
        RecipeError: no such stage, or one whose output is no tensor of an image a row.
    """

    def __init__(self, model: Classifier, layer: str) -> None:
        super().__init__()
        self.model, self.layer = model, layer
        if layer == "head":
            way_out = f"`{EMBEDDING}` is what enters it, `{HIDDEN}` its last hidden layer."
            raise RecipeError("layer head", expected="a stage of the backbone", found="the classes", way_out=way_out)
        self.name, self.in_channels = model.name, model.in_channels
        self._ends_at = find_module(model, layer)
        self._channels_last = getattr(model.backbone, "output_fmt", "") == "NHWC"
        self.embedding_dim = self._width()

    @property
    def device(self) -> torch.device:
        return self.model.device

    def _width(self) -> int:
        training, side = self.model.training, self.model.image_size
        blank = torch.zeros(1, self.in_channels, side, side, device=self.device)
        self.model.eval()
        try:
            with torch.inference_mode():
                return self.embed(blank).shape[1]
        finally:
            self.model.train(training)

    def embed(self, image: Tensor) -> Tensor:
        """image: float `[B, C, H, W]` -> the stage's output, averaged over places, `[B, D]`."""
        kept: list[Tensor] = []

        def keep(_module: nn.Module, _given: Any, result: Any) -> None:
            kept.append(result)
            raise _Reached

        handle = self._ends_at.register_forward_hook(keep)
        try:
            self.model.embed(image)
        except _Reached:
            pass
        finally:
            handle.remove()
        return self._pooled(kept)

    def _pooled(self, kept: list[Tensor]) -> Tensor:
        found = kept[0] if kept else None
        if not isinstance(found, Tensor) or found.ndim not in (2, 3, 4):
            shape = f"{list(found.shape)}" if isinstance(found, Tensor) else "nothing that passes through it"
            raise RecipeError(f"layer {self.layer} of {self.name}", expected="one tensor a batch", found=shape)
        if found.ndim == 4:
            return found.mean((1, 2) if self._channels_last else (2, 3))
        return found.mean(1) if found.ndim == 3 else found
