"""What an answer takes from the header of the image that it answers: the patient, the study, the reference.

This is the one place where a patient's data are read, and they go into the answer and nowhere else: not into messages,
logs or names of files.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from pydicom import Dataset, config
from pydicom.datadict import dictionary_VR
from pydicom.uid import UID
from pydicom.valuerep import validate_value

from hilum.errors import ImageRejected
from hilum.images.boundary import silence_libraries, typed_errors
from hilum.images.dicom_file import read_header
from hilum.images.request import Request
from hilum.serving.dicom_out.model import MAKER

UNFILEABLE, OWN = "no-study", "own-answer"
"""Codes: a header without the UIDs that an answer is filed under; an object that hilum made itself."""

PATIENT = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex")
STUDY = ("StudyDate", "StudyTime", "ReferringPhysicianName", "StudyID", "AccessionNumber")
_OPTIONAL = ("IssuerOfPatientID", "PatientAge", "StudyDescription", "BodyPartExamined", "BurnedInAnnotation")
_UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")
_IMAGE = ("Modality", "InstanceNumber", "Rows", "Columns")
_LISTS = ("PatientOrientation", "ImagerPixelSpacing")
_LOSSY = ("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod")
_MOMENTS = (("ContentDate", "ContentTime"), ("AcquisitionDate", "AcquisitionTime"), ("StudyDate", "StudyTime"))
_READ = (
    *("SpecificCharacterSet", "Manufacturer", *PATIENT, *STUDY, *_OPTIONAL, *_UIDS, *_IMAGE, *_LISTS, *_LOSSY),
    *(keyword for pair in _MOMENTS for keyword in pair),
)
_NO_DATE, _NO_TIME = "19000101", "000000"
_TIME = re.compile(r"([01]\d|2[0-3])([0-5]\d([0-5]\d(\.\d{1,6})?)?)?")
_LIST_LENGTH = 2


def answer_header(data: bytes, name: str = "") -> Dataset:
    """The elements that an answer repeats or refers to, each valid by the standard; others are left out.

    Elements of type 2 in the modules Patient and General Study are there, empty where the image has none.

    Args:
        data: a DICOM file that a decoder accepted.
        name: of the file, for the message.

    Returns:
        A data set in UTF-8 with the patient, the study, the image's own UIDs, and `ContentDate` and `ContentTime`.

    Raises:
        ImageRejected: `no-study` without valid UIDs, `own-answer` for what hilum itself wrote, or as `read_image`.
    """
    silence_libraries()
    with typed_errors(name or "DICOM image"):
        found = read_header(data, Request(name), _READ)
        header = _valid_parts(found)
        if _text(found, "Manufacturer") == MAKER:
            raise ImageRejected(OWN, name or "DICOM image", expected="an X-ray", found="an answer of hilum itself")
    missing = [keyword for keyword in _UIDS if keyword not in header]
    if missing:
        raise ImageRejected(
            UNFILEABLE,
            name or "DICOM image",
            expected="the UIDs of image, series and study",
            found=f"no valid {', '.join(missing)}",
            way_out="Without them an answer cannot be filed beside the image.",
        )
    return header


def _valid_parts(found: Dataset) -> Dataset:
    header = Dataset()
    header.SpecificCharacterSet = "ISO_IR 192"
    for keyword in (*PATIENT, *STUDY):
        setattr(header, keyword, _valid(found, keyword) or "")
    for keyword in (*_OPTIONAL, *_UIDS, *_IMAGE, *_LOSSY):
        value = _valid(found, keyword)
        if value is not None:
            setattr(header, keyword, value)
    for keyword in _LISTS:
        values = _valid_list(found, keyword)
        if values:
            setattr(header, keyword, values)
    if header.PatientSex not in ("M", "F", "O"):
        header.PatientSex = ""
    if header.get("BurnedInAnnotation") not in ("YES", "NO"):
        header.pop("BurnedInAnnotation", None)
    header.ContentDate, header.ContentTime = _moment(found)
    return header


def _moment(found: Dataset) -> tuple[str, str]:
    """When the image was made, as far as it says so: an answer has no clock of its own, see `docs/dicom.md`."""
    for date, time in _MOMENTS:
        day = _valid(found, date)
        if day:
            return day, _valid(found, time) or _NO_TIME
    return _NO_DATE, _NO_TIME


def _valid(found: Dataset, keyword: str) -> Any:
    """The first value of an element if the standard allows it, else None."""
    text, vr = _text(found, keyword), dictionary_VR(keyword)
    if not text or not _is_valid(vr, text):
        return None
    return int(text) if vr in ("US", "IS") else text


def _valid_list(found: Dataset, keyword: str) -> list[str]:
    try:
        texts = [str(each) for each in found[keyword].value]
    except Exception:  # absent, no list, or not to be converted
        return []
    vr = dictionary_VR(keyword)
    return texts if len(texts) == _LIST_LENGTH and all(text and _is_valid(vr, text) for text in texts) else []


def _text(found: Dataset, keyword: str) -> str | None:
    try:
        value = found[keyword].value
        if isinstance(value, (list, tuple)) or type(value).__name__ == "MultiValue":
            value = value[0]
        return None if value is None else str(value).strip(" \0")
    except Exception:  # pydicom converts on access, and raises what the conversion raises
        return None


def _is_valid(vr: str, text: str) -> bool:
    if not text.isprintable() or "\ufffd" in text or ("\\" in text):
        return False
    if vr == "UI":
        return UID(text).is_valid and len(text) <= 64
    if vr == "DA":
        return _is_date(text)
    if vr == "TM":
        return bool(_TIME.fullmatch(text))
    if vr == "US":
        return text.isdigit() and int(text) < 1 << 16
    if vr == "PN" and len(text.split("=")) > 3:
        return False
    try:
        validate_value(vr, text, config.RAISE)
    except ValueError:
        return False
    return True


def _is_date(text: str) -> bool:
    try:
        return len(text) == 8 and text.isascii() and bool(datetime.strptime(text, "%Y%m%d"))
    except ValueError:
        return False
