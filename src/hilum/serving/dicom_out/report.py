"""The answer as a structured report: TID 1500, Measurement Report (PS3.16), in the study of the X-ray."""

from __future__ import annotations

import hashlib
import logging
from typing import Any

from highdicom.coding_schemes import CodingSchemeIdentificationItem
from highdicom.sr import (
    AlgorithmIdentification,
    CodedConcept,
    ComprehensiveSR,
    DeviceObserverIdentifyingAttributes,
    Measurement,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    QualitativeEvaluation,
    RelationshipTypeValues,
    SourceImageForMeasurementGroup,
    TextContentItem,
    TrackingIdentifier,
)
from pydicom import Dataset
from pydicom.sr.codedict import codes

from hilum.serving.dicom_out.model import MAKER, NOTICE, ModelFacts
from hilum.serving.dicom_out.uids import derive_uid
from hilum.serving.prediction import NOT_FOR, Prediction

SERIES_NUMBER = 9002
SERIES = f"{NOTICE}: report"
SCHEME = "99HILUM"
"""Coding scheme of the names that a model's maker chose, such as those of its classes."""
DIGITS = 6
_LIBRARY_NEEDS = ("Modality", "Rows", "Columns", "PatientOrientation", "ImagerPixelSpacing")


def make_report(header: Dataset, prediction: Prediction, model: ModelFacts) -> Dataset:
    """A report with every class's probability, the most probable class, and what was decided at operating points.

    Args:
        header: of `answer_header`.
        prediction: what the model said of the image.
    """
    for library in ("highdicom", "highdicom.base"):  # its warnings repeat names of patients
        logging.getLogger(library).setLevel(logging.CRITICAL)
    evidence = _evidence(header)
    content = MeasurementReport(
        observation_context=_observer(model),
        procedure_reported=codes.SCT.ChestImaging,
        imaging_measurements=[_group(header, prediction, model)],
        title=codes.DCM.ImagingMeasurementReport,
        referenced_images=[evidence] if all(keyword in header for keyword in _LIBRARY_NEEDS) else None,
    )
    comment = f"{NOTICE}. {NOT_FOR}"
    content[0].ContentSequence.append(_comment(comment))
    report = ComprehensiveSR(
        evidence=[evidence],
        content=content[0],
        series_instance_uid=derive_uid("report series", header.StudyInstanceUID, model.sha256),
        series_number=SERIES_NUMBER,
        sop_instance_uid=derive_uid("report", header.SOPInstanceUID, model.sha256),
        instance_number=max(1, header.get("InstanceNumber", 1)),  # highdicom wants it positive
        manufacturer=MAKER,
        manufacturer_model_name=model.name[:64],
        software_versions=tuple(model.software),
        series_description=SERIES,
        is_complete=True,
        is_final=False,
        is_verified=False,
        content_date=header.ContentDate,
        content_time=header.ContentTime,
        specific_character_set="ISO_IR 192",
        coding_schemes=[CodingSchemeIdentificationItem(SCHEME, name="hilum", responsible_organization="hilum")],
    )
    report.InstanceCreationDate, report.InstanceCreationTime = header.ContentDate, header.ContentTime
    for equipment in report.get("ContributingEquipmentSequence", ()):
        equipment.pop("ContributionDateTime", None)  # that of the calculation
    return report


def _evidence(header: Dataset) -> Dataset:
    """The header as highdicom wants it: no empty text where it expects a date, and a modality."""
    evidence = Dataset()
    evidence.update(header)
    for keyword in ("StudyDate", "StudyTime", "PatientBirthDate"):
        if not evidence.get(keyword):
            setattr(evidence, keyword, None)
    return evidence


def _observer(model: ModelFacts) -> ObservationContext:
    device = DeviceObserverIdentifyingAttributes(
        uid=derive_uid("device", model.sha256),
        name=NOTICE,
        manufacturer_name=MAKER,
        model_name=model.name,
        serial_number=model.sha256,
    )
    return ObservationContext(
        observer_device_context=ObserverContext(observer_type=codes.DCM.Device, observer_identifying_attributes=device)
    )


def _group(header: Dataset, prediction: Prediction, model: ModelFacts) -> MeasurementsAndQualitativeEvaluations:
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(
            uid=derive_uid("prediction", header.SOPInstanceUID, model.sha256),
            identifier="prediction of the whole image",
        ),
        algorithm_id=AlgorithmIdentification(
            name=f"hilum {model.name}", version=model.version, parameters=list(model.parameters)
        ),
        measurements=[_probability(label, value) for label, value in prediction.probs.items()],
        qualitative_evaluations=_evaluations(prediction),
        source_images=[SourceImageForMeasurementGroup(header.SOPClassUID, header.SOPInstanceUID)],
    )


def _probability(label: str, value: float) -> Measurement:
    return Measurement(name=own_code(f"Probability of {label}"), value=round(value, DIGITS), unit=codes.UCUM.NoUnits)


def _evaluations(prediction: Prediction) -> list[QualitativeEvaluation]:
    """The most probable class, each operating point, each warning, and that nobody has verified it."""
    found = [
        QualitativeEvaluation(own_code("Status of this result"), own_code(NOTICE)),
        QualitativeEvaluation(own_code("Most probable class"), own_code(prediction.label)),
    ]
    for each in prediction.decisions:
        name = own_code(f"{each.label} reaches operating point {each.point}")
        found.append(QualitativeEvaluation(name, codes.SCT.Yes if each.called else codes.SCT.No))
    found.extend(QualitativeEvaluation(own_code("Image warning"), own_code(code)) for code in prediction.warnings)
    return found


def own_code(meaning: str) -> CodedConcept:
    """A code for words of our own: the same words have the same value, of 16 characters at most (VR SH)."""
    words = " ".join("".join(c if c.isprintable() and c != "\\" else " " for c in meaning).split())
    value = f"H{hashlib.sha256(words.encode('utf-8', 'replace')).hexdigest()[:12].upper()}"
    return CodedConcept(value=value, scheme_designator=SCHEME, meaning=words[:64] or "-")


def _comment(text: str) -> Any:
    return TextContentItem(name=codes.DCM.Comment, value=text, relationship_type=RelationshipTypeValues.CONTAINS)
