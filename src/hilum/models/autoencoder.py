"""A convolutional autoencoder: what it cannot draw again is unlike what it was trained on.

Trained on one kind of image with the mean squared error; the error of a new image, or how rare its latent numbers are,
then says how unusual it is (system C's and E's anomaly detection).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hilum.errors import RecipeError
from hilum.models.modelfile import ModelHeader, load_network
from hilum.models.registry import random_numbers_from

NAME = "autoencoder"


@dataclass(frozen=True)
class AutoencoderArchitecture:
    """What it takes to build an autoencoder again: the model file stores it.

    Args:
        image_size: side of the square, pixels, a multiple of 2 to the number of widths.
        in_channels: 1 or 3.
        widths: channels after each halving of the side.
        latent_dim: numbers that an image is reduced to.
        name: `autoencoder`.

    Raises:
        RecipeError: a number out of its range.
    """

    image_size: int = 128
    in_channels: int = 1
    widths: tuple[int, ...] = (16, 32, 64, 128)
    latent_dim: int = 64
    name: str = NAME

    def __post_init__(self) -> None:
        step = 2 ** len(self.widths)
        right = 16 <= self.image_size <= 2048 and self.image_size % step == 0
        checks = {
            "image_size": (right, f"a multiple of {step} from 16 to 2048 pixels", self.image_size),
            "in_channels": (self.in_channels in (1, 3), "1 or 3", self.in_channels),
            "widths": (bool(self.widths) and min(self.widths) >= 1, "widths of at least 1", self.widths),
            "latent_dim": (self.latent_dim >= 1, "at least 1", self.latent_dim),
            "name": (self.name == NAME, NAME, self.name),
        }
        for field, (fine, expected, found) in checks.items():
            if not fine:
                raise RecipeError(f"autoencoder.{field}", expected=expected, found=f"{found}")

    def to_json(self) -> dict[str, Any]:
        """Names and numbers for a model file's header."""
        return {**asdict(self), "widths": list(self.widths)}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> AutoencoderArchitecture:
        """The way back from `to_json`.

        Raises:
            RecipeError: the header of something else.
        """
        if document.get("name") != NAME:
            raise RecipeError(f"model {document.get('name')}", expected="an autoencoder", found="a classifier")
        return cls(**{**document, "widths": tuple(document["widths"])})


class Encoder(nn.Module):
    """Image `[B, C, S, S]` -> latent numbers `[B, D]`: a convolution with stride 2 for each width, one linear layer."""

    def __init__(self, architecture: AutoencoderArchitecture) -> None:
        super().__init__()
        channels = [architecture.in_channels, *architecture.widths]
        self.convolutions = nn.Sequential(
            *(
                nn.Sequential(nn.Conv2d(before, after, 3, stride=2, padding=1), nn.BatchNorm2d(after), nn.ReLU())
                for before, after in zip(channels, architecture.widths, strict=False)
            )
        )
        self.latent = nn.Linear(_flat(architecture), architecture.latent_dim)

    def forward(self, image: Tensor) -> Tensor:
        return self.latent(self.convolutions(image).flatten(1))


class Decoder(nn.Module):
    """Latent numbers `[B, D]` -> image `[B, C, S, S]` in [0, 1]: the encoder backwards.

    Sides are doubled by repetition before a convolution, which leaves no chequered pattern as transposed convolutions
    do (Odena et al. 2016, Deconvolution and checkerboard artifacts).
    """

    def __init__(self, architecture: AutoencoderArchitecture) -> None:
        super().__init__()
        widths = architecture.widths[::-1]
        self.shape = (widths[0], _side(architecture), _side(architecture))
        self.spread = nn.Linear(architecture.latent_dim, _flat(architecture))
        self.convolutions = nn.Sequential(
            *(_doubling(before, after) for before, after in zip(widths, [*widths[1:], widths[-1]], strict=True)),
            nn.Conv2d(widths[-1], architecture.in_channels, 3, padding=1),
        )

    def forward(self, latent: Tensor) -> Tensor:
        return self.convolutions(self.spread(latent).relu().unflatten(1, self.shape)).sigmoid()


class Autoencoder(nn.Module):
    """Encoder and decoder. Pixels are in [0, 1]: the normalisation `zero-one`.

    Attributes:
        architecture: what it was built from.
        num_classes: 0: it has none.
        weights: None: it is trained from scratch.
    """

    num_classes = 0
    weights = None

    def __init__(self, architecture: AutoencoderArchitecture) -> None:
        super().__init__()
        self.architecture = architecture
        self.encoder, self.decoder = Encoder(architecture), Decoder(architecture)

    def forward(self, image: Tensor) -> Tensor:
        """image: float `[B, C, S, S]` in [0, 1] -> the same drawn again, `[B, C, S, S]` in [0, 1]."""
        return self.decoder(self.encoder(image))

    def embed(self, image: Tensor) -> Tensor:
        """image: float `[B, C, S, S]` in [0, 1] -> latent numbers `[B, D]`."""
        return self.encoder(image)

    @property
    def embedding_dim(self) -> int:
        return self.architecture.latent_dim

    @property
    def name(self) -> str:
        return self.architecture.name

    @property
    def in_channels(self) -> int:
        return self.architecture.in_channels

    @property
    def image_size(self) -> int:
        return self.architecture.image_size

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device


def create_autoencoder(
    *,
    image_size: int = 128,
    in_channels: int = 1,
    widths: Sequence[int] = (16, 32, 64, 128),
    latent_dim: int = 64,
    seed: int = 0,
) -> Autoencoder:
    """An autoencoder with random parameters.

    Args:
        image_size: side of the square, pixels, a multiple of 16 with four widths.
        in_channels: 1 or 3.
        widths: channels after each halving of the side.
        latent_dim: D.
        seed: of every parameter; torch's own random state is neither used nor changed.

    Raises:
        RecipeError: a number that it cannot have.
    """
    architecture = AutoencoderArchitecture(image_size, in_channels, tuple(widths), latent_dim)
    with random_numbers_from(seed):
        return Autoencoder(architecture)


def reconstruction_error(drawn: Tensor, image: Tensor) -> Tensor:
    """Mean squared difference of pixels: two `[B, C, S, S]` in [0, 1] -> `[B]` in [0, 1]; its mean is the loss."""
    return (drawn - image).square().flatten(1).mean(dim=1)


def load_autoencoder(path: str | Path) -> tuple[Autoencoder, ModelHeader]:
    """An autoencoder from its model file, on the CPU and in evaluation mode; `save_model` writes one, without labels.

    Raises:
        ModelFileError: as `load_model`, or a file that holds a classifier.
    """
    return load_network(path, lambda header: Autoencoder(AutoencoderArchitecture.from_json(header.architecture)))


def _doubling(before: int, after: int) -> nn.Sequential:
    convolution = nn.Conv2d(before, after, 3, padding=1)
    return nn.Sequential(nn.Upsample(scale_factor=2), convolution, nn.BatchNorm2d(after), nn.ReLU())


def _side(architecture: AutoencoderArchitecture) -> int:
    return architecture.image_size // 2 ** len(architecture.widths)


def _flat(architecture: AutoencoderArchitecture) -> int:
    return architecture.widths[-1] * _side(architecture) ** 2
