"""What goes back for one image: valid by another tool's judgement, the same each time, the patient in nothing else."""

import shutil
import subprocess
from io import BytesIO

import numpy as np
import pytest
from pydicom import dcmread

from hilum.errors import ImageRejected
from hilum.serving.dicom_out.header import answer_header
from hilum.serving.dicom_out.model import NOTICE

needs_validator = pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="needs dicom3tools")


def errors_of(path) -> list:
    found = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, errors="replace", timeout=60)
    return [line for line in (found.stdout + found.stderr).splitlines() if line.startswith(("Error", "Abort"))]


def items(sequence, kind: str):
    """All content items of a value type, however deep."""
    for item in sequence:
        if item.ValueType == kind:
            yield item
        yield from items(item.get("ContentSequence", ()), kind)


ODD = {
    "plain": {},
    "nothing but what must be": dict.fromkeys(
        ("PatientAge", "BodyPartExamined", "ContentDate", "ContentTime", "AcquisitionDate", "AcquisitionTime",
         "StudyDate", "StudyTime", "PatientBirthDate", "PatientSex", "ReferringPhysicianName", "AccessionNumber",
         "InstanceNumber", "ImagerPixelSpacing", "PatientOrientation", "BurnedInAnnotation", "StudyID",
         "PatientName", "PatientID")
    ),
    "names of the world": {"SpecificCharacterSet": "ISO_IR 192", "PatientName": "Müller^Jürgen=山田^太郎"},
    "latin": {"SpecificCharacterSet": "ISO_IR 100", "PatientName": "Müller^Jürgen"},
    "lossy": {"LossyImageCompression": "01", "LossyImageCompressionRatio": "12.5",
              "LossyImageCompressionMethod": "ISO_10918_1"},
    "a CR without spacing": {"Modality": "CR", "ImagerPixelSpacing": None},
    "dated": {"PatientBirthDate": "19800229", "StudyTime": "235959.999999", "AccessionNumber": "A-77"},
}  # fmt: skip


@needs_validator
@pytest.mark.parametrize("name", ODD)
def test_both_objects_are_valid(name, dicom, answer, tmp_path):
    written = answer(dicom(1, **ODD[name])).write(tmp_path)
    assert [path.name[32:] for path in written] == ["-heatmap.dcm", "-report.dcm"]
    assert [errors_of(path) for path in written] == [[], []]


@needs_validator
def test_the_validator_finds_what_is_missing(dicom, answer, tmp_path):
    made = answer(dicom(1))
    del made.capture.ConversionType
    assert errors_of(made.write(tmp_path)[0])


