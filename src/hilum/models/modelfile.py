"""The model file: weights and everything that using them takes, in one `.safetensors` file without pickle.

The header lies under the single metadata key `hilum` as JSON. Its SHA-256 covers the rest of the header and the name,
type, shape and bytes of every tensor, so that neither can be altered, cut short or mixed up without notice. It guards
against accidents; it is no signature.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from hilum.errors import HilumError, ModelFileError
from hilum.version import __version__

if TYPE_CHECKING:
    from torch import Tensor

    from hilum.models.autoencoder import Autoencoder
    from hilum.models.classifier import Classifier

    Network = TypeVar("Network", Classifier, Autoencoder)

SCHEMA = "hilum.model/1"
KEY = "hilum"
PACKAGES = ("torch", "timm", "safetensors")
LARGEST_TABLE = 100_000_000
"""Bytes that the table of tensors and metadata at the file's start may have: the format's own limit."""


@dataclass(frozen=True)
class ModelHeader:
    """What a model file says beside its weights.

    Args:
        architecture: what the network was built from (`hilum.models.classifier.Architecture`).
        labels: class names in the order of the outputs.
        preprocessing: fields of `hilum.transforms.Preprocessing`.
        recipe: the resolved recipe.
        fingerprint: of the data that it was trained on.
        weights: where its pre-trained weights came from, or None.
        versions: package -> version that wrote the file.
        extras: temperature, operating points, out-of-distribution statistics, ...: JSON values by name.
        sha256: over all of this and the tensors.
    """

    architecture: Mapping[str, Any]
    labels: tuple[str, ...]
    preprocessing: Mapping[str, Any]
    recipe: Mapping[str, Any]
    fingerprint: str
    weights: Mapping[str, Any] | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    extras: Mapping[str, Any] = field(default_factory=dict)
    sha256: str = ""


def save_model(
    path: str | Path,
    model: Classifier | Autoencoder,
    *,
    labels: Iterable[str],
    preprocessing: Mapping[str, Any],
    recipe: Mapping[str, Any],
    fingerprint: str,
    extras: Mapping[str, Any] | None = None,
) -> str:
    """Writes a model file, beside and renamed into place; the same content gives the same bytes.

    Args:
        labels: class names in the order of the outputs, one a class; none for an autoencoder.
        preprocessing, recipe, extras: JSON values by name; numbers must be finite.

    Returns:
        The SHA-256 that the file carries.

    Raises:
        ModelFileError: labels that do not fit the outputs, or a value that JSON cannot hold.
    """
    from importlib.metadata import version  # with half of email behind it: not for who reads a file

    import safetensors.torch

    path, names = Path(path), list(labels)
    _check_labels(path, names, model.num_classes)
    tensors = {name: each.detach().cpu().contiguous() for name, each in model.state_dict().items()}
    content = _as_json(
        path,
        {
            "schema": SCHEMA,
            "architecture": model.architecture.to_json(),
            "labels": names,
            "preprocessing": dict(preprocessing),
            "recipe": dict(recipe),
            "fingerprint": fingerprint,
            "weights": model.weights,
            "versions": {package: version(package) for package in PACKAGES} | {"hilum": __version__},
            "extras": dict(extras or {}),
        },
    )
    sha256 = _digest(content, ((name, *_described(each)) for name, each in sorted(tensors.items())))
    partial = path.with_name(path.name + ".partial")
    try:
        safetensors.torch.save_file(tensors, partial, {KEY: _canonical({**content, "sha256": sha256})})
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return sha256


def read_header(path: str | Path) -> ModelHeader:
    """What a model file says, read without torch and without its weights; the SHA-256 is not checked.

    Raises:
        ModelFileError: no such file, cut short, or not written by hilum.
    """
    return _header(Path(path), _open(Path(path)).content)


def verify_model(path: str | Path) -> ModelHeader:
    """The header of a model file whose content was compared with its SHA-256; needs no torch.

    Raises:
        ModelFileError: as `read_header`, or the content is not what was written.
    """
    path = Path(path)
    opened = _open(path)
    header = _header(path, opened.content)
    content = {name: value for name, value in opened.content.items() if name != "sha256"}
    if _digest(content, opened.tensors()) != header.sha256:
        raise ModelFileError(
            f"model file {path.name}",
            expected=f"content with SHA-256 {header.sha256[:12]}...",
            found="another one",
            way_out="The file was damaged or altered after it was written: copy it again or train it anew.",
        )
    return header


def weights_sha256(path: str | Path) -> str:
    """SHA-256 over the tensors alone: the same before and after `hilum.models.extras` adds to the header.

    Raises:
        ModelFileError: as `read_header`.
    """
    return _digest({}, _open(Path(path)).tensors())


def load_model(path: str | Path, *, labels: Iterable[str] | None = None) -> tuple[Classifier, ModelHeader]:
    """A network ready to predict, on the CPU and in evaluation mode, and its header.

    Needs neither the hub nor pre-trained weights.

    Args:
        labels: the classes that the file has to be for, in order; None = whichever it is for.

    Raises:
        ModelFileError: as `verify_model`, weights or labels that do not fit the architecture, or other labels than
            those that were asked for.
    """
    model, header = load_network(path, _classifier)
    if labels is not None and tuple(labels) != header.labels:
        raise ModelFileError(
            f"model file {Path(path).name}",
            expected=f"a model for {', '.join(labels)}",
            found=f"one for {', '.join(header.labels)}",
        )
    model.fresh, model.weights = frozenset(), None if header.weights is None else dict(header.weights)
    return model, header


def load_network(path: str | Path, build: Callable[[ModelHeader], Network]) -> tuple[Network, ModelHeader]:
    """A network with the weights of a model file, on the CPU and in evaluation mode, and its header.

    Args:
        build: the header -> the network that it describes, with any parameters.

    Raises:
        ModelFileError: as `verify_model`, or weights or labels that do not fit the network.
    """
    import safetensors.torch

    path = Path(path)
    header = verify_model(path)
    try:
        model = build(header)
        model.load_state_dict(safetensors.torch.load_file(path))
    except (HilumError, RuntimeError, TypeError, KeyError) as error:
        raise ModelFileError(
            f"model file {path.name}",
            expected="a network that this version can build",
            found=(str(error).splitlines() or [type(error).__name__])[0],
            way_out=f"It was written with {', '.join(f'{name} {each}' for name, each in header.versions.items())}.",
        ) from error
    _check_labels(path, header.labels, model.num_classes)
    return model.eval(), header


def _classifier(header: ModelHeader) -> Classifier:
    from hilum.models.classifier import Architecture
    from hilum.models.registry import rebuild

    return rebuild(Architecture.from_json(header.architecture))


@dataclass(frozen=True)
class _Opened:
    """The parts of a safetensors file, found from its first bytes."""

    path: Path
    content: dict[str, Any]
    table: dict[str, dict[str, Any]]
    start: int

    def tensors(self) -> Iterator[tuple[str, str, list[int], bytes]]:
        """Name, type, shape and bytes of every tensor, by name."""
        with self.path.open("rb") as file:
            for name, entry in sorted(self.table.items()):
                begin, end = entry["data_offsets"]
                file.seek(self.start + begin)
                yield name, entry["dtype"], entry["shape"], file.read(end - begin)


def _open(path: Path) -> _Opened:
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= min(LARGEST_TABLE, size - 8):
                raise ValueError("no table of tensors")
            table = json.loads(file.read(length))
        content = json.loads(table.pop("__metadata__", {})[KEY])
        stored = max((entry["data_offsets"][1] for entry in table.values()), default=0)
    except OSError as error:
        raise ModelFileError(f"model file {path}", expected="a file", found=error.strerror or "none") from None
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        raise ModelFileError(
            f"model file {path.name}", expected="a .safetensors file written by hilum", found="something else"
        ) from None
    if size != 8 + length + stored:
        raise ModelFileError(
            f"model file {path.name}",
            expected=f"{8 + length + stored} bytes",
            found=f"{size}",
            way_out="The copy is incomplete: copy it again.",
        )
    return _Opened(path, content, table, 8 + length)


def _header(path: Path, content: Mapping[str, Any]) -> ModelHeader:
    schema = content.get("schema") if isinstance(content, Mapping) else None
    if schema != SCHEMA:
        raise ModelFileError(f"model file {path.name}", expected=SCHEMA, found=str(schema))
    try:
        fields = {name: value for name, value in content.items() if name != "schema"}
        return ModelHeader(**{**fields, "labels": tuple(fields["labels"])})
    except (TypeError, KeyError) as error:
        raise ModelFileError(f"model file {path.name}", expected=f"the fields of {SCHEMA}", found=str(error)) from None


def _check_labels(path: Path, labels: Sequence[str], num_classes: int) -> None:
    if len(labels) != num_classes or len(set(labels)) != len(labels):
        raise ModelFileError(
            f"labels of model file {path.name}",
            expected=f"{num_classes} names, one a class",
            found=f"{len(labels)}: {', '.join(map(str, labels))}",
        )


def _as_json(path: Path, content: Mapping[str, Any]) -> dict[str, Any]:
    """The content as reading it back will give it: number keys have become strings, tuples lists."""
    try:
        return json.loads(json.dumps(content, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ModelFileError(
            f"model file {path.name}", expected="a header of JSON values, numbers finite", found=str(error)
        ) from error


def _canonical(content: Mapping[str, Any]) -> str:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _described(tensor: Tensor) -> tuple[str, list[int], bytes]:
    """Type, shape and bytes as the file will hold them."""
    import torch

    kinds = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.float64: "F64"}
    kinds |= {torch.int64: "I64", torch.int32: "I32", torch.uint8: "U8", torch.bool: "BOOL"}
    return kinds[tensor.dtype], list(tensor.shape), tensor.reshape(-1).view(torch.uint8).numpy().tobytes()


def _digest(content: Mapping[str, Any], tensors: Iterable[tuple[str, str, list[int], Any]]) -> str:
    digest = hashlib.sha256(_canonical(content).encode())
    for name, kind, shape, data in tensors:
        digest.update(_canonical({"name": name, "dtype": kind, "shape": shape, "bytes": len(data)}).encode())
        digest.update(data)
    return digest.hexdigest()
