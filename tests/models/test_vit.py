import torch
from torch import nn

from hilum.models import create_model
from hilum.models.vit import MultiHeadSelfAttention, PatchEmbedding


def test_attention_agrees_with_torch():
    torch.manual_seed(0)
    ours, theirs = MultiHeadSelfAttention(24, heads=3), nn.MultiheadAttention(24, 3, batch_first=True)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(ours.query_key_value.weight)
        theirs.in_proj_bias.copy_(ours.query_key_value.bias)
        theirs.out_proj.weight.copy_(ours.project.weight)
        theirs.out_proj.bias.copy_(ours.project.bias)
    tokens = torch.randn(2, 9, 24)
    torch.testing.assert_close(ours(tokens), theirs(tokens, tokens, tokens)[0])


def test_a_patch_is_embedded_by_one_linear_map_and_its_place():
    torch.manual_seed(0)
    embed = PatchEmbedding(1, 8, 4, 12)
    image = torch.randn(1, 1, 8, 8)
    corner = image[0, :, :4, 4:].reshape(-1)  # row 0, column 1: the second token
    expected = embed.project.weight.reshape(12, -1) @ corner + embed.project.bias + embed.position[0, 1]
    torch.testing.assert_close(embed(image)[0, 1], expected)


def test_every_patch_starts_with_a_position_of_its_own():
    position = PatchEmbedding(1, 64, 8, 32).position[0]
    distances = torch.cdist(position, position) + 99 * torch.eye(64)
    assert distances.min() > 0.1


def test_what_comes_out_depends_on_where_the_patches_lie():
    model = create_model("vit-small-scratch", num_classes=2, in_channels=1, image_size=64).eval()
    image = torch.randn(1, 1, 64, 64)
    assert not torch.allclose(model(image), model(image.roll(16, dims=-1)), atol=1e-4)


def test_positions_are_not_decayed():
    from hilum.models.stages import param_groups

    model = create_model("vit-small-scratch", num_classes=2, in_channels=1, image_size=64)
    groups = {group["name"]: group for group in param_groups(model, lr=1.0, weight_decay=0.1)}
    position = model.backbone.patch_embed.position
    assert any(each is position for each in groups["backbone-no-decay"]["params"])
