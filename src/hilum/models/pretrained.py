"""Any timm network as a backbone, with the weights that were asked for or an error: never with random ones instead."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import timm
import torch
from torch import nn

from hilum.errors import RecipeError, WeightsNotFound
from hilum.models.classifier import Backbone
from hilum.models.timm_stages import timm_stage_parts
from hilum.models.weights import Snapshot, find_snapshot

OURS = frozenset({"num_classes", "in_chans"})
"""Arguments that hilum gives itself; those of a snapshot are about the network that it was cut from."""

CONSTRUCTION = re.compile(r"(?!pretrained|checkpoint|cache_dir|features_only|scriptable|exportable|no_jit)[a-z]\w*")
"""Names of arguments that only describe a network: none of them makes timm read a file or ask the hub."""


def build_timm(
    name: str,
    *,
    in_channels: int,
    image_size: int,
    weights: str = "none",
    weights_dir: str | Path | None = None,
    model_args: Mapping[str, Any] | None = None,
) -> Backbone:
    """A timm network without its classifier.

    A grey stem (`in_channels=1`) made from a pre-trained colour one sums its filters, so that a grey image gives what
    the same image in three equal channels gives.

    Args:
        name: timm's name, with or without a tag (`resnet50`, `resnet50.a1_in1k`).
        weights: `imagenet`, `pretrained` (which is the same here) or `none`.
        weights_dir: a folder of hub snapshots to look in first.
        model_args: arguments of an earlier build, from a model file; only with `weights="none"`.

    Raises:
        RecipeError: no such network, or one that cannot be built with these channels and size.
        WeightsNotFound: the weights are nowhere, damaged, or leave a part of the network without any.
    """
    check_timm_name(name)
    registered, known = _registered(name)
    size = {"img_size": image_size} if known and known.fixed_input_size else {}
    if weights == "none":
        arguments = _construction_only({**(model_args or {}), **size})
        module = _create(name, registered, pretrained=False, in_chans=in_channels, **arguments)
        _check_size(name, module, in_channels, arguments)
        return _backbone(module, arguments)
    snapshot = find_snapshot(name, hub_id=known and known.hf_hub_id, weights_dir=weights_dir)
    if snapshot.architecture != name.partition(".")[0]:
        raise WeightsNotFound(f"{snapshot.folder}", expected=f"weights of {name}", found=snapshot.architecture)
    if "img_size" in snapshot.model_args:
        size = {"img_size": image_size}
    kept = {key: value for key, value in snapshot.model_args.items() if key not in OURS}
    arguments = _construction_only({**kept, **size})
    module = _loaded(name, snapshot, in_chans=in_channels, **size)
    _check_size(name, module, in_channels, arguments)
    return _backbone(module, arguments, snapshot)


def check_timm_name(name: str) -> None:
    """Whether timm knows a network.

    Raises:
        RecipeError: it does not; the message names the nearest one that hilum or timm knows.
    """
    from hilum.models.registry import MODELS

    if timm.is_model(name.partition(".")[0]):
        return
    near = _nearest(name, MODELS, cutoff=0.8) or _nearest(name, timm.list_models(), cutoff=0.5)
    raise RecipeError(
        f"model {name!r}",
        expected="a name from `hilum models`, or any timm model",
        way_out=f"Did you mean {near}?" if near else "",
    )


def _registered(name: str) -> tuple[str, Any]:
    """timm's name and settings; without the tag, and None, where timm does not know this tag of a network it knows."""
    try:
        return name, timm.get_pretrained_cfg(name)
    except RuntimeError:
        return name.partition(".")[0], None


def _backbone(module: nn.Module, arguments: Mapping[str, Any], snapshot: Snapshot | None = None) -> Backbone:
    width: Any = getattr(module, "head_hidden_size", None) or module.num_features
    return Backbone(module, width, timm_stage_parts(module), snapshot.provenance() if snapshot else None, arguments)


def _loaded(name: str, snapshot: Snapshot, **arguments: Any) -> nn.Module:
    with _missing_keys() as missing:
        module = _create(name, f"local-dir:{snapshot.folder}", pretrained=True, **arguments)
    # timm drops its old classifier, which is ours to replace, and is silent about whatever else it could not load.
    left = sorted(missing.get(id(module), ["every parameter"]))
    if left:
        raise WeightsNotFound(
            f"weights of {name} in {snapshot.folder}",
            expected="values for the whole backbone",
            found=f"none for {left[0]}" + (f" and {len(left) - 1} others" if len(left) > 1 else ""),
            way_out="Get the snapshot again, or use in_channels 3 where the first layer is what has none.",
        )
    return module


def _create(name: str, source: str, **arguments: Any) -> nn.Module:
    try:
        return timm.create_model(source, num_classes=0, **arguments)
    except Exception as error:  # timm and torch answer bad sizes and damaged files with a dozen kinds of error
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        if arguments.get("pretrained"):
            raise WeightsNotFound(
                f"weights of {name} in {source.partition(':')[2]}", expected="a readable snapshot", found=reason
            ) from error
        asked = ", ".join(f"{key} {value}" for key, value in arguments.items() if key != "pretrained")
        raise RecipeError(f"model {name} with {asked}", expected="arguments that it can have", found=reason) from error


def _check_size(name: str, module: nn.Module, in_channels: int, arguments: Mapping[str, Any]) -> None:
    """Tries one black image where the size is part of the network: some take a size that they cannot use."""
    if "img_size" not in arguments:
        return
    side = arguments["img_size"]
    try:
        with torch.no_grad():
            module.eval()(torch.zeros(1, in_channels, side, side))
    except (RuntimeError, AssertionError, ValueError) as error:
        raise RecipeError(
            f"model.image_size of {name}",
            expected="a size that it can be built for",
            found=f"{side}",
            way_out="Take the size that it was made for, or a multiple of it.",
        ) from error
    finally:
        module.train()


def _construction_only(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Refuses what would make timm read other files: these arguments come out of model files and snapshots."""
    for key in arguments:
        if not CONSTRUCTION.fullmatch(key) or key in OURS:
            raise RecipeError(f"model argument {key!r}", expected="one that describes a network and nothing else")
    return dict(arguments)


@contextmanager
def _missing_keys() -> Iterator[dict[int, list[str]]]:
    """Records which keys each `load_state_dict` within finds no value for, by the id of the module.

    timm returns a finished network and only logs this, and parameters that were left random must not pass for loaded.
    """
    missing: dict[int, list[str]] = {}
    original = nn.Module.load_state_dict

    def load_state_dict(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        result = original(self, *args, **kwargs)
        missing[id(self)] = [key for key in result.missing_keys if not key.endswith("num_batches_tracked")]
        return result

    nn.Module.load_state_dict = load_state_dict  # type: ignore[method-assign] # put back below
    try:
        yield missing
    finally:
        nn.Module.load_state_dict = original  # type: ignore[method-assign] # as it was


def _nearest(name: str, known: Iterable[str], *, cutoff: float) -> str | None:
    plain = {_plain(each): each for each in known}
    near = difflib.get_close_matches(_plain(name), plain, n=1, cutoff=cutoff)
    return plain[near[0]] if near else None


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name.casefold())