def test_the_heat_map_is_filed_beside_the_image_and_says_what_it_is(dicom, answer):
    source, made = dcmread(BytesIO(dicom(2))), answer(dicom(2)).capture
    assert made.StudyInstanceUID == source.StudyInstanceUID and made.PatientID == source.PatientID == "P-2"
    assert made.SeriesInstanceUID != source.SeriesInstanceUID
    assert list(made.ImageType) == ["DERIVED", "SECONDARY"]
    assert made.SourceImageSequence[0].ReferencedSOPInstanceUID == source.SOPInstanceUID
    assert NOTICE in made.ImageComments and NOTICE in made.SeriesDescription and made.Manufacturer == "hilum"
    pixels = np.frombuffer(made.PixelData, np.uint8)[: made.Rows * made.Columns * 3].reshape(made.Rows, made.Columns, 3)
    assert (pixels[: pixels.shape[0] // 20] > 200).any()  # white letters above the picture
    assert (pixels.max(axis=2).astype(int) - pixels.min(axis=2)).max() > 60  # colour over the grey


@pytest.mark.parametrize(("said", "found"), [("YES", "YES"), ("NO", "NO"), (None, None), ("PERHAPS", None)])
def test_the_burned_in_flag_is_that_of_the_x_ray(said, found, dicom, answer):
    assert answer(dicom(1, BurnedInAnnotation=said)).capture.get("BurnedInAnnotation") == found


def test_the_report_holds_the_prediction(dicom, answer, predictor):
    data = dicom(3)
    found, report = predictor.predict(data), answer(data).report
    assert report.VerificationFlag == "UNVERIFIED" and report.PreliminaryFlag == "PRELIMINARY"
    assert report.ConceptNameCodeSequence[0].CodeValue == "126000"
    assert report.ContentTemplateSequence[0].TemplateIdentifier == "1500"
    numbers = {
        item.ConceptNameCodeSequence[0].CodeMeaning: float(item.MeasuredValueSequence[0].NumericValue)
        for item in items(report.ContentSequence, "NUM")
        if item.ConceptNameCodeSequence[0].CodingSchemeDesignator == "99HILUM"
    }
    assert numbers == {f"Probability of {k}": pytest.approx(v, abs=1e-6) for k, v in found.probs.items()}
    codes = {
        item.ConceptNameCodeSequence[0].CodeMeaning: item.ConceptCodeSequence[0].CodeMeaning
        for item in items(report.ContentSequence, "CODE")
    }
    assert codes["Most probable class"] == found.label and codes["Status of this result"] == NOTICE
    for each in found.decisions:
        assert codes[f"{each.label} reaches operating point {each.point}"] == ("Yes" if each.called else "No")
    texts = " | ".join(str(item.TextValue) for item in items(report.ContentSequence, "TEXT"))
    assert predictor.header.sha256 in texts and "hilum cnn-tiny" in texts and NOTICE in texts
    source = dcmread(BytesIO(data)).SOPInstanceUID
    images = [item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for item in items(report.ContentSequence, "IMAGE")]
    assert images and set(images) == {source}


def test_the_same_image_gives_the_same_bytes_and_another_other_uids(dicom, answer):
    one, again, other = (answer(dicom(number)) for number in (4, 4, 5))
    assert one.files() == again.files() and one.key == again.key
    assert one.capture.SOPInstanceUID != other.capture.SOPInstanceUID and one.key != other.key
    uids = [one.capture.SOPInstanceUID, one.report.SOPInstanceUID, one.capture.SeriesInstanceUID]
    assert len(set(uids)) == 3 and all(uid.is_valid and uid.startswith("2.25.") for uid in uids)


def test_another_model_gives_other_uids():
    from hilum.serving.dicom_out.uids import derive_uid

    made = {derive_uid("report", uid, model) for uid in ("1.2.3", "1.2.4") for model in ("a", "b")}
    assert len(made) == 4 and all(len(uid) <= 64 for uid in made)
    assert derive_uid("a", "bc") != derive_uid("ab", "c")


@pytest.mark.parametrize("keyword", ["StudyInstanceUID", "SeriesInstanceUID"])
@pytest.mark.parametrize("value", [None, "", "1.2.x", "1." + "2" * 70])
@pytest.mark.filterwarnings("ignore:.*VR UI")  # pydicom says so of what the test writes
def test_an_image_without_valid_uids_has_no_answer(keyword, value, dicom):
    with pytest.raises(ImageRejected) as caught:
        answer_header(dicom(1, **{keyword: value}), "some.dcm")
    assert caught.value.code == "no-study" and keyword in str(caught.value)


def test_an_answer_is_not_answered(dicom, answer):
    made = answer(dicom(1)).files()
    with pytest.raises(ImageRejected) as caught:
        answer_header(next(iter(made.values())))
    assert caught.value.code == "own-answer"


def test_no_name_of_a_file_shows_the_patient(dicom, answer, tmp_path):
    for path in answer(dicom(7, PatientName="Secret^Name", PatientID="S-123")).write(tmp_path / "new"):
        assert "secret" not in path.name.lower() and "123-" not in path.name and "S-123" not in path.name


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")  # the test writes what pydicom warns of
def test_invalid_values_are_left_out(dicom):
    from pydicom import config

    config.settings.writing_validation_mode, before = config.IGNORE, config.settings.writing_validation_mode
    try:
        data = dicom(
            1, StudyDate="2020-13-45", StudyTime="9999", PatientSex="X", PatientAge="old", AccessionNumber="a" * 40
        )
    finally:
        config.settings.writing_validation_mode = before
    header = answer_header(data)
    assert (header.StudyDate, header.StudyTime, header.PatientSex, header.AccessionNumber) == ("", "", "", "")
    assert "PatientAge" not in header


def test_a_picture_is_large_enough_for_its_text():
    from hilum.serving.dicom_out.picture import SMALLEST, burned_in

    made = burned_in(np.full((40, 60), 100, np.uint8), np.zeros((40, 60)), "a very long answer " * 10)
    assert made.shape[0] > SMALLEST and made.shape[1] == round(60 * SMALLEST / 40) and made.dtype == np.uint8
