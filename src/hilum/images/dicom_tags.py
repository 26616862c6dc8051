"""Facts out of DICOM tags; every text in them is treated as hostile."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

from hilum.images.vocabulary import maker_in, modality_of, parts_in, view_in

if TYPE_CHECKING:
    from pydicom import Dataset

_LONGEST_TEXT = 64
_DESCRIPTIONS = ("SeriesDescription", "ProtocolName", "StudyDescription", "PerformedProcedureStepDescription")
TAGS_OF_FACTS = (
    *("SOPClassUID", "Modality", "Manufacturer", "ManufacturerModelName", "PatientID", "PatientSex", "PatientAge"),
    *("BodyPartExamined", "AnatomicRegionSequence", "ViewPosition", "ViewCodeSequence", "CodeMeaning"),
    *_DESCRIPTIONS,
)
"""Elements that `facts_of` reads."""
_AGE = re.compile(r"(\d{1,3})([DWMY]?)")
_UNITS_A_YEAR = {"D": 365.25, "W": 365.25 / 7, "M": 12.0, "Y": 1.0, "": 1.0}


def value_of(dataset: Dataset, keyword: str) -> Any:
    """The first value of an element, or None where it is absent, empty or cannot be read."""
    try:
        value = dataset.get(keyword)
        if isinstance(value, (str, bytes)) or value is None:
            return value or None
        if hasattr(value, "__getitem__") and hasattr(value, "__len__"):
            return value[0] if len(value) else None
        return value
    except Exception:  # pydicom converts on access, and raises what the conversion raises
        return None


def text_of(dataset: Dataset, keyword: str) -> str | None:
    """The element as one printable line of at most 64 characters, or None where nothing is left."""
    value = value_of(dataset, keyword)
    if value is None:
        return None
    line = " ".join("".join(c if c.isprintable() else " " for c in str(value)).split())
    return line[:_LONGEST_TEXT] or None


def number_of(dataset: Dataset, keyword: str) -> float | None:
    """The element as a number, NaN and infinities included, or None."""
    try:
        return float(value_of(dataset, keyword))
    except (TypeError, ValueError, OverflowError):
        return None


def age_years(text: str | None) -> float | None:
    """PatientAge (VR AS, such as `034Y` or `018M`) in years; digits without a unit are years."""
    match = _AGE.fullmatch(text or "")
    return int(match[1]) / _UNITS_A_YEAR[match[2]] if match else None


def facts_of(dataset: Dataset) -> dict[str, Any]:
    """The fields of `Acquisition` that describe patient, view and device.

    No text of the header is among them: numbers, words of `vocabulary`, and pseudonyms only. Whatever stands in a tag
    that should not stand there, such as a name in a description, goes no further.
    """
    maker, model = text_of(dataset, "Manufacturer"), text_of(dataset, "ManufacturerModelName")
    sex = text_of(dataset, "PatientSex")
    return {
        "patient_id": pseudonym("patient", text_of(dataset, "PatientID")),
        "view": view_in(text_of(dataset, "ViewPosition")) or view_in(_meaning(dataset, "ViewCodeSequence")),
        "modality": modality_of(text_of(dataset, "Modality"), text_of(dataset, "SOPClassUID")),
        "machine": _machine(maker, model),
        "age_years": age_years(text_of(dataset, "PatientAge")),
        "sex": sex if sex in ("F", "M", "O") else None,
        "body_part": _body_part(dataset),
    }


def pseudonym(kind: str, text: str | None) -> str | None:
    """A word for a text that tells equal texts from others and does not show them; None for None.

    It is no anonymisation: whoever has a list of ids can find out which of them is meant.
    """
    if text is None:
        return None
    return f"{kind}-{hashlib.sha256(f'hilum {kind} {text}'.encode(errors='replace')).hexdigest()[:12]}"


def _machine(maker: str | None, model: str | None) -> str | None:
    device = pseudonym("device", " ".join(filter(None, (maker, model))) or None)
    return " ".join(filter(None, (maker_in(maker), device))) or None


def _body_part(dataset: Dataset) -> str | None:
    """What the header says is shown; `chest` where that is named at all, else by its own tag, else by descriptions."""
    own = parts_in([text_of(dataset, "BodyPartExamined"), _meaning(dataset, "AnatomicRegionSequence")])
    parts = own or parts_in(text_of(dataset, keyword) for keyword in _DESCRIPTIONS)
    return "chest" if "chest" in parts else min(parts, default=None)


def _meaning(dataset: Dataset, keyword: str) -> str | None:
    """The meaning of the first code of a sequence."""
    code = value_of(dataset, keyword)
    return text_of(code, "CodeMeaning") if hasattr(code, "get") else None
