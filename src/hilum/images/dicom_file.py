"""A DICOM file -> a data set of bounded size; what nobody asked for is not kept."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from io import BytesIO

from pydicom import Dataset, FileDataset, dcmread
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag
from pydicom.uid import DeflatedExplicitVRLittleEndian

from hilum.images.codes import rejection
from hilum.images.dicom_tags import TAGS_OF_FACTS
from hilum.images.request import Request

_KEPT = [
    *TAGS_OF_FACTS,
    *("SpecificCharacterSet", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames"),
    *("Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"),
    *("PixelPaddingValue", "PixelPaddingRangeLimit", "PixelAspectRatio", "SmallestImagePixelValue"),
    *("RescaleSlope", "RescaleIntercept", "RescaleType", "ModalityLUTSequence"),
    *("WindowCenter", "WindowWidth", "VOILUTFunction", "VOILUTSequence"),
    *(
        f"{colour}PaletteColorLookupTable{part}"
        for colour in ("Red", "Green", "Blue")
        for part in ("Descriptor", "Data")
    ),
    *(f"Segmented{colour}PaletteColorLookupTableData" for colour in ("Red", "Green", "Blue")),
    *("ExtendedOffsetTable", "ExtendedOffsetTableLengths"),
    *("PixelData", "FloatPixelData", "DoubleFloatPixelData"),
]
"""Names, addresses and the rest of a patient's data are never even read into memory as such."""
_PIXELS = {Tag(keyword) for keyword in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")}
_LONGEST_VALUE = 1_000_000
_MOST_READS = 300_000
"""A file of 64 MB can hold eight million elements, which takes pydicom a minute; real ones have a few hundred."""
_MOST_FRAGMENTS = 65_536
_EXPLICIT = bytes(128) + b"DICM" + struct.pack("<HH2sH", 2, 0x10, b"UI", 20) + b"1.2.840.10008.1.2.1\0"
"""The beginning of a file in plain explicit little-endian form."""


class _CountedFile(BytesIO):
    """Bytes that may be read in so many pieces only."""

    def __init__(self, data: bytes, name: str) -> None:
        super().__init__(data)
        self.name, self.left = name, _MOST_READS

    def read(self, size: int | None = -1, /) -> bytes:
        self.left -= 1
        if self.left < 0:
            raise rejection("corrupt", self.name, "a header of more elements than any file has")
        return super().read(size)


def read_header(data: bytes, request: Request, tags: Sequence[str] = tuple(_KEPT)) -> FileDataset:
    """The elements that decoding and the facts need; pixel data are not decoded.

    Values of more than 1 MB that are no pixels are left out: they are no window, and would become a list of millions.

    Args:
        tags: keywords of the elements to keep.

    Raises:
        ImageRejected: `too-large` for a deflated bomb, `corrupt`; whatever pydicom raises for broken data.
    """
    file = _CountedFile(_inflated(data, request), request.name)
    dataset = dcmread(file, force=True, specific_tags=list(tags))
    for tag in [tag for tag in dataset.keys() if tag not in _PIXELS]:  # noqa: SIM118  # values would be converted
        element = dataset.get_item(tag)
        if isinstance(element, RawDataElement) and element.value is not None and len(element.value) > _LONGEST_VALUE:
            del dataset[tag]
    return dataset


def check_fragments(dataset: Dataset, name: str) -> None:
    """Refuses compressed pixel data in absurdly many pieces, each of which costs pydicom some microseconds."""
    data = dataset.PixelData
    position, count = 0, 0
    while position + 8 <= len(data):
        position += 8 + int.from_bytes(data[position + 4 : position + 8], "little")
        count += 1
        if count > _MOST_FRAGMENTS:
            raise rejection("corrupt", name, f"pixel data in more than {_MOST_FRAGMENTS} pieces")


def _inflated(data: bytes, request: Request) -> bytes:
    """A deflated file in plain form, inflated up to the limit: 778 KB can ask for 1.6 GB, and pydicom would obey."""
    if str(DeflatedExplicitVRLittleEndian).encode() not in data[:2048]:
        return data
    limit, start = request.limits.inflated_bytes, _end_of_meta(data)
    if not any(mark in data[:start] for mark in _deflated_marks()):
        return data
    plain = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data[start:], limit + 1)
    if len(plain) > limit:
        raise rejection("too-large", request.name, f"more than {limit / 1e6:.0f} MB once inflated")
    return _EXPLICIT + plain


def _deflated_marks() -> tuple[bytes, ...]:
    """The transfer syntax element of deflated files, even and odd lengths."""
    uid = str(DeflatedExplicitVRLittleEndian).encode()
    return tuple(struct.pack("<HH2sH", 2, 0x10, b"UI", length) + uid for length in (len(uid), len(uid) + 1))


def _end_of_meta(data: bytes) -> int:
    """Where group 2, which is never deflated, ends (PS3.10 section 7.1: explicit VR, little endian)."""
    position = 132 if data[128:132] == b"DICM" else 0
    while data[position : position + 2] == b"\x02\0":
        is_long = data[position + 4 : position + 6] in (b"OB", b"OW", b"SQ", b"UN", b"UT")
        at, form, size = (position + 8, "<I", 12) if is_long else (position + 6, "<H", 8)
        position += size + struct.unpack_from(form, data, at)[0]
    return position
