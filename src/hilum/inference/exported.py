"""What an exported model says of itself, read without torch, OpenVINO or ONNX Runtime.

An ONNX file is a sequence of tagged fields (protocol buffers). Fields of the same kind may stand anywhere, so what
hilum has to say is put behind the graph as one more entry of `metadata_props`, and the digest in it covers every byte
before it. In an OpenVINO pair it stands in the `.xml` under `rt_info/hilum`, with the digest of the `.bin`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from hilum.errors import ModelFileError
from hilum.models.modelfile import ModelHeader

SCHEMA = "hilum.export/1"
KEY = "hilum"
ONNX, OPENVINO = ".onnx", ".xml"
SUFFIXES = (ONNX, OPENVINO)
METADATA_PROPS = 14
"""Number of the field of an ONNX model that holds named texts."""


@dataclass(frozen=True)
class ExportedHeader:
    """The model file's header, and how the export was made.

    Args:
        header: as `hilum.models.read_header` gives it for the model file.
        source: `file` and `sha256` of the model file.
        precision: of the arithmetic: `32` or `int8`.
        parity: with torch: `images`, `of` (which), `probability`, `embedding`: largest differences.
        calibration: of int8: `images`, `of`, and what changed; None for fp32.
        probe: logits of `hilum.inference.probe.probe_canvases` when it was written, from torch or, for int8, from the
            export itself.
        sha256: of the graph (`.onnx`: all bytes before this entry; `.xml`: the `.bin` beside it).
    """

    header: ModelHeader
    source: Mapping[str, str]
    precision: str
    parity: Mapping[str, Any]
    calibration: Mapping[str, Any] | None
    probe: Sequence[Sequence[float]]
    sha256: str

    def to_json(self) -> dict[str, Any]:
        """What the exported file holds."""
        return {"schema": SCHEMA, **asdict(self)}

    @classmethod
    def from_json(cls, name: str, document: Mapping[str, Any]) -> ExportedHeader:
        """The way back.

        Raises:
            ModelFileError: another schema, or fields missing.
        """
        if not isinstance(document, dict) or document.get("schema") != SCHEMA:
            raise _not_ours(name)
        try:
            fields = {field: document[field] for field in cls.__dataclass_fields__}
            header = {**fields["header"], "labels": tuple(fields["header"]["labels"])}
            return cls(**{**fields, "header": ModelHeader(**header)})
        except (KeyError, TypeError):
            raise _not_ours(name) from None


def is_exported(path: Path) -> bool:
    """Whether a name is that of an exported model."""
    return path.suffix.lower() in SUFFIXES


def read_exported(path: Path) -> ExportedHeader:
    """The header of an `.onnx` or `.xml` file; the graph is compared with its digest.

    Raises:
        ModelFileError: no such file, not written by `hilum export`, or damaged.
    """
    try:
        found, sha256 = _from_xml(path) if path.suffix.lower() == OPENVINO else _from_onnx(path)
    except OSError as error:
        what = f"exported model {Path(error.filename or path).name}"
        raise ModelFileError(what, expected="a file", found=error.strerror or "none") from None
    exported = ExportedHeader.from_json(path.name, found)
    if exported.sha256 != sha256:
        raise ModelFileError(
            f"exported model {path.name}",
            expected=f"content with SHA-256 {exported.sha256[:12]}...",
            found="another one",
            way_out="The file was damaged or altered after it was written: export it again.",
        )
    return exported


def with_metadata(graph: bytes, text: str) -> bytes:
    """An ONNX file's bytes with one more named text at their end."""
    key, value = KEY.encode(), text.encode()
    entry = _field(1, key) + _field(2, value)
    return graph + _field(METADATA_PROPS, entry)


def _from_onnx(path: Path) -> tuple[Any, str]:
    data = path.read_bytes()
    try:
        for start, number, content in _fields(memoryview(data)):
            if number == METADATA_PROPS:
                entry = {key: bytes(value) for _, key, value in _fields(content)}
                if entry.get(1) == KEY.encode():
                    return json.loads(entry[2]), hashlib.sha256(memoryview(data)[:start]).hexdigest()
    except (ValueError, IndexError, KeyError):
        pass
    raise _not_ours(path.name)


def _from_xml(path: Path) -> tuple[Any, str]:
    with path.open("rb") as file:
        beginning = file.read(512)
    if b"<net" not in beginning or b"<!DOCTYPE" in beginning or b"<!ENTITY" in beginning:
        raise _not_ours(path.name)
    try:
        for _, element in ElementTree.iterparse(path):
            if element.tag == KEY and "value" in element.attrib:
                text = element.attrib["value"]
                break
            element.clear()
        else:
            raise _not_ours(path.name)
        document = json.loads(text)
    except (ElementTree.ParseError, ValueError):
        raise _not_ours(path.name) from None
    with path.with_suffix(".bin").open("rb") as file:
        return document, hashlib.file_digest(file, "sha256").hexdigest()


def _not_ours(name: str) -> ModelFileError:
    return ModelFileError(
        f"exported model {name}",
        expected="a file written by hilum export",
        found="something else",
        way_out="`hilum export MODEL` writes one from a .safetensors file.",
    )


def _varint(number: int) -> bytes:
    parts = bytearray()
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])


def _field(number: int, content: bytes) -> bytes:
    """A field of kind 2 (length, then content) of a protocol buffer."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _fields(data: memoryview) -> Iterator[tuple[int, int, memoryview]]:
    """Where each field starts, its number, and its content (empty for plain numbers)."""
    position = 0
    while position < len(data):
        start = position
        tag, position = _read_varint(data, position)
        kind, length = tag & 7, 0
        if kind == 0:
            _, position = _read_varint(data, position)
        elif kind == 2:
            length, position = _read_varint(data, position)
        elif kind in (1, 5):
            position += 8 if kind == 1 else 4
        else:
            raise ValueError("no protocol buffer")
        if position + length > len(data):
            raise ValueError("cut short")
        yield start, tag >> 3, data[position : position + length]
        position += length


def _read_varint(data: memoryview, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if not byte & 0x80:
            return value, position
        if shift > 63:
            raise ValueError("no number")
