"""Where pre-trained weights lie: local folders of hub snapshots, then the hub and its cache.

A snapshot is a folder as the hub stores a timm model: `config.json` (architecture, arguments, mean and standard
deviation) and `model.safetensors`. Nothing here needs torch or timm.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hilum.errors import WeightsNotFound
from hilum.models.entries import ENTRIES
from hilum.transforms.preprocessing import NORMALISATIONS

ENVIRONMENT = "HILUM_WEIGHTS"
"""Environment variable that names a folder of snapshots."""

FILES = ("config.json", "model.safetensors")
HUB_TIMEOUT = 4.0
"""Seconds in which the hub must answer before it is taken as out of reach."""


@dataclass(frozen=True)
class Snapshot:
    """One folder with weights.

    Args:
        name: the folder's name, or the hub's, such as `mobilenetv2_100` or `resnet50.a1_in1k`.
        folder: where `config.json` and `model.safetensors` lie.
        config: what `config.json` holds.
    """

    name: str
    folder: Path
    config: Mapping[str, Any]

    @property
    def architecture(self) -> str:
        """timm's name of the network."""
        return str(self.config.get("architecture", ""))

    @property
    def model_args(self) -> dict[str, Any]:
        """Arguments that the network must be built with for the weights to fit, such as `bn_eps`."""
        return dict(self.config.get("model_args") or {})

    @property
    def mean_std(self) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
        """Three means and standard deviations that the network was trained with, for pixels in [0, 1]."""
        facts = self.config.get("pretrained_cfg") or self.config
        mean, std = facts.get("mean"), facts.get("std")
        return (tuple(map(float, mean)), tuple(map(float, std))) if mean and std else None

    def provenance(self) -> dict[str, Any]:
        """`name`, `where`, `sha256`, `mean`, `std`, `normalisation` (None = no name fits), for records and reports."""
        mean, std = self.mean_std or (None, None)
        return {
            "name": self.name,
            "where": str(self.folder),
            "sha256": file_sha256(self.folder / FILES[1]),
            "mean": mean and list(mean),
            "std": std and list(std),
            "normalisation": normalisation_of(mean, std) if mean and std else None,
        }


def normalisation_of(mean: tuple[float, ...], std: tuple[float, ...]) -> str | None:
    """The name of the preprocessing that has this mean and standard deviation; None where none has.

    0.5 and 0.5 is `half`, which `minus-one-one` is another name of.
    """
    for name, (its_mean, its_std) in NORMALISATIONS.items():
        pairs = zip((*its_mean, *its_std), (*mean, *std), strict=True)
        if all(abs(one - other) < 1e-4 for one, other in pairs):
            return name
    return None


def find_local_weights(weights_dir: str | Path | None = None) -> list[str]:
    """Names of the networks whose weights lie in local folders, for recipes that suit the machine.

    Args:
        weights_dir: a folder of snapshots, searched before the one that `HILUM_WEIGHTS` names.

    Returns:
        Names for `create_model(..., weights="pretrained")`, timm's without tags, sorted; an empty list where there is
        no such folder.
    """
    there = {snapshot.architecture for place in _places(weights_dir) for snapshot in _snapshots(place)}
    return sorted(there | {entry.name for entry in ENTRIES if entry.weights_from in there})


def find_local_snapshot(name: str, weights_dir: str | Path | None = None) -> Snapshot | None:
    """The snapshot that `create_model(name, weights="imagenet")` takes from a local folder; None where there is none.

    `resnet50` also finds `resnet50.a1_in1k`; a name with a tag finds that tag only; `vgg16-flatten`, which is made of
    another network, finds the weights of that one.
    """
    name = next((entry.weights_from for entry in ENTRIES if entry.name == name and entry.weights_from), name)
    for place in _places(weights_dir):
        snapshots = {snapshot.name: snapshot for snapshot in _snapshots(place)}
        if name in snapshots:
            return snapshots[name]
        for candidate in sorted(snapshots):
            if candidate.partition(".")[0] == name:
                return snapshots[candidate]
    return None


