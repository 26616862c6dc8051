"""The heat map as a Secondary Capture Image (PS3.3 section A.8.1), in the study of the X-ray."""

from __future__ import annotations

import numpy as np
from pydicom import Dataset
from pydicom.uid import SecondaryCaptureImageStorage

from hilum.serving.dicom_out.header import PATIENT, STUDY
from hilum.serving.dicom_out.model import MAKER, NOTICE, ModelFacts
from hilum.serving.dicom_out.uids import derive_uid
from hilum.serving.prediction import NOT_FOR

SERIES_NUMBER = 9001
SERIES = f"{NOTICE}: heat map"
_COPIED = ("IssuerOfPatientID", "PatientAge", "StudyDescription", "BodyPartExamined", "BurnedInAnnotation")
_LOSSY = ("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod")


def make_capture(header: Dataset, pixels: np.ndarray, model: ModelFacts, says: str) -> Dataset:
    """A heat map as a data set that an archive can file.

    BurnedInAnnotation means text that tells who the patient is (PS3.3 section C.7.6.1.1.1); the text that hilum draws
    does not, so the element is that of the X-ray, and absent where the X-ray does not say.

    Args:
        header: of `answer_header`.
        pixels: RGB uint8 `[H, W, 3]`.
        says: the answer in words.
    """
    capture = Dataset()
    capture.SpecificCharacterSet = "ISO_IR 192"
    _copy_patient_and_study(capture, header)
    _describe_series(capture, header, model)
    capture.SOPClassUID = SecondaryCaptureImageStorage
    capture.SOPInstanceUID = derive_uid("heat map", header.SOPInstanceUID, model.sha256)
    capture.InstanceNumber = header.get("InstanceNumber", 1)
    capture.ContentDate, capture.ContentTime = header.ContentDate, header.ContentTime
    capture.ImageType = ["DERIVED", "SECONDARY"]
    capture.PatientOrientation = header.get("PatientOrientation", "")
    capture.ImageComments = f"{NOTICE}. {says}. {NOT_FOR}"
    capture.DerivationDescription = f"Heat map of {model.name} ({model.version}) over the X-ray"
    capture.SourceImageSequence = [_source(header)]
    capture.ContributingEquipmentSequence = [_equipment(model)]
    for keyword in _LOSSY:
        if header.get("LossyImageCompression") == "01" and keyword in header:
            capture[keyword] = header[keyword]
    _describe_pixels(capture, pixels)
    return capture


def _copy_patient_and_study(capture: Dataset, header: Dataset) -> None:
    for keyword in (*PATIENT, *STUDY, *_COPIED):
        if keyword in header:
            capture[keyword] = header[keyword]
    capture.StudyInstanceUID = header.StudyInstanceUID
    if "BodyPartExamined" not in header:
        capture.Laterality = ""  # type 2C: the part might be one of two, as far as the header says


def _describe_series(capture: Dataset, header: Dataset, model: ModelFacts) -> None:
    capture.Modality = "OT"
    capture.ConversionType = "WSD"
    capture.SeriesInstanceUID = derive_uid("heat map series", header.StudyInstanceUID, model.sha256)
    capture.SeriesNumber, capture.SeriesDescription = SERIES_NUMBER, SERIES
    capture.Manufacturer, capture.ManufacturerModelName = MAKER, model.name[:64]
    capture.SoftwareVersions = model.software


def _source(header: Dataset) -> Dataset:
    source = Dataset()
    source.ReferencedSOPClassUID, source.ReferencedSOPInstanceUID = header.SOPClassUID, header.SOPInstanceUID
    source.PurposeOfReferenceCodeSequence = [_code("121322", "Source image for image processing operation")]
    return source


def _equipment(model: ModelFacts) -> Dataset:
    equipment = Dataset()
    equipment.PurposeOfReferenceCodeSequence = [_code("109102", "Processing Equipment")]
    equipment.Manufacturer, equipment.ManufacturerModelName = MAKER, model.name[:64]
    equipment.SoftwareVersions = model.software
    equipment.ContributionDescription = NOTICE
    return equipment


def _code(value: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, "DCM", meaning
    return code


def _describe_pixels(capture: Dataset, pixels: np.ndarray) -> None:
    capture.Rows, capture.Columns = pixels.shape[:2]
    capture.SamplesPerPixel, capture.PhotometricInterpretation, capture.PlanarConfiguration = 3, "RGB", 0
    capture.BitsAllocated = capture.BitsStored = 8
    capture.HighBit, capture.PixelRepresentation = 7, 0
    data = np.ascontiguousarray(pixels).tobytes()
    capture.PixelData = data + b"\0" * (len(data) % 2)
    capture["PixelData"].VR = "OB"
