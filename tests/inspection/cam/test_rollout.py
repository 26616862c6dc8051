"""Attention roll-out against the plain product of attentions, written out."""

import numpy as np
import pytest
import torch

from hilum.errors import RecipeError
from hilum.inspection.cam.maps import compute_maps
from hilum.models import create_model
from hilum.transforms import Preprocessing
from hilum.transforms.normalise import normalise

PICTURES = np.random.default_rng(0).integers(0, 255, (2, 64, 64), dtype=np.uint8)


def attentions(model, image, qkv_name, heads):
    """Softmax of query and key of each block, mean over heads, from what enters each block's qkv layer."""
    found = []

    def look(module, inputs, result):
        batch, length, width = result.shape
        query, key, _ = result.view(batch, length, 3, heads, width // 3 // heads).permute(2, 0, 3, 1, 4)
        scores = query @ key.transpose(-2, -1) / query.shape[-1] ** 0.5
        found.append(scores.softmax(-1).mean(1))

    hooks = [m.register_forward_hook(look) for name, m in model.named_modules() if name.endswith(qkv_name)]
    with torch.no_grad():
        model.eval()(image)
    for hook in hooks:
        hook.remove()
    return found


def product(found):
    total = torch.eye(found[0].shape[-1]).expand_as(found[0])
    for each in found:
        total = (0.5 * each + 0.5 * torch.eye(each.shape[-1])) @ total
    return total


def test_our_vit_is_read_where_it_pools_over_all_tokens():
    model = create_model("vit-small-scratch", num_classes=2, in_channels=1, image_size=64, seed=1)
    image = normalise(torch.from_numpy(PICTURES), normalisation="half", channels=1)
    expected = product(attentions(model, image, "query_key_value", 4)).mean(dim=1).view(2, 4, 4)
    found = compute_maps(model, PICTURES, Preprocessing(64, normalisation="half", channels=1), methods=("rollout",))
    np.testing.assert_allclose(found.maps["rollout"], expected.numpy(), atol=1e-6)
    np.testing.assert_allclose(found.maps["rollout"].sum(axis=(1, 2)), 1, atol=1e-5)


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "vit_small_patch14_dinov2"])
def test_vits_of_timm_are_read_at_their_class_token(name):
    side = 64 if name.endswith("224") else 56
    model = create_model(name, num_classes=2, in_channels=3, image_size=side, seed=1)
    pictures = PICTURES[:, :side, :side]
    image = normalise(torch.from_numpy(pictures.copy()), normalisation="half", channels=3)
    heads = model.backbone.blocks[0].attn.num_heads
    expected = product(attentions(model.backbone, image, "attn.qkv", heads))[:, 0, 1:].view(2, 4, 4)
    found = compute_maps(model, pictures, Preprocessing(side, normalisation="half", channels=3), methods=("rollout",))
    np.testing.assert_allclose(found.maps["rollout"], expected.numpy(), atol=1e-6)


def test_it_is_the_same_for_every_class_and_says_so():
    model = create_model("vit-small-scratch", num_classes=2, in_channels=1, image_size=64, seed=1)
    preprocessing = Preprocessing(64, normalisation="half", channels=1)
    with pytest.raises(RecipeError, match="the same for all"):
        compute_maps(model, PICTURES, preprocessing, methods=("rollout",), target=1, against=0)
