import pytest
import torch
from torch import nn

from hilum.errors import RecipeError, WeightsNotFound
from hilum.models import create_model, load_model, save_model
from hilum.models.stages import select_stages, set_trained_stages, stage_table


@pytest.fixture(scope="module")
def vgg(tmp_path_factory, write_snapshot):
    """A folder with a snapshot of VGG16 whose fully connected layers are narrow, and timm's network itself."""
    folder = tmp_path_factory.mktemp("weights")
    return folder, write_snapshot(folder / "vgg16.tv_in1k", "vgg16", model_args={"mlp_ratio": 1 / 4096})


@pytest.fixture(scope="module")
def resnet(tmp_path_factory, write_snapshot):
    folder = tmp_path_factory.mktemp("weights")
    return folder, write_snapshot(folder / "resnet18", "resnet18")


def flattened(folder, **arguments):
    given = {"num_classes": 2, "image_size": 64, "weights": "imagenet", "weights_dir": folder, **arguments}
    return create_model("vgg16-flatten", **given).eval()


def adapted(folder, **arguments):
    given = {"num_classes": 3, "in_channels": 1, "image_size": 64, "weights": "imagenet", "weights_dir": folder}
    return create_model("resnet18-adapter", **{**given, **arguments}).eval()


class TestFlattenedVGG:
    def test_its_embedding_is_timms_features_flattened(self, vgg):
        folder, theirs = vgg
        ours, image = flattened(folder), torch.randn(1, 3, 64, 64)
        with torch.inference_mode():
            assert torch.equal(ours.embed(image), theirs.features(image).flatten(1))
        assert ours.embedding_dim == 512 * 2 * 2
        assert ours.weights["name"] == "vgg16.tv_in1k" and ours.weights["normalisation"] == "imagenet"

    def test_a_grey_stem_sums_the_colour_filters(self, vgg):
        colour, grey = flattened(vgg[0]), flattened(vgg[0], in_channels=1)
        image = torch.randn(1, 1, 64, 64)
        with torch.inference_mode():
            expected = colour.embed(image.repeat(1, 3, 1, 1))
            torch.testing.assert_close(grey.embed(image), expected, rtol=1e-4, atol=1e-5)

    def test_at_224_pixels_it_is_7x7x512_and_the_fully_connected_layers_come_through_hidden(self):
        with torch.device("meta"):
            model = create_model("vgg16-flatten", num_classes=3, hidden=(256, 128), dropout=0.5)
            assert model(torch.empty(1, 3, 224, 224)).shape == (1, 3)
        assert model.embedding_dim == 25_088
        assert [type(each) for each in model.head] == 2 * [nn.Linear, nn.ReLU, nn.Dropout] + [nn.Linear]
        assert list(model.stages) == ["block1", "block2", "block3", "block4", "block5", "head"]

    def test_only_the_head_is_fresh_and_may_be_trained_alone(self, vgg):
        model = flattened(vgg[0], hidden=(8,))
        set_trained_stages(model, ("head",))
        assert {row["name"] for row in stage_table(model) if row["trained"]} == {"head"}

    def test_it_comes_back_from_its_file(self, vgg, tmp_path):
        model, image = flattened(vgg[0], hidden=(4,)), torch.randn(1, 3, 64, 64)
        path = tmp_path / "model.safetensors"
        save_model(path, model, labels=["a", "b"], preprocessing={}, recipe={}, fingerprint="")
        again, _ = load_model(path)
        with torch.inference_mode():
            assert torch.equal(again(image), model(image))

    def test_weights_that_are_nowhere_are_an_error(self, tmp_path):
        with pytest.raises(WeightsNotFound, match="hf download timm/vgg16"):
            flattened(tmp_path)

    def test_an_image_that_the_poolings_use_up_is_refused(self):
        with pytest.raises(RecipeError, match="at least 32 pixels, found 31"):
            create_model("vgg16-flatten", num_classes=2, image_size=31)


class TestAdaptedResNet:
    def test_the_adapter_is_fresh_and_the_network_behind_it_is_not(self, resnet):
        model = adapted(resnet[0])
        assert model.fresh == {
            *("backbone.adapter.weight", "backbone.adapter.bias", "head.0.weight", "head.0.bias"),
        }
        with pytest.raises(RecipeError, match="Train the stage adapter too"):
            set_trained_stages(model, select_stages(model, "head"))
        set_trained_stages(model, select_stages(model, "adapter,head"))
        assert [row["name"] for row in stage_table(model) if row["trained"]] == ["adapter", "head"]

    def test_a_pretrained_network_sees_almost_the_grey_image_three_times_at_first(self, resnet):
        folder, theirs = resnet
        model, image = adapted(folder), torch.randn(1, 1, 64, 64)
        with torch.inference_mode():
            passed = model.backbone.adapter(image)
            torch.testing.assert_close(passed, image.expand(1, 3, 64, 64), atol=0.3, rtol=0)
            expected = theirs.forward_head(theirs.forward_features(passed), pre_logits=True)
            torch.testing.assert_close(model.embed(image), expected)

    def test_stages(self, resnet):
        assert list(adapted(resnet[0]).stages) == ["adapter", "stem", "layer1", "layer2", "layer3", "layer4", "head"]

    def test_three_channels_have_nothing_to_adapt(self):
        with pytest.raises(RecipeError, match="resnet18-adapter: expected 1, found 3"):
            create_model("resnet18-adapter", num_classes=2)

    def test_it_comes_back_from_its_file(self, resnet, tmp_path):
        model, image = adapted(resnet[0]), torch.randn(2, 1, 64, 64)
        path = tmp_path / "model.safetensors"
        save_model(path, model, labels=list("abc"), preprocessing={}, recipe={}, fingerprint="")
        again, _ = load_model(path)
        with torch.inference_mode():
            assert torch.equal(again(image), model(image))
        assert again.fresh == frozenset() and again.weights == model.weights
