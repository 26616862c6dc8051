"""What detectors look at beside embeddings: patches of the middle of a network, and what an autoencoder draws."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from hilum.errors import RecipeError
from hilum.inference.predict import Canvases, embed_images
from hilum.inspection.anomaly.patches import PatchMemory
from hilum.models.autoencoder import Autoencoder, reconstruction_error
from hilum.models.classifier import Classifier
from hilum.transforms.normalise import normalise
from hilum.transforms.preprocessing import Preprocessing

STRIDE = 16
"""Pixels that a patch is apart from the next, about."""
BATCH = 32


class PatchView(nn.Module):
    """The patches that the middle of a network sees: two of its stages on one grid, each place averaged with its
    neighbours. Shares every parameter with the network.

    Attributes:
        side: patches along a side of the grid.
        patch_dim: numbers of a patch.

    Raises:
        RecipeError: a network without stages that keep the places of a picture.
    """

    def __init__(self, model: Classifier) -> None:
        super().__init__()
        self.model, self.name, self.in_channels = model, model.name, model.in_channels
        self._outputs = {name: stage.output for name, stage in model.stages.items() if name != "head"}
        self._chosen = tuple(self._outputs)
        blank = torch.zeros(1, model.in_channels, model.image_size, model.image_size, device=model.device)
        training = model.training
        model.eval()
        with torch.inference_mode():
            sides = {name: each.shape[-1] for name, each in self._maps(blank).items()}
            self._chosen = _stages_of(sides, model)
            patches = self._patches(blank)
        model.train(training)
        self.side, self.patch_dim = math.isqrt(patches.shape[1]), patches.shape[2]
        self.embedding_dim = patches.shape[1] * patches.shape[2]

    @property
    def device(self) -> torch.device:
        return self.model.device

    def embed(self, image: Tensor) -> Tensor:
        """image: float `[B, C, H, W]` -> patches, one after the other, `[B, P * D]`."""
        return self._patches(image).flatten(1)

    def _patches(self, image: Tensor) -> Tensor:
        maps = list(self._maps(image).values())
        side = maps[-1].shape[-1]
        smooth = [nn.functional.avg_pool2d(each, 3, stride=1, padding=1, count_include_pad=False) for each in maps]
        return torch.cat([nn.functional.adaptive_avg_pool2d(each, side) for each in smooth], 1).flatten(2).mT

    def _maps(self, image: Tensor) -> dict[str, Tensor]:
        """Stage -> `[B, C, h, w]`; stages whose output has no places are left out."""
        kept: dict[str, Tensor] = {}
        handles = [
            self._outputs[name].register_forward_hook(
                lambda _module, _given, result, name=name: kept.__setitem__(name, result)
            )
            for name in self._chosen
        ]
        try:
            self.model.embed(image)
        finally:
            for handle in handles:
                handle.remove()
        last = getattr(self.model.backbone, "output_fmt", "") == "NHWC"
        found = {name: _as_map(kept[name], last) for name in self._chosen if name in kept}
        return {name: each for name, each in found.items() if each is not None}


def _as_map(output: Any, channels_last: bool) -> Tensor | None:
    if not isinstance(output, Tensor) or output.ndim not in (3, 4):
        return None
    if output.ndim == 4:
        output = output.permute(0, 3, 1, 2) if channels_last else output
        return output.float() if output.shape[2] == output.shape[3] >= 2 else None
    side = math.isqrt(output.shape[1])  # tokens; what is more than a square stands before the patches
    return output[:, output.shape[1] - side**2 :].mT.unflatten(2, (side, side)).float() if side >= 2 else None


def _stages_of(sides: dict[str, int], model: Classifier) -> tuple[str, ...]:
    """The last stage with about the wanted grid, and before it the last one with a finer grid, if there is one."""
    if not sides:
        raise RecipeError(f"patches of {model.name}", expected="stages that keep the places of a picture", found="none")
    names, wanted = list(sides), model.image_size / STRIDE
    fits = [name for name in names if sides[name] >= 0.9 * wanted] or names[:1]
    if len(set(sides.values())) == 1:  # a transformer: one grid throughout; its middle is what is wanted
        return (names[len(names) // 2],)
    finer = [name for name in names if sides[name] > sides[fits[-1]]]
    return (*finer[-1:], fits[-1])


def patches_of(
    view: PatchView,
    canvases: Canvases,
    preprocessing: Preprocessing,
    *,
    device: torch.device | None = None,
    on_batch: Callable[[int], None] | None = None,
) -> np.ndarray:
    """uint8 canvases `[N, S, S]` -> float32 `[N, P, D]`."""
    flat = embed_images(
        cast(Classifier, view), canvases, preprocessing, batch_size=BATCH, device=device, on_batch=on_batch
    )
    return flat.reshape(len(flat), view.side**2, view.patch_dim)


def score_patches(
    memory: PatchMemory,
    view: PatchView,
    canvases: Canvases,
    preprocessing: Preprocessing,
    *,
    device: torch.device | None = None,
    on_batch: Callable[[int], None] | None = None,
) -> np.ndarray:
    """uint8 canvases `[N, S, S]` -> float64 `[N]`, as `PatchMemory.score`, without all patches in memory at once."""
    parts = [np.empty(0)]
    for start in range(0, len(canvases), 8 * BATCH):
        some = patches_of(view, canvases[start : start + 8 * BATCH], preprocessing, device=device, on_batch=on_batch)
        parts.append(memory.score(some))
    return np.concatenate(parts)


class _Redrawing(nn.Module):
    """An autoencoder as something that embeds: error and code in one pass, `[B, 1 + D]`."""

    def __init__(self, autoencoder: Autoencoder) -> None:
        super().__init__()
        self.autoencoder, self.name, self.in_channels = autoencoder, autoencoder.name, autoencoder.in_channels
        self.embedding_dim = 1 + autoencoder.embedding_dim

    @property
    def device(self) -> torch.device:
        return self.autoencoder.device

    def embed(self, image: Tensor) -> Tensor:
        code = self.autoencoder.embed(image)
        error = reconstruction_error(self.autoencoder.decoder(code), image)
        return torch.cat([error[:, None], code], 1)


def redraw(
    autoencoder: Autoencoder,
    canvases: Canvases,
    preprocessing: Preprocessing,
    *,
    device: torch.device | None = None,
    on_batch: Callable[[int], None] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """What an autoencoder makes of images.

    Returns:
        Reconstruction error, float64 `[N]` in [0, 1], and the code, float32 `[N, D]`.
    """
    whole = cast(Classifier, _Redrawing(autoencoder))
    both = embed_images(whole, canvases, preprocessing, device=device, on_batch=on_batch)
    return both[:, 0].astype(np.float64), both[:, 1:]


@dataclass(frozen=True)
class Redrawn:
    """Images beside what an autoencoder made of them, each uint8 `[N, S, S]`.

    Args:
        difference: where they differ: the square root of the squared difference, 255 for a difference of half the
            range or more.
    """

    original: np.ndarray
    drawn: np.ndarray
    difference: np.ndarray


def show_redrawn(autoencoder: Autoencoder, canvases: np.ndarray, preprocessing: Preprocessing) -> Redrawn:
    """The pictures themselves, for a page."""
    canvases = np.array(canvases)
    pixels = torch.from_numpy(canvases).to(autoencoder.device)
    image = normalise(pixels, normalisation=preprocessing.normalisation, channels=preprocessing.channels)
    with torch.inference_mode():
        drawn = autoencoder.eval()(image).mean(1).cpu().numpy()
    difference = np.abs(drawn - canvases / 255)
    return Redrawn(
        canvases, (255 * drawn).round().astype(np.uint8), (510 * difference).clip(0, 255).round().astype(np.uint8)
    )
