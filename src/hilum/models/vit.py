"""A vision transformer from scratch: patch embedding, multi-head self-attention, block, each readable by itself.

After Dosovitskiy et al. 2021 (An image is worth 16x16 words), with the two changes that Beyer et al. 2022 (Better
plain ViT baselines) found to help on small data: the mean of the tokens instead of a class token, and positions that
start as two-dimensional sines and cosines.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hilum.errors import RecipeError
from hilum.models.classifier import Backbone


class PatchEmbedding(nn.Module):
    """Image `[B, C, S, S]` -> tokens `[B, N, D]`: one linear map a patch, plus where the patch lies.

    Args:
        in_channels: C.
        image_size: S, a multiple of `patch_size`.
        patch_size: side of a patch, pixels.
        width: D, a multiple of 4.
    """

    def __init__(self, in_channels: int, image_size: int, patch_size: int, width: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(in_channels, width, patch_size, stride=patch_size)
        self.position = nn.Parameter(_sines_and_cosines(image_size // patch_size, width))

    def forward(self, image: Tensor) -> Tensor:
        return self.project(image).flatten(2).transpose(1, 2) + self.position


class MultiHeadSelfAttention(nn.Module):
    """Tokens `[B, N, D]` -> tokens `[B, N, D]`: each is a weighted mean of what all of them say, once a head.

    Args:
        width: D, a multiple of `heads`.
        heads: how many weightings are made side by side.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query_key_value = nn.Linear(width, 3 * width)
        self.project = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        batch, length, width = tokens.shape
        split = self.query_key_value(tokens).view(batch, length, 3, self.heads, width // self.heads)
        query, key, value = split.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(query, key, value)
        return self.project(mixed.transpose(1, 2).reshape(batch, length, width))


class TransformerBlock(nn.Module):
    """Attention, then a two-layer GELU network on each token; each behind a layer norm and added to its input.

    Args:
        width: D.
        heads: of the attention.
        expansion: hidden width of the two-layer network over D.
    """

    def __init__(self, width: int, heads: int, expansion: int = 4) -> None:
        super().__init__()
        self.norm1, self.attention = nn.LayerNorm(width), MultiHeadSelfAttention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, expansion * width), nn.GELU(), nn.Linear(expansion * width, width))

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self.attention(self.norm1(tokens))
        return tokens + self.mlp(self.norm2(tokens))


class VisionTransformer(nn.Module):
    """Image `[B, C, S, S]` -> embedding `[B, D]`: patches, blocks, norm, mean over the tokens.

    Args:
        depth: number of blocks.
    """

    def __init__(
        self, *, in_channels: int, image_size: int, patch_size: int, width: int, depth: int, heads: int
    ) -> None:
        super().__init__()
        self.patch_embed = PatchEmbedding(in_channels, image_size, patch_size, width)
        self.blocks = nn.Sequential(*(TransformerBlock(width, heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)
        self.apply(_initialise)

    def forward(self, image: Tensor) -> Tensor:
        return self.norm(self.blocks(self.patch_embed(image))).mean(dim=1)

    def no_weight_decay(self) -> set[str]:
        """Parameters that are no weights of a map."""
        return {"patch_embed.position"}


def build_vit(*, in_channels: int, image_size: int, patch_size: int, width: int, depth: int, heads: int) -> Backbone:
    """A vision transformer as a backbone with random parameters.

    Args:
        image_size: side of the square, a multiple of `patch_size`; the parameters for positions are bound to it.

    Raises:
        RecipeError: an image size that is no multiple of the patch.
    """
    if image_size % patch_size:
        raise RecipeError(
            "model.image_size", expected=f"a multiple of the {patch_size}-pixel patch", found=f"{image_size}"
        )
    module = VisionTransformer(
        in_channels=in_channels, image_size=image_size, patch_size=patch_size, width=width, depth=depth, heads=heads
    )
    stages = ["patch_embed", *(f"blocks.{number}" for number in range(depth)), "norm"]
    return Backbone(module, width, {name: (name,) for name in stages})


def _sines_and_cosines(side: int, width: int) -> Tensor:
    """`[1, side * side, width]`: a quarter each of sine and cosine of row and column, from fast to slow."""
    rates = torch.exp(-torch.arange(width // 4) / (width // 4) * torch.log(torch.tensor(10000.0)))
    row, column = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    angles = [place.reshape(-1, 1) * rates for place in (row, column)]
    return torch.cat([wave(angle) for angle in angles for wave in (torch.sin, torch.cos)], dim=1).unsqueeze(0)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Conv2d):
        nn.init.trunc_normal_(module.weight, std=module.weight[0].numel() ** -0.5)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
