import json
import shutil

import pytest
import timm
import torch
from safetensors.torch import load_file, save_file

from hilum.errors import RecipeError, WeightsNotFound
from hilum.models import create_model, load_model, save_model


def pretrained(name, folder, **arguments):
    given = {"num_classes": 3, "image_size": 64, "weights": "imagenet", "weights_dir": folder, **arguments}
    return create_model(name, **given).eval()


def test_the_backbone_is_timms_with_the_weights_of_the_folder(write_snapshot, tmp_path):
    theirs = write_snapshot(tmp_path / "test_resnet", "test_resnet", seed=3)
    ours = pretrained("test_resnet", tmp_path)
    image = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        expected = theirs.forward_head(theirs.forward_features(image), pre_logits=True)
        torch.testing.assert_close(ours.embed(image), expected)


def test_arguments_that_came_with_the_weights_are_honoured(write_snapshot, tmp_path):
    arguments = {"pad_type": "same", "bn_eps": 0.5}  # an eps that shows
    theirs = write_snapshot(tmp_path / "test_efficientnet", "test_efficientnet", model_args=arguments)
    ours = pretrained("test_efficientnet", tmp_path)
    image = torch.randn(1, 3, 64, 64)
    plain = timm.create_model("test_efficientnet", num_classes=10).eval()
    plain.load_state_dict(theirs.state_dict())
    with torch.inference_mode():
        expected = theirs.forward_head(theirs.forward_features(image), pre_logits=True)
        without = plain.forward_head(plain.forward_features(image), pre_logits=True)
        torch.testing.assert_close(ours.embed(image), expected)
        assert not torch.allclose(without, expected, atol=1e-3)
    assert dict(ours.architecture.model_args) == arguments


def test_the_head_alone_is_fresh(snapshots):
    assert pretrained("test_resnet", snapshots).fresh == {"head.0.weight", "head.0.bias"}
    assert len(create_model("test_resnet", num_classes=3).fresh) > 40


def test_a_grey_stem_sums_the_colour_filters(snapshots):
    colour, grey = pretrained("test_resnet", snapshots), pretrained("test_resnet", snapshots, in_channels=1)
    image = torch.randn(2, 1, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(grey.embed(image), colour.embed(image.repeat(1, 3, 1, 1)), rtol=1e-4, atol=1e-5)


def test_a_transformer_gets_positions_for_the_size_that_is_asked_for(snapshots):
    model = pretrained("test_vit", snapshots, image_size=96)
    assert model(torch.zeros(1, 3, 96, 96)).shape == (1, 3)
    assert not any(name.startswith("backbone") for name in model.fresh)


def test_provenance_is_kept(snapshots):
    weights = pretrained("test_vit", snapshots).weights
    assert weights["name"] == "test_vit" and weights["where"] == str(snapshots / "test_vit")
    assert weights["mean"] == [0.5, 0.5, 0.5] and weights["normalisation"] == "half"
    assert len(weights["sha256"]) == 64
    assert create_model("test_vit", num_classes=2, image_size=64).weights is None


def test_weights_that_are_nowhere_are_an_error_that_says_where_it_looked(snapshots, monkeypatch):
    monkeypatch.setenv("HILUM_WEIGHTS", "/no/such/folder")
    with pytest.raises(WeightsNotFound) as error:
        pretrained("test_convnext", snapshots)
    message = str(error.value)
    for part in (
        str(snapshots),
        "/no/such/folder",
        "hub-cache",
        "HF_HUB_OFFLINE is set",
        "hf download",
        "test_convnext",
    ):
        assert part in message
    assert "\n" not in message


def test_a_part_without_weights_is_an_error_and_not_left_random(write_snapshot, tmp_path):
    write_snapshot(tmp_path / "test_resnet", "test_resnet", drop=("layer3.0.conv1",))
    with pytest.raises(WeightsNotFound, match=r"none for layer3\.0\.conv1\.weight"):
        pretrained("test_resnet", tmp_path)


def test_weights_of_another_network_are_an_error(write_snapshot, tmp_path):
    write_snapshot(tmp_path / "test_resnet", "test_resnet")
    shutil.copytree(tmp_path / "test_resnet", tmp_path / "test_convnext")
    config = json.loads((tmp_path / "test_convnext" / "config.json").read_text())
    (tmp_path / "test_convnext" / "config.json").write_text(json.dumps({**config, "architecture": "test_convnext"}))
    with pytest.raises(WeightsNotFound, match="test_convnext"):
        pretrained("test_convnext", tmp_path)


def test_damaged_weights_are_an_error(write_snapshot, tmp_path):
    write_snapshot(tmp_path / "test_resnet", "test_resnet")
    file = tmp_path / "test_resnet" / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(WeightsNotFound, match="expected a readable snapshot"):
        pretrained("test_resnet", tmp_path)


@pytest.mark.parametrize("argument", [{"checkpoint_path": "x.pth"}, {"pretrained_cfg": {"file": "x.pth"}}])
def test_a_snapshot_cannot_make_it_read_other_files(write_snapshot, tmp_path, argument):
    write_snapshot(tmp_path / "test_resnet", "test_resnet")
    path = tmp_path / "test_resnet" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "model_args": argument}))
    with pytest.raises(RecipeError, match="model argument"):
        pretrained("test_resnet", tmp_path)


