"""Plain convolutional networks as reports describe them: convolutions, poolings, fully connected layers.

Each is a tuple of `Conv` and of fully connected widths; the networks of `hilum.models.entries` are such values. The
fully connected layers but the last belong to the backbone, so the embedding is the last hidden layer; the last one is
the head.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from hilum.errors import RecipeError
from hilum.models.classifier import Backbone


@dataclass(frozen=True)
class Conv:
    """One convolution, ReLU and, after it, perhaps a max-pool.

    Args:
        width: channels that come out.
        kernel, stride, padding: of the convolution, pixels.
        norm: batch norm between convolution and ReLU.
        pool: kernel, stride, padding of the max-pool; None = none follows.
    """

    width: int
    kernel: int
    stride: int = 1
    padding: int = 0
    norm: bool = False
    pool: tuple[int, int, int] | None = None

    def side(self, side: int) -> int:
        """Side of what comes out of a square of this side, pixels; 0 or less = nothing is left."""
        side = _side(side, self.kernel, self.stride, self.padding)
        return _side(side, *self.pool) if self.pool and side > 0 else side


class PlainCNN(nn.Module):
    """Image `[B, C, S, S]` -> embedding `[B, D]`: convolutions, flatten, fully connected ReLU layers.

    All weights start after He et al. 2015 (Delving deep into rectifiers), all biases at zero: without it a deep ReLU
    network without batch norm starts with nearly equal outputs for all images and may stay there.

    Args:
        in_channels: C.
        image_size: S, pixels.
        convs: from the input on.
        widths: of the fully connected layers, the last of them D.
        dropout: share dropped of each fully connected layer's output but the last, which the head drops.
    """

    def __init__(
        self, in_channels: int, image_size: int, convs: Sequence[Conv], widths: Sequence[int], dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.blocks, self.hidden = nn.Sequential(), nn.Sequential()
        channels, side = in_channels, image_size
        for conv in convs:
            self.blocks.append(_block(channels, conv))
            channels, side = conv.width, conv.side(side)
        before = channels * side * side
        for position, width in enumerate(widths):
            self.hidden.append(_fully_connected(before, width, dropout if position < len(widths) - 1 else 0.0))
            before = width
        _initialise(self)

    def forward(self, image: Tensor) -> Tensor:
        return self.hidden(self.blocks(image).flatten(1))


def build_plain_cnn(
    *, in_channels: int, image_size: int, convs: Sequence[Conv], widths: Sequence[int], dropout: float = 0.0
) -> Backbone:
    """A plain CNN as a backbone with random parameters; its stages are its layers, `blocks.0` ... `hidden.0` ...

    Args:
        image_size: side of the square, pixels; the first fully connected layer is bound to it.
        convs, widths, dropout: see `PlainCNN`.

    Raises:
        RecipeError: an image of which the poolings leave nothing.
    """
    side = image_size
    for conv in convs:
        side = conv.side(side)
        if side < 1:
            smallest = next(each for each in range(image_size, 2049) if _leaves_something(each, convs))
            raise RecipeError("model.image_size", expected=f"at least {smallest} pixels", found=f"{image_size}")
    module = PlainCNN(in_channels, image_size, convs, widths, dropout)
    stages = [f"{part}.{number}" for part in ("blocks", "hidden") for number in range(len(getattr(module, part)))]
    return Backbone(module, widths[-1], {name: (name,) for name in stages})


def _block(channels: int, conv: Conv) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv2d(channels, conv.width, conv.kernel, conv.stride, conv.padding)]
    layers += [nn.BatchNorm2d(conv.width)] if conv.norm else []
    layers += [nn.ReLU()]
    layers += [nn.MaxPool2d(*conv.pool)] if conv.pool else []
    return nn.Sequential(*layers)


def _fully_connected(before: int, width: int, dropout: float) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Linear(before, width), nn.ReLU()]
    return nn.Sequential(*layers, *([nn.Dropout(dropout)] if dropout else []))


def _side(side: int, kernel: int, stride: int, padding: int) -> int:
    return (side + 2 * padding - kernel) // stride + 1


def _leaves_something(side: int, convs: Sequence[Conv]) -> bool:
    for conv in convs:
        side = conv.side(side)
        if side < 1:
            return False
    return True


def _initialise(network: nn.Module) -> None:
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
