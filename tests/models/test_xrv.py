import json
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

from hilum.errors import RecipeError, WeightsNotFound
from hilum.models import create_model, find_local_weights, load_model, save_model
from hilum.models.stages import select_stages, set_trained_stages, stage_table

DENSE, RESIDUAL = "xrv-densenet121-res224-all", "xrv-resnet50-res512-all"


@pytest.fixture(scope="module")
def xrv():
    """torchxrayvision itself, imported as hilum imports it: it switches all warnings off otherwise."""
    pytest.importorskip("hilum.models.xrv")
    from hilum.models.xrv import _library

    try:
        return _library()
    except RecipeError:
        pytest.skip("needs the extra hilum[xrv]")


@pytest.fixture(scope="module")
def theirs(xrv):
    """Their DenseNet with random weights, as it is before its file is loaded."""
    torch.manual_seed(0)
    network = xrv.models.DenseNet(weights=None).eval()
    for module in network.modules():  # random statistics, or batch norm would hide a wrong input range
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    return network


@pytest.fixture(scope="module")
def weights_dir(xrv, theirs, tmp_path_factory):
    """What `write_snapshot` makes of the file that torchxrayvision would have downloaded, a pickle of their network."""
    from hilum.models.xrv import write_snapshot

    cache, folder = tmp_path_factory.mktemp("cache"), tmp_path_factory.mktemp("weights")
    file = xrv.models.model_urls["densenet121-res224-all"]["weights_url"].rpartition("/")[2]
    torch.save(theirs, cache / file)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(xrv.utils, "get_cache_dir", lambda: str(cache))
        assert write_snapshot(DENSE, folder) == folder / DENSE
    return folder


def pretrained(folder, **arguments):
    given = {"num_classes": 3, "in_channels": 1, "weights": "pretrained", "weights_dir": folder, **arguments}
    return create_model(DENSE, **given).eval()


def test_its_embedding_is_theirs_in_our_range(theirs, weights_dir):
    """White is 1 here and 1024 there."""
    image = torch.rand(1, 1, 224, 224) * 2 - 1
    with torch.inference_mode():
        torch.testing.assert_close(pretrained(weights_dir).embed(image), theirs.features2(image * 1024))


def test_our_half_is_their_normalisation(xrv):
    from hilum.transforms.normalise import normalise

    pixels = torch.arange(256, dtype=torch.uint8).view(1, 16, 16)
    theirs = torch.from_numpy(xrv.utils.normalize(pixels[0].numpy(), 255))
    ours = normalise(pixels, normalisation="half", channels=1) * 1024
    torch.testing.assert_close(ours[0, 0], theirs, rtol=0, atol=1e-3)


def test_weights_say_where_they_come_from_and_what_they_want(weights_dir):
    weights = pretrained(weights_dir).weights
    assert weights["name"] == DENSE and weights["normalisation"] == "half" and len(weights["sha256"]) == 64
    assert find_local_weights(weights_dir) == [DENSE]


def test_stages_freeze_as_with_any_other_network(weights_dir):
    model = pretrained(weights_dir)
    assert list(model.stages) == [
        *("stem", "denseblock1", "transition1", "denseblock2", "transition2", "denseblock3", "transition3"),
        *("denseblock4", "norm5", "head"),
    ]
    set_trained_stages(model, select_stages(model, "last:1"))
    assert [row["name"] for row in stage_table(model) if row["trained"]] == ["norm5", "head"]
    assert not model.train().stages["denseblock4"].parts[0].training


def test_the_resnet_has_a_grey_stem_and_the_stages_of_one(xrv):
    with torch.device("meta"):
        model = create_model(RESIDUAL, num_classes=2, in_channels=1, image_size=64).eval()
        assert model(torch.empty(1, 1, 64, 64)).shape == (1, 2)
    assert list(model.stages) == ["stem", "layer1", "layer2", "layer3", "layer4", "head"]
    assert model.backbone.model.conv1.weight.shape == (64, 1, 7, 7)


def test_it_comes_back_from_its_file_without_its_weights_folder(weights_dir, tmp_path):
    model, image = pretrained(weights_dir, image_size=64), torch.randn(1, 1, 64, 64)
    save_model(tmp_path / "m.safetensors", model, labels=list("abc"), preprocessing={}, recipe={}, fingerprint="")
    again, _ = load_model(tmp_path / "m.safetensors")
    with torch.inference_mode():
        assert torch.equal(again(image), model(image))


def test_weights_that_are_nowhere_are_an_error_that_says_how_to_get_them(xrv, tmp_path):
    with pytest.raises(WeightsNotFound) as error:
        pretrained(tmp_path)
    message = str(error.value)
    for part in (str(tmp_path), "HILUM_WEIGHTS (not set)", f"write_snapshot('{DENSE}', 'WEIGHTS')", "--weights-dir"):
        assert part in message
    assert "\n" not in message


def test_a_snapshot_that_does_not_fit_is_an_error(xrv, weights_dir, tmp_path):
    tensors = load_file(weights_dir / DENSE / "model.safetensors")
    tensors.pop("features.norm5.bias")
    (tmp_path / DENSE).mkdir()
    save_file(tensors, tmp_path / DENSE / "model.safetensors")
    (tmp_path / DENSE / "config.json").write_text(json.dumps({"architecture": DENSE}))
    with pytest.raises(WeightsNotFound, match="expected the weights of the whole backbone") as error:
        pretrained(tmp_path)
    assert "\n" not in str(error.value)


def test_a_download_that_fails_is_an_error_that_names_the_file(xrv, tmp_path, monkeypatch):
    from hilum.models.xrv import write_snapshot

    def no_network(*arguments):
        raise OSError("no route")

    monkeypatch.setattr(xrv.utils, "get_cache_dir", lambda: str(tmp_path / "cache"))
    monkeypatch.setattr(xrv.utils, "download", no_network)
    with pytest.raises(WeightsNotFound, match=r"OSError from torchxrayvision.*pc-nih-rsna-siim-vin-resnet50.*\.pt"):
        write_snapshot(RESIDUAL, tmp_path)
    assert not (tmp_path / RESIDUAL).exists()


def test_colour_is_refused(xrv):
    with pytest.raises(RecipeError, match=r"model\.in_channels of xrv-densenet121-res224-all: expected 1"):
        create_model(DENSE, num_classes=2)


def test_without_the_package_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchxrayvision", None)
    with pytest.raises(RecipeError, match=r"pip install 'hilum\[xrv\]'"):
        create_model(DENSE, num_classes=2, in_channels=1)


def test_the_registry_lists_what_torchxrayvision_has(xrv):
    """Its short names, such as `all`, are second names of these."""
    from hilum.models import MODELS

    ours = {name.removeprefix("xrv-") for name in MODELS if name.startswith("xrv-")}
    assert ours == {name for name in xrv.models.model_urls if "-" in name}
    for name in ours:
        assert MODELS[f"xrv-{name}"].image_size == xrv.models.model_urls[name]["input_resolution"]


def test_warnings_are_still_heard_after_the_import(xrv):
    import warnings

    with pytest.raises(UserWarning):
        warnings.warn("heard", UserWarning, stacklevel=1)
