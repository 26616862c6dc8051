"""A network in torch itself, on whatever device: what every other engine is compared with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from hilum.inference.engine import Outputs
from hilum.models.classifier import Classifier
from hilum.transforms.normalise import normalise
from hilum.transforms.preprocessing import Preprocessing


class TorchEngine:
    """A network as it is.

    Args:
        model: moved to `place`, channels last; its mode is as it was after each call.
        place: device.
        precision: `32`, or `bf16` for bfloat16 arithmetic inside the network.
    """

    kind = "torch"

    def __init__(
        self, model: Classifier, preprocessing: Preprocessing, place: torch.device, precision: str = "32"
    ) -> None:
        self.model, self.preprocessing, self.place, self.precision = model, preprocessing, place, precision
        model.to(place).to(memory_format=torch.channels_last)

    def logits(self, canvases: np.ndarray) -> np.ndarray:
        with self._computing():
            return _array(self.model(self._input(canvases)))

    def embed(self, canvases: np.ndarray) -> np.ndarray:
        with self._computing():
            return _array(self.model.embed(self._input(canvases)))

    def both(self, canvases: np.ndarray) -> Outputs:
        with self._computing():
            embedding = self.model.embed(self._input(canvases))
            return Outputs(_array(self.model.classify(embedding)), _array(embedding))

    def _input(self, canvases: np.ndarray) -> Tensor:
        pixels = torch.from_numpy(canvases).to(self.place)
        channels, normalisation = self.preprocessing.channels, self.preprocessing.normalisation
        return normalise(pixels, normalisation=normalisation, channels=channels)

    @contextmanager
    def _computing(self) -> Iterator[None]:
        bf16 = self.precision == "bf16"
        with evaluating(self.model), torch.inference_mode(), torch.autocast(self.place.type, torch.bfloat16, bf16):
            yield


def _array(result: Tensor) -> np.ndarray:
    return result.float().cpu().numpy()


@contextmanager
def evaluating(model: torch.nn.Module) -> Iterator[None]:
    """Evaluation mode within; afterwards every module is in the mode that it was in."""
    modes = {module: module.training for module in model.modules() if module.training}
    if not modes:
        yield
        return
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
