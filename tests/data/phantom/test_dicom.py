"""Drawn DICOM files, read by pydicom as anyone would."""

import shutil
import subprocess

import numpy as np
import pandas as pd
import pydicom
import pytest
from pydicom.pixels import apply_voi_lut

from hilum.data.phantom import MACHINES, Faults, draw_dataset, draw_patient, write_dataset


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    data = draw_dataset(images=30, size=96, images_per_patient=2.0, faults=Faults(duplicates=0.2))
    root = write_dataset(data, tmp_path_factory.mktemp("dicom") / "out", format="dicom")
    rows = pd.read_csv(root / "truth.csv", keep_default_na=False)
    return data, rows, [pydicom.dcmread(root / path) for path in rows["image_path"]]


def test_the_window_shows_the_drawing_lungs_dark(drawn):
    data, _, headers = drawn
    for index, header in enumerate(headers):
        shown = apply_voi_lut(header.pixel_array, header)
        span = 2**header.BitsStored - 1
        intensity = np.asarray(shown, float) / span
        if header.PhotometricInterpretation == "MONOCHROME1":
            intensity = 1 - intensity
        assert np.abs(intensity - data[index].intensity).max() < 0.001


def test_one_machine_stores_monochrome1_and_all_store_twelve_bits(drawn):
    _, rows, headers = drawn
    inverted = {machine.name for machine in MACHINES if machine.inverted}
    kinds = set()
    for name, header in zip(rows["machine"], headers, strict=True):
        kinds.add(header.PhotometricInterpretation)
        assert (header.PhotometricInterpretation == "MONOCHROME1") == (name in inverted)
        assert (header.BitsAllocated, header.BitsStored, header.HighBit) == (16, 12, 11)
        assert header.pixel_array.max() < 4096
    assert kinds == {"MONOCHROME1", "MONOCHROME2"}


def test_the_header_names_patient_view_and_machine(drawn):
    _, rows, headers = drawn
    originals = rows[rows["copy_of"] == ""]
    for (_, row), header in zip(originals.iterrows(), headers, strict=False):
        patient = draw_patient(row["patient_seed"])
        assert header.PatientID == row["patient_id"]
        assert (header.ViewPosition, header.ManufacturerModelName) == (row["view"], row["machine"])
        assert (header.PatientAge, header.PatientSex) == (f"{patient.age_years:03d}Y", patient.sex)
        assert (header.Modality, header.Rows, header.Columns) == ("DX", row["height"], row["width"])


def test_every_picture_has_its_own_uid_and_a_copy_has_that_of_its_original(drawn):
    _, rows, headers = drawn
    uid = dict(zip(rows["name"], (header.SOPInstanceUID for header in headers), strict=True))
    copies = rows[rows["copy_of"] != ""]
    assert len(copies) and all(uid[row["name"]] == uid[row["copy_of"]] for _, row in copies.iterrows())
    assert len(set(uid.values())) == len(rows) - len(copies)


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="needs dicom3tools")
def test_a_validator_of_the_standard_has_nothing_to_say(drawn, tmp_path):
    _, rows, headers = drawn
    first = [headers[index] for index in rows.groupby(["machine", "view"]).head(1).index]
    assert {header.ViewPosition for header in first} == {"PA", "AP"}
    for number, header in enumerate(first):
        path = tmp_path / f"{number}.dcm"
        header.save_as(path)
        found = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, timeout=60)
        lines = (found.stdout + found.stderr).splitlines()
        assert [line for line in lines if line.startswith(("Error", "Warning", "Abort"))] == []


def test_the_coded_view_is_the_view(drawn):
    _, _, headers = drawn
    words = {"PA": ("272479007", "postero-anterior"), "AP": ("399348003", "antero-posterior")}  # PS3.16 CID 4010
    for header in headers:
        (code,) = header.ViewCodeSequence
        assert (code.CodeValue, code.CodeMeaning) == words[header.ViewPosition]
