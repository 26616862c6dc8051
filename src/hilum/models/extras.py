"""What is learned about a model after its weights: added to its file, the weights untouched."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hilum.models.modelfile import KEY, _as_json, _canonical, _described, _digest, _open, verify_model


def add_extras(path: str | Path, extras: Mapping[str, Any]) -> str:
    """Adds entries to the `extras` of a model file, or replaces those of the same name; written beside and renamed.

    Args:
        extras: JSON values by name; numbers must be finite.

    Returns:
        The new SHA-256 that the file carries.

    Raises:
        ModelFileError: no model file, a damaged one, or a value that JSON cannot hold.
    """
    import safetensors.torch

    path = Path(path)
    known = dict(verify_model(path).extras)
    before = {name: value for name, value in _open(path).content.items() if name != "sha256"}
    content = _as_json(path, {**before, "extras": {**known, **extras}})
    tensors = safetensors.torch.load_file(path)
    sha256 = _digest(content, ((name, *_described(each)) for name, each in sorted(tensors.items())))
    partial = path.with_name(path.name + ".partial")
    try:
        safetensors.torch.save_file(tensors, partial, {KEY: _canonical({**content, "sha256": sha256})})
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return sha256
