import hashlib
import json

import pytest

from hilum.errors import WeightsNotFound
from hilum.models import find_local_weights
from hilum.models import weights as room
from hilum.models.weights import find_local_snapshot, find_snapshot, normalisation_of


def snapshot(folder, architecture, content=b"weights"):
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"architecture": architecture}))
    (folder / "model.safetensors").write_bytes(content)
    return folder


def test_local_weights_are_listed_by_the_networks_name(tmp_path, monkeypatch):
    snapshot(tmp_path / "one" / "resnet50.a1_in1k", "resnet50")
    snapshot(tmp_path / "one" / "my-download", "vgg16")
    snapshot(tmp_path / "two" / "densenet121", "densenet121")
    (tmp_path / "one" / "empty").mkdir()
    (tmp_path / "one" / "notes.txt").write_text("not a folder")
    monkeypatch.setenv("HILUM_WEIGHTS", str(tmp_path / "two"))
    assert find_local_weights(tmp_path / "one") == ["densenet121", "resnet50", "vgg16", "vgg16-flatten"]
    assert find_local_weights(None) == ["densenet121"]
    assert find_local_weights(tmp_path / "nowhere") == ["densenet121"]


def test_a_network_made_of_another_one_finds_the_weights_of_that(tmp_path):
    snapshot(tmp_path / "resnet18.a1_in1k", "resnet18")
    assert find_local_snapshot("resnet18-adapter", tmp_path).name == "resnet18.a1_in1k"
    assert find_local_weights(tmp_path) == ["resnet18", "resnet18-adapter"]


def test_half_a_snapshot_is_none(tmp_path):
    (snapshot(tmp_path / "vgg16", "vgg16") / "model.safetensors").unlink()
    (snapshot(tmp_path / "vgg19", "vgg19") / "config.json").write_text("{")
    assert find_local_weights(tmp_path) == []


def test_the_argument_goes_before_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("HILUM_WEIGHTS", str(tmp_path / "two"))
    snapshot(tmp_path / "two" / "vgg16", "vgg16")
    assert find_local_snapshot("vgg16", tmp_path / "one").folder == tmp_path / "two" / "vgg16"
    snapshot(tmp_path / "one" / "vgg16", "vgg16")
    assert find_local_snapshot("vgg16", tmp_path / "one").folder == tmp_path / "one" / "vgg16"


def test_tags(tmp_path):
    snapshot(tmp_path / "resnet50.b", "resnet50")
    snapshot(tmp_path / "resnet50.a", "resnet50")
    assert find_local_snapshot("resnet50", tmp_path).name == "resnet50.a"
    assert find_local_snapshot("resnet50.b", tmp_path).name == "resnet50.b"
    assert find_local_snapshot("resnet50.c", tmp_path) is None


def test_a_folder_that_is_a_snapshot_itself(tmp_path):
    assert find_local_snapshot("vgg16", snapshot(tmp_path / "any-name", "vgg16")).name == "vgg16"


def test_provenance_hashes_the_weights(tmp_path):
    facts = find_local_snapshot("vgg16", snapshot(tmp_path / "vgg16", "vgg16", b"abc")).provenance()
    assert facts["sha256"] == hashlib.sha256(b"abc").hexdigest()
    assert facts["normalisation"] is None and facts["mean"] is None


def test_the_hubs_cache_is_used_without_a_network(tmp_path, monkeypatch):
    from huggingface_hub import constants

    cached = tmp_path / "cache" / "models--timm--vgg16.tv_in1k"
    snapshot(cached / "snapshots" / "abc", "vgg16")
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text("abc")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    found = find_snapshot("vgg16", hub_id="timm/vgg16.tv_in1k")
    assert (found.name, found.architecture, found.folder) == ("vgg16.tv_in1k", "vgg16", cached / "snapshots" / "abc")


def test_a_hub_out_of_reach_is_given_up_within_seconds(monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(WeightsNotFound, match="no answer within 4 s"):
        find_snapshot("vgg16", hub_id="timm/vgg16.tv_in1k")


def test_a_hub_that_answers_is_asked(tmp_path, monkeypatch):
    import huggingface_hub

    folder, asked = snapshot(tmp_path / "fetched", "vgg16"), []
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(room, "_answers", lambda address: True)

    def download(repository, file, **options):
        asked.append((repository, file))
        return str(folder / file)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    assert find_snapshot("vgg16", hub_id="timm/vgg16.tv_in1k").folder == folder
    assert asked == [("timm/vgg16.tv_in1k", "config.json"), ("timm/vgg16.tv_in1k", "model.safetensors")]


@pytest.mark.parametrize(
    ("mean", "std", "name"),
    [
        ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), "imagenet"),
        ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5), "half"),
        ((0, 0, 0), (1, 1, 1), "zero-one"),
        ((0.4815, 0.4578, 0.4082), (0.2686, 0.2613, 0.2758), None),
    ],
)
def test_which_normalisation_fits(mean, std, name):
    assert normalisation_of(mean, std) == name