def find_snapshot(
    name: str, *, hub_id: str | None, weights_dir: str | Path | None = None, way_out: str = ""
) -> Snapshot:
    """Weights from the first place that has them: `weights_dir`, `HILUM_WEIGHTS`, the hub's cache, the hub.

    Args:
        name: timm's name, with or without a tag.
        hub_id: the repository on the hub; None = the hub has none.
        way_out: how to get them, where the hub is not the way.

    Raises:
        WeightsNotFound: they are nowhere; the message names every place and how to get them.
    """
    snapshot = find_local_snapshot(name, weights_dir)
    if snapshot is not None:
        return snapshot
    looked = [f"{place}" for place in _places(weights_dir)]
    looked += [] if os.environ.get(ENVIRONMENT) else [f"{ENVIRONMENT} (not set)"]
    folder, answer = _from_hub(hub_id) if hub_id else (None, "the hub (it has no such repository)")
    if folder is not None:
        return Snapshot(str(hub_id).rpartition("/")[2], folder, _read_config(folder) or {})
    fetch = f"`hf download {hub_id} {' '.join(FILES)} --local-dir WEIGHTS/{name}`" if hub_id else "its authors' page"
    raise WeightsNotFound(
        f"pre-trained weights of {name}",
        found=f"none in {', '.join([*looked, answer])}",
        way_out=way_out
        or f"Where there is internet, get them with {fetch}, then give --weights-dir WEIGHTS or set "
        f"{ENVIRONMENT}=WEIGHTS; or ask for weights none.",
    )


def file_sha256(path: Path) -> str:
    """Hex digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _places(weights_dir: str | Path | None) -> list[Path]:
    named = [weights_dir, os.environ.get(ENVIRONMENT)]
    return list(dict.fromkeys(Path(place) for place in named if place))


def _snapshots(place: Path) -> Iterator[Snapshot]:
    """The snapshots in a folder; the folder itself may be one."""
    folders = [place, *(sorted(place.iterdir()) if place.is_dir() else [])]
    for folder in folders:
        config = _read_config(folder)
        if config is None or not (folder / FILES[1]).is_file():
            continue
        snapshot = Snapshot(folder.resolve().name, folder, config)
        # A folder of any name that holds a network goes by the network's name.
        fits = snapshot.name.partition(".")[0] == snapshot.architecture
        yield snapshot if fits else Snapshot(snapshot.architecture, folder, config)


def _read_config(folder: Path) -> dict[str, Any] | None:
    try:
        config = json.loads((folder / FILES[0]).read_text())
    except (OSError, ValueError):
        return None
    return config if isinstance(config, dict) and config.get("architecture") else None


def _from_hub(hub_id: str) -> tuple[Path | None, str]:
    """The folder of a snapshot in the hub's cache, fetched if need be; or None and what was tried, in words."""
    from huggingface_hub import constants, hf_hub_download, try_to_load_from_cache

    cached = [try_to_load_from_cache(hub_id, file) for file in FILES]
    if all(isinstance(path, str) for path in cached):
        return Path(str(cached[0])).parent, ""
    tried = f"the hub's cache {constants.HF_HUB_CACHE}, the hub"
    if constants.HF_HUB_OFFLINE:
        return None, f"{tried} (not asked: HF_HUB_OFFLINE is set)"
    # The hub's client tries again for half a minute where there is no network, so a look comes first.
    if not _answers(constants.ENDPOINT):
        return None, f"{tried} (no answer within {HUB_TIMEOUT:g} s)"
    try:
        paths = [hf_hub_download(hub_id, file, etag_timeout=HUB_TIMEOUT) for file in FILES]
    except Exception as error:  # the client raises errors of several libraries, each a reason why there are no weights
        return None, f"{tried} ({type(error).__name__})"
    return Path(paths[0]).parent, ""


def _answers(address: str) -> bool:
    import urllib.error  # with TLS behind it: not for everyone who reads a model file
    import urllib.request

    try:
        with urllib.request.urlopen(address, timeout=HUB_TIMEOUT):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
