"""Drawings as DICOM: Digital X-Ray Image Storage, For Presentation, 12 bits, uncompressed."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid

from hilum.data.phantom.patient import Patient

BITS = 12
DARKEST, BRIGHTEST = 160, 3840
"""Stored values of black and white; the window makes them so again."""
VIEWS = {"PA": ("272479007", "postero-anterior"), "AP": ("399348003", "antero-posterior")}
"""SNOMED CT codes of the views (PS3.16 CID 4010)."""


def encode_dicom(
    intensity: np.ndarray, *, patient: Patient, patient_id: str, machine: str, view: str, inverted: bool, key: str
) -> bytes:
    """One DX image.

    Args:
        intensity: `[H, W]` float32 in [0, 1], lungs dark.
        machine: ManufacturerModelName.
        view: ViewPosition, `PA` or `AP`.
        inverted: stores it as MONOCHROME1.
        key: what the UIDs are derived from; the same key gives the same UIDs.
    """
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = DigitalXRayImageStorageForPresentation
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[key, "image"])
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    header.SOPClassUID, header.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    _describe_patient(header, patient, patient_id, key)
    _describe_device(header, machine, view)
    _describe_pixels(header, intensity, inverted)
    file = BytesIO()
    header.save_as(file, enforce_file_format=True)
    return file.getvalue()


def _describe_patient(header: Dataset, patient: Patient, patient_id: str, key: str) -> None:
    header.PatientName, header.PatientID = f"Drawn^{patient_id}", patient_id
    header.PatientBirthDate, header.PatientSex = "", patient.sex
    header.PatientAge = f"{patient.age_years:03d}Y"
    header.StudyInstanceUID = generate_uid(entropy_srcs=[key, "study"])
    header.SeriesInstanceUID = generate_uid(entropy_srcs=[key, "series"])
    header.StudyDate, header.StudyTime = "20000101", "120000"
    header.AccessionNumber = header.ReferringPhysicianName = ""
    header.StudyID = "1"
    header.SeriesNumber = header.InstanceNumber = 1


def _describe_device(header: Dataset, machine: str, view: str) -> None:
    header.Modality, header.PresentationIntentType = "DX", "FOR PRESENTATION"
    header.Manufacturer, header.ManufacturerModelName = "hilum phantom", machine
    header.ImageType = ["DERIVED", "PRIMARY"]
    header.BodyPartExamined, header.ViewPosition = "CHEST", view
    header.ImageLaterality, header.PatientOrientation = "U", ["L", "F"]
    header.DetectorType, header.PositionerType = "", "NONE"
    header.AcquisitionDate = header.ContentDate = "20000101"
    header.AcquisitionTime = header.ContentTime = "120000"
    header.AnatomicRegionSequence = Sequence([_coded("51185008", "Chest")])
    header.ViewCodeSequence = Sequence([_coded(*VIEWS[view])])
    header.AcquisitionContextSequence = Sequence([])


def _coded(value: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, "SCT", meaning
    return code


def _describe_pixels(header: Dataset, intensity: np.ndarray, inverted: bool) -> None:
    stored = np.rint(DARKEST + intensity * np.float32(BRIGHTEST - DARKEST)).astype("<u2")
    if inverted:
        stored = ((1 << BITS) - 1 - stored).astype("<u2")
    low, high = ((1 << BITS) - 1 - BRIGHTEST, (1 << BITS) - 1 - DARKEST) if inverted else (DARKEST, BRIGHTEST)
    header.PhotometricInterpretation = "MONOCHROME1" if inverted else "MONOCHROME2"
    header.PresentationLUTShape = "INVERSE" if inverted else "IDENTITY"
    header.SamplesPerPixel, header.PixelRepresentation = 1, 0
    header.Rows, header.Columns = stored.shape
    header.BitsAllocated, header.BitsStored, header.HighBit = 16, BITS, BITS - 1
    spacing = f"{430 / max(stored.shape):.4f}"
    header.ImagerPixelSpacing = [spacing, spacing]
    header.PixelIntensityRelationship, header.PixelIntensityRelationshipSign = "LOG", -1 if inverted else 1
    header.RescaleIntercept, header.RescaleSlope, header.RescaleType = "0", "1", "US"
    # PS3.3 C.11.2.1.2: the linear window shows center - width / 2 as black and center + width / 2 - 1 as white.
    header.WindowWidth = str(high - low + 1)
    header.WindowCenter = str(low + (high - low + 1) / 2)
    header.BurnedInAnnotation, header.LossyImageCompression = "YES", "00"
    header.set_pixel_data(stored, header.PhotometricInterpretation, BITS, generate_instance_uid=False)
