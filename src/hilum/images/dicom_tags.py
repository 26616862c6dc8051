"""Facts out of DICOM tags; every text in them is treated as hostile."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydicom import Dataset

_LONGEST_TEXT = 64
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
    """The fields of `Acquisition` that describe patient, view and device."""
    maker, model = text_of(dataset, "Manufacturer"), text_of(dataset, "ManufacturerModelName")
    sex, view = text_of(dataset, "PatientSex"), text_of(dataset, "ViewPosition")
    return {
        "patient_id": text_of(dataset, "PatientID"),
        "view": view.upper() if view else None,
        "modality": text_of(dataset, "Modality"),
        "machine": " ".join(filter(None, (maker, model))) or None,
        "age_years": age_years(text_of(dataset, "PatientAge")),
        "sex": sex if sex in ("F", "M", "O") else None,
    }
