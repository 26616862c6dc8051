"""hilum's own convolutional networks, made to learn fast from scratch on a CPU.

A 7x7 stem with stride 4, then residual blocks of two plain 3x3 convolutions with batch norm. Plain convolutions,
because depth-wise ones are memory-bound on a CPU and cost more time than they save; an early reduction by 4, because
the first layers are where the time goes at 224 pixels. Any image size, one channel or three.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from hilum.models.classifier import Backbone


class ResidualBlock(nn.Module):
    """`[B, C, H, W]` -> `[B, D, H / stride, W / stride]`: ReLU of two 3x3 convolutions plus a short cut.

    After He et al. 2016 (Deep residual learning), the basic block; the last batch norm starts at zero, so that each
    block starts as its short cut (Goyal et al. 2017, section 5.1).
    """

    def __init__(self, width_in: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width_in, width, 3, stride=stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU()
        same = stride == 1 and width_in == width
        self.shortcut = nn.Identity() if same else _projection(width_in, width, stride)

    def forward(self, features: Tensor) -> Tensor:
        changed = self.norm2(self.conv2(self.relu(self.norm1(self.conv1(features)))))
        return self.relu(changed + self.shortcut(features))


class SmallCNN(nn.Module):
    """Image `[B, C, S, S]` -> embedding `[B, D]`: stem, residual blocks, mean over the picture.

    Args:
        in_channels: C.
        widths: channels of the stem, then of each block; every block after the first halves the side.
    """

    def __init__(self, in_channels: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels, widths[0], 7, stride=4, padding=3, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU()
        )
        self.blocks = nn.Sequential(
            *(
                ResidualBlock(before, after, stride=1 if position == 0 else 2)
                for position, (before, after) in enumerate(pairwise(widths))
            )
        )
        _initialise(self)

    def forward(self, image: Tensor) -> Tensor:
        return self.blocks(self.stem(image)).mean(dim=(2, 3))


def build_cnn(*, in_channels: int, image_size: int, widths: Sequence[int]) -> Backbone:
    """A small CNN as a backbone with random parameters.

    Args:
        image_size: any; the network has no parameter that depends on it.
        widths: see `SmallCNN`.
    """
    module = SmallCNN(in_channels, widths)
    stages = ["stem", *(f"blocks.{number}" for number in range(len(widths) - 1))]
    return Backbone(module, widths[-1], {name: (name,) for name in stages})


def _projection(width_in: int, width: int, stride: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(width_in, width, 1, stride=stride, bias=False), nn.BatchNorm2d(width))


def _initialise(network: nn.Module) -> None:
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    for module in network.modules():
        if isinstance(module, ResidualBlock):
            nn.init.zeros_(module.norm2.weight)
