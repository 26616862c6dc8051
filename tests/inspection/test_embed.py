"""Embeddings of named layers against the network called by hand."""

import numpy as np
import pytest
import torch

from hilum.errors import RecipeError
from hilum.inspection.embed import embed_layer
from hilum.models import create_model
from hilum.transforms import Preprocessing

PREPROCESSING = Preprocessing(image_size=64, normalisation="half", channels=1)


@pytest.fixture(scope="module")
def model():
    return create_model("cnn-tiny", num_classes=3, in_channels=1, image_size=64, hidden=(5,))


@pytest.fixture(scope="module")
def canvases():
    return np.random.default_rng(0).integers(0, 256, (7, 64, 64), dtype=np.uint8)


def images_of(canvases):
    return torch.from_numpy((canvases.astype(np.float32) / 255 - 0.5) / 0.5)[:, None]


def test_hidden_is_the_last_layer_before_the_classes(model, canvases):
    found = embed_layer(model, canvases, PREPROCESSING, layer="hidden", batch_size=3)
    with torch.no_grad():
        expected = model.eval().last_hidden(images_of(canvases)).numpy()
    assert found.shape == (7, 5)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    embedding = embed_layer(model, canvases, PREPROCESSING)
    assert embedding.shape == (7, model.embedding_dim)


def test_every_stage_is_averaged_over_places(model, canvases):
    for name in list(model.stages)[:-1]:
        kept = []
        handle = model.stages[name].output.register_forward_hook(lambda _m, _i, out, kept=kept: kept.append(out))
        with torch.no_grad():
            model.eval()(images_of(canvases))
        handle.remove()
        expected = kept[0].flatten(2).mean(2) if kept[0].ndim == 4 else kept[0]
        found = embed_layer(model, canvases, PREPROCESSING, layer=name, batch_size=2)
        np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)


@pytest.mark.parametrize(
    ("name", "layer"), [("vit_tiny_patch16_224", "blocks.0"), ("swin_tiny_patch4_window7_224", "layers.0")]
)
def test_tokens_and_channels_last_are_averaged_too(name, layer, canvases):
    model = create_model(name, num_classes=2, in_channels=3, image_size=224)
    some = np.repeat(np.repeat(canvases[:2], 4, 1), 4, 2)[:, :224, :224]
    found = embed_layer(model, some, Preprocessing(image_size=224), layer=layer)
    width = {"blocks.0": 192, "layers.0": 96}[layer]
    assert found.shape == (2, width) and not np.allclose(found[0], found[1])


def test_a_layer_leaves_the_network_as_it_was(model, canvases):
    model.train()
    embed_layer(model, canvases, PREPROCESSING, layer=next(iter(model.stages)))
    assert model.training and not any(each._forward_hooks for each in model.modules())


@pytest.mark.parametrize(("layer", "words"), [("layer9", "expected all, head"), ("head", "last hidden layer")])
def test_no_such_layer(model, canvases, layer, words):
    with pytest.raises(RecipeError, match=words):
        embed_layer(model, canvases, PREPROCESSING, layer=layer)


def test_no_images(model, canvases):
    for layer in ("embedding", "hidden", next(iter(model.stages))):
        assert len(embed_layer(model, canvases[:0], PREPROCESSING, layer=layer)) == 0