@pytest.mark.parametrize("name", ["test_maxvit", "twins_svt_small"])  # the one when it runs, the other when built
def test_a_size_that_a_network_cannot_have_is_one_clear_line(name):
    with pytest.raises(RecipeError, match=rf"{name}.*70") as error:
        create_model(name, num_classes=2, image_size=70)
    assert "\n" not in str(error.value)


def test_a_network_with_weights_comes_back_from_its_file_without_them(write_snapshot, tmp_path):
    write_snapshot(tmp_path / "test_efficientnet", "test_efficientnet", model_args={"bn_eps": 0.1})
    model = pretrained("test_efficientnet", tmp_path, in_channels=1)
    path = tmp_path / "model.safetensors"
    save_model(path, model, labels=list("abc"), preprocessing={}, recipe={}, fingerprint="")
    shutil.rmtree(tmp_path / "test_efficientnet")
    again, _ = load_model(path)
    image = torch.randn(2, 1, 64, 64)
    assert torch.equal(again(image), model(image))
    assert again.weights == model.weights and again.fresh == frozenset()


class TestSharedMobileNet:
    """On the real weights; their config says that padding and batch norm are those of TensorFlow."""

    def test_its_arguments_are_read(self, shared_weights):
        model = pretrained("mobilenetv2_100", shared_weights, image_size=224)
        assert dict(model.architecture.model_args) == {"pad_type": "same", "bn_eps": 0.001}
        assert model.backbone.bn1.eps == 0.001
        assert model.weights["normalisation"] == "half"

    def test_parity_with_timm(self, shared_weights):
        model = pretrained("mobilenetv2_100", shared_weights, image_size=224)
        folder = f"local-dir:{shared_weights / 'mobilenetv2_100'}"
        theirs = timm.create_model(folder, pretrained=True, num_classes=0).eval()
        image = torch.rand(2, 3, 224, 224) * 2 - 1
        with torch.inference_mode():
            assert torch.equal(model.embed(image), theirs(image))

    def test_grey_and_colour_agree(self, shared_weights):
        colour = pretrained("mobilenetv2_100", shared_weights, image_size=96)
        grey = pretrained("mobilenetv2_100", shared_weights, image_size=96, in_channels=1)
        image = torch.rand(2, 1, 96, 96) * 2 - 1
        with torch.inference_mode():
            expected = colour.embed(image.repeat(1, 3, 1, 1))
            torch.testing.assert_close(grey.embed(image), expected, rtol=1e-3, atol=1e-3)


def test_timm_itself_keeps_silent_about_missing_weights(write_snapshot, tmp_path):
    """Why `build_timm` looks for itself: were this to change, its recording could go."""
    write_snapshot(tmp_path / "test_resnet", "test_resnet")
    file = tmp_path / "test_resnet" / "model.safetensors"
    save_file({name: each for name, each in load_file(file).items() if "layer3" not in name}, file)
    timm.create_model(f"local-dir:{tmp_path / 'test_resnet'}", pretrained=True, num_classes=0)
