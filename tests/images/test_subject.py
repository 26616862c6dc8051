import numpy as np
import pytest
from pydicom import Dataset
from pydicom.sequence import Sequence

from hilum.images import objection, read_image
from hilum.images.vocabulary import parts_in, view_in


@pytest.fixture(scope="module")
def picture(chest) -> np.ndarray:
    return chest


def _code(data: bytes) -> str:
    error = objection(read_image(data).acquisition, "x.dcm")
    if error is None:
        return "ok"
    assert str(error).startswith("x.dcm: expected ")
    return error.code


@pytest.mark.parametrize(
    ("elements", "code"),
    [
        ({}, "ok"),
        ({"Modality": "DX", "BodyPartExamined": "CHEST", "ViewPosition": "PA"}, "ok"),
        ({"Modality": "CR", "BodyPartExamined": "THORAX", "ViewPosition": "AP"}, "ok"),
        ({"Modality": "OT", "SeriesDescription": "W033 Torax a.p."}, "ok"),
        ({"BodyPartExamined": "", "StudyDescription": "CHEST and left SHOULDER"}, "ok"),
        ({"Modality": "CT", "BodyPartExamined": "CHEST"}, "modality"),
        ({"Modality": "MR"}, "modality"),
        ({"Modality": "US"}, "modality"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2"}, "modality"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2.1"}, "modality"),
        ({"Modality": "DX", "BodyPartExamined": "HAND"}, "body-part"),
        ({"Modality": "DX", "BodyPartExamined": "LSPINE"}, "body-part"),
        ({"Modality": "DX", "SeriesDescription": "Knie links"}, "body-part"),
        ({"Modality": "DX", "BodyPartExamined": "CHEST", "ViewPosition": "LL"}, "lateral"),
        ({"Modality": "DX", "ViewPosition": "LATERAL"}, "lateral"),
        ({"Modality": "DX", "ViewPosition": "RLD"}, "ok"),
        ({"Modality": "DX", "BodyPartExamined": "nonsense", "ViewPosition": "nonsense"}, "ok"),
    ],
)
def test_what_the_tags_say_against_a_picture(picture, dicom_of, elements, code):
    assert _code(dicom_of(picture, **elements)) == code


def test_codes_of_view_and_region_are_read_too(picture, dataset_of, dicom_of):
    def coded(meaning: str) -> Sequence:
        item = Dataset()
        item.CodeMeaning = meaning
        return Sequence([item])

    assert _code(dicom_of(picture, ViewCodeSequence=coded("left lateral"))) == "lateral"
    assert _code(dicom_of(picture, ViewCodeSequence=coded("postero-anterior"))) == "ok"
    assert _code(dicom_of(picture, AnatomicRegionSequence=coded("Knee"))) == "body-part"


def test_a_jpeg_has_no_tags_to_object_to(picture, saved):
    assert _code(saved(picture, "JPEG")) == "ok"


@pytest.mark.parametrize(
    ("text", "view"),
    [
        ("pa", "PA"),
        ("AP_AXIAL", "AP"),
        ("antero-posterior", "AP"),
        ("lat.", "LATERAL"),
        ("LLD", "DECUBITUS"),
        ("x", None),
    ],
)
def test_words_for_views(text, view):
    assert view_in(text) == view


def test_words_for_parts_are_whole_words_without_accents():
    assert parts_in(["Poumon", None, "Schädel"]) == {"chest", "head"} or parts_in(["Poumon"]) == {"chest"}
    assert parts_in(["handling of a legend"]) == set()
