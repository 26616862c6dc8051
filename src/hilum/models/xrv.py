"""torchxrayvision's networks, trained on hundreds of thousands of chest X-rays; needs the extra `hilum[xrv]`.

They take one channel in [-1024, 1024]. Here they are given [-1, 1], the normalisation `half`, and multiply it
themselves, so that what enters a network has one range throughout hilum. hilum reads their weights from a snapshot with
`model.safetensors` only, which `write_snapshot` makes once from the file that torchxrayvision downloads: that file is a
pickle, and unpickling runs whatever code it holds.

Source: Cohen et al. 2022 (TorchXRayVision: a library of chest X-ray datasets and models).
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from hilum.errors import RecipeError, WeightsNotFound
from hilum.models.classifier import Backbone
from hilum.models.timm_stages import timm_stage_parts
from hilum.models.weights import FILES, Snapshot, find_snapshot

PREFIX = "xrv-"
SCALE = 1024.0
"""What torchxrayvision's networks expect for white; black is its negative."""


class DenseFeatures(nn.Module):
    """Image `[B, 1, S, S]` in [-1, 1] -> embedding `[B, 1024]`, as `features2` of torchxrayvision's DenseNet.

    Args:
        features: its convolutions, stem to `norm5`.
    """

    def __init__(self, features: nn.Module) -> None:
        super().__init__()
        self.features = features

    def forward(self, image: Tensor) -> Tensor:
        return F.relu(self.features(image * SCALE)).mean(dim=(2, 3))


class ResidualFeatures(nn.Module):
    """Image `[B, 1, S, S]` in [-1, 1] -> embedding `[B, 2048]`: torchvision's ResNet50 with a grey stem.

    Args:
        model: the network with an identity in the place of its classifier.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: Tensor) -> Tensor:
        return self.model(image * SCALE)


def build_xrv(name: str, *, in_channels: int, weights: str = "none", weights_dir: str | Path | None = None) -> Backbone:
    """One of torchxrayvision's networks without its classifier.

    Args:
        name: `xrv-` and torchxrayvision's name, such as `xrv-densenet121-res224-all`.
        in_channels: 1.
        weights: `pretrained` or `none`.
        weights_dir: a folder of snapshots to look in before `HILUM_WEIGHTS`.

    Raises:
        RecipeError: torchxrayvision is not installed or knows no such network, or three channels.
        WeightsNotFound: there is no snapshot, or one that does not fit; the message says how to make it.
    """
    if in_channels != 1:
        raise RecipeError(f"model.in_channels of {name}", expected="1: it was trained on grey images", found="3")
    snapshot = _find(name, weights_dir) if weights != "none" else None
    module = _load(name, snapshot) if snapshot else _empty(name)
    inner: nn.Module = module.model if isinstance(module, ResidualFeatures) else module
    prefix = "model." if isinstance(module, ResidualFeatures) else ""
    stages = {stage: tuple(f"{prefix}{part}" for part in parts) for stage, parts in timm_stage_parts(inner).items()}
    width = 2048 if isinstance(module, ResidualFeatures) else 1024
    return Backbone(module, width, stages, snapshot.provenance() if snapshot else None)


def write_snapshot(name: str, folder: str | Path) -> Path:
    """Fetches the weights of one network with torchxrayvision and writes them as a snapshot without pickle.

    torchxrayvision downloads them into its own cache where they are not there yet, and unpickles them: trust its
    source before you call this.

    Args:
        name: as for `build_xrv`.
        folder: of snapshots; the new one goes into `folder/name`.

    Returns:
        The folder of the snapshot, for `--weights-dir` or `HILUM_WEIGHTS`.

    Raises:
        RecipeError: torchxrayvision is not installed or knows no such network.
        WeightsNotFound: they could not be downloaded.
    """
    from safetensors.torch import save_file

    xrv, theirs = _library(), name.removeprefix(PREFIX)
    _check_name(xrv, name)
    try:
        loaded = (xrv.models.DenseNet if _is_dense(theirs) else xrv.models.ResNet)(weights=theirs)
    except Exception as error:  # requests, pickle and torch answer with errors of their own
        raise WeightsNotFound(
            f"weights of {name}", found=f"{type(error).__name__} from torchxrayvision", way_out=_where(xrv, theirs)
        ) from error
    module = _without_classifier(loaded if _is_dense(theirs) else loaded.model)
    place = Path(folder) / name
    place.mkdir(parents=True, exist_ok=True)
    save_file({key: each.contiguous() for key, each in module.state_dict().items()}, place / FILES[1])
    facts = {"architecture": name, "pretrained_cfg": {"mean": [0.5] * 3, "std": [0.5] * 3}}
    (place / FILES[0]).write_text(json.dumps(facts))
    return place


def _find(name: str, weights_dir: str | Path | None) -> Snapshot:
    code = f"from hilum.models.xrv import write_snapshot; write_snapshot('{name}', 'WEIGHTS')"
    way = f'Where there is internet, make them with `python -c "{code}"`, then give --weights-dir WEIGHTS or set '
    return find_snapshot(name, hub_id=None, weights_dir=weights_dir, way_out=f"{way}HILUM_WEIGHTS=WEIGHTS.")


def _load(name: str, snapshot: Snapshot) -> nn.Module:
    from safetensors.torch import load_file

    module = _empty(name)
    try:
        module.load_state_dict(load_file(snapshot.folder / FILES[1]))
    except Exception as error:  # safetensors and torch answer a damaged or foreign file with several kinds of error
        lines = str(error).splitlines() or [type(error).__name__]
        raise WeightsNotFound(
            f"weights of {name} in {snapshot.folder}",
            expected="the weights of the whole backbone",
            found=lines[min(1, len(lines) - 1)],
        ) from error
    return module


def _empty(name: str) -> nn.Module:
    """The network with random parameters."""
    xrv, theirs = _library(), name.removeprefix(PREFIX)
    _check_name(xrv, name)
    if _is_dense(theirs):
        return _without_classifier(xrv.models.DenseNet(weights=None))
    from torchvision.models import resnet50

    model = resnet50(weights=None)
    # As torchxrayvision builds it, which has no way to do so without weights.
    model.conv1 = nn.Conv2d(1, 64, kernel_size=7, stride=2, padding=3, bias=False)
    return _without_classifier(model)


def _without_classifier(network: Any) -> nn.Module:
    if hasattr(network, "classifier"):
        return DenseFeatures(network.features)
    network.fc = nn.Identity()
    return ResidualFeatures(network)


def _is_dense(theirs: str) -> bool:
    return theirs.startswith("densenet")


def _check_name(xrv: Any, name: str) -> None:
    theirs = name.removeprefix(PREFIX)
    if theirs not in xrv.models.model_urls:
        known = ", ".join(f"{PREFIX}{each}" for each in xrv.models.model_urls if "-" in each)
        raise RecipeError(f"model {name!r}", expected=f"one of {known}")


def _where(xrv: Any, theirs: str) -> str:
    address = xrv.models.model_urls[theirs]["weights_url"]
    return f"Put {address.rpartition('/')[2]} from its release page into {xrv.utils.get_cache_dir()} and try again."


def _library() -> Any:
    try:
        with warnings.catch_warnings():  # importing it turns all warnings off for good
            import torchxrayvision
    except ImportError as error:
        way_out = "Install it with `pip install 'hilum[xrv]'`."
        raise RecipeError(
            "models xrv-...", expected="the package torchxrayvision", found="none", way_out=way_out
        ) from error
    return torchxrayvision
