"""What the tests of this room share: one thread, no network, snapshots of tiny networks."""

import json
from pathlib import Path

import pytest
import torch

SHARED_WEIGHTS = Path(__file__).parents[3] / "shared" / "weights"


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def no_weights_of_this_machine(monkeypatch, tmp_path):
    """No environment variable, no hub cache, no network: a test sees the folders that it made."""
    from huggingface_hub import constants

    monkeypatch.delenv("HILUM_WEIGHTS", raising=False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub-cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)


@pytest.fixture(scope="session")
def shared_weights():
    """Real MobileNetV2 weights, where they lie beside the checkout."""
    if not (SHARED_WEIGHTS / "mobilenetv2_100").is_dir():
        pytest.skip("needs the weights in ../shared/weights")
    return SHARED_WEIGHTS


@pytest.fixture(scope="session")
def snapshots(tmp_path_factory):
    """A folder with two hub snapshots of untrained networks, as timm itself writes them."""
    folder = tmp_path_factory.mktemp("weights")
    _write_snapshot(folder / "test_resnet.r160_in1k", "test_resnet")
    _write_snapshot(folder / "test_vit", "test_vit", mean=[0.5] * 3, std=[0.5] * 3)
    return folder


@pytest.fixture(scope="session")
def write_snapshot():
    """A function that writes a snapshot and returns the network whose weights it holds."""
    return _write_snapshot


def _write_snapshot(folder, architecture, *, mean=None, std=None, model_args=None, drop=(), seed=0):
    """Writes `config.json` and `model.safetensors` of a timm network with random weights; returns the network."""
    import timm
    from safetensors.torch import save_file

    torch.manual_seed(seed)
    network = timm.create_model(architecture, num_classes=10, **(model_args or {})).eval()
    facts = {**network.pretrained_cfg, "num_classes": 10}
    facts |= {"mean": mean or facts["mean"], "std": std or facts["std"]}
    folder.mkdir(parents=True)
    config = {"architecture": architecture, "num_classes": 10, "pretrained_cfg": facts, "model_args": model_args or {}}
    (folder / "config.json").write_text(json.dumps(config))
    tensors = {name: each.contiguous() for name, each in network.state_dict().items() if not name.startswith(drop)}
    save_file(tensors, folder / "model.safetensors")
    return network
