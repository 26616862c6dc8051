"""A network as an ONNX graph: uint8 canvases in, logits and embedding out, the normalisation inside."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from hilum.errors import ModelFileError
from hilum.inference.torch_engine import evaluating
from hilum.models.classifier import Classifier
from hilum.transforms.normalise import scale_and_offset
from hilum.transforms.preprocessing import Preprocessing

OPSET = 17
"""Of ONNX; the newest that torch's tracing exporter writes without converting afterwards."""

LARGEST = 1_900_000_000
"""Bytes of parameters: an ONNX file proper ends at 2 GB."""


class CanvasNetwork(nn.Module):
    """Normalisation and network in one: uint8 `[B, S, S]` -> logits `[B, K]`, embedding `[B, D]`."""

    scale: Tensor
    offset: Tensor

    def __init__(self, model: Classifier, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.model = model
        scale, offset = scale_and_offset(preprocessing.normalisation, preprocessing.channels)
        self.register_buffer("scale", scale.reshape(1, -1, 1, 1))
        self.register_buffer("offset", offset.reshape(1, -1, 1, 1))

    def forward(self, canvas: Tensor) -> tuple[Tensor, Tensor]:
        image = canvas.unsqueeze(1).float() * self.scale + self.offset
        embedding = self.model.embed(image)
        return self.model.classify(embedding), embedding


def to_onnx(model: Classifier, preprocessing: Preprocessing) -> bytes:
    """The network as an ONNX file's bytes; input `canvas`, outputs `logits` and `embedding`, any number of images.

    Raises:
        ModelFileError: a network that torch's exporter does not know how to write, or one too large for ONNX.
    """
    size = sum(each.numel() * each.element_size() for each in model.state_dict().values())
    if size > LARGEST:
        raise _cannot(model, f"{size / 1e9:.1f} GB of parameters", f"at most {LARGEST / 1e9:.1f} GB")
    network, side = CanvasNetwork(model, preprocessing).to(model.device), preprocessing.image_size
    # Two different pictures: one of a kind would let the tracer take the number of images for a constant.
    example = torch.arange(2 * side * side, device=model.device).reshape(2, side, side).to(torch.uint8)
    names = ("canvas", "logits", "embedding")
    buffer = io.BytesIO()
    try:
        with evaluating(network), torch.no_grad(), _quietly():
            torch.onnx.export(
                network,
                (example,),
                buffer,  # type: ignore[arg-type] # this exporter writes into any file
                input_names=list(names[:1]),
                output_names=list(names[1:]),
                dynamic_axes={name: {0: "images"} for name in names},
                opset_version=OPSET,
                dynamo=False,
            )
    except Exception as error:  # a dozen kinds, from torch's own to those of the network's code
        raise _cannot(model, (str(error).splitlines() or [type(error).__name__])[0][:200]) from error
    return buffer.getvalue()


def _cannot(model: Classifier, found: str, expected: str = "a network that torch can write as ONNX") -> ModelFileError:
    way_out = "Use the .safetensors file: hilum reads it everywhere."
    return ModelFileError(f"export of {model.name}", expected=expected, found=found, way_out=way_out)


@contextmanager
def _quietly() -> Iterator[None]:
    """Without the exporter's warnings: it is deprecated but five times as fast as its successor, and what it writes is
    compared with the network before it is used."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            logger.setLevel(level)
