"""A word planted in every text tag of drawn DICOM files is looked for in all that hilum writes and says about them."""

import io
import subprocess
import sys
import warnings
from pathlib import Path

import pandas as pd
import pydicom
import pytest
from pydicom.datadict import DicomDictionary
from pydicom.uid import JPEGLSLossless, RLELossless

WORD = "ZQPLANTEDQZ"
TEXTS = ("LO", "SH", "PN", "LT", "ST", "UT", "UC", "CS", "AE")
NEEDED = ("PhotometricInterpretation", "PatientSex")
"""Without the first nothing would be read; the second shows that facts still come through."""


def _planted(path: Path, number: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the word is no value that these elements may have
        dataset = pydicom.dcmread(path)
        patient = dataset.PatientID
        for tag, (vr, _, _, _, keyword) in DicomDictionary.items():
            if vr in TEXTS and keyword and keyword not in NEEDED and 0x00080006 < tag < 0x00500000:
                dataset.add_new(tag, vr, WORD)
        dataset.PatientID = f"{WORD} {patient}"
        if number % 3 == 0:
            dataset.compress((RLELossless, JPEGLSLossless)[number // 3 % 2])
        buffer = io.BytesIO()
        dataset.save_as(buffer)
    path.write_bytes(buffer.getvalue())


def _hilum(*words: str, folder: Path) -> str:
    call = [sys.executable, "-m", "hilum", *words]
    done = subprocess.run(call, cwd=folder, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode in (0, 3), done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> tuple[Path, dict[str, str]]:
    """The folder in which commands worked on planted files, and what each of them said."""
    pytest.importorskip("jpeg_ls", reason="the codecs of hilum[dicom] are not installed")
    folder = tmp_path_factory.mktemp("planted")
    _hilum("draw", "data", "--images", "60", "--size", "64", "--format", "dicom", folder=folder)
    (folder / "data" / "truth.csv").unlink()
    for number, path in enumerate(sorted((folder / "data").rglob("*.dcm"))):
        _planted(path, number)
    broken = next((folder / "data").rglob("*.dcm"))
    broken.with_name("broken.dcm").write_bytes(broken.read_bytes()[:-3000])
    said = {
        "study": _hilum(
            *("study", "data", "--recipes", "scratch-cnn", "--quick", "--out", "study", "--time-budget", "10m"),
            folder=folder,
        )
    }
    model = next((folder / "study").rglob("model.safetensors"))
    if "predict" in _hilum("--help", folder=folder):
        said["predict"] = _hilum("predict", str(model), "data", "--json", folder=folder)
        said["predict --out"] = _hilum("predict", str(model), "data", "--out", "predicted.csv", folder=folder)
    return folder, said


def _content(path: Path) -> str:
    if path.suffix == ".parquet":
        return pd.read_parquet(path).to_csv()
    return path.read_bytes().decode("latin-1")


def test_no_output_has_the_word(written):
    folder, said = written
    for command, words in said.items():
        assert WORD.lower() not in words.lower(), command
    files = [path for path in folder.rglob("*") if path.is_file() and "data" not in path.relative_to(folder).parts[:1]]
    assert {"report.html", "manifest.parquet", "quarantine.csv", "model.safetensors"} <= {path.name for path in files}
    for path in files:
        assert WORD.lower() not in path.name.lower()
        assert WORD.lower() not in _content(path).lower(), path.relative_to(folder)


def test_patients_are_still_told_apart(written):
    folder, _ = written
    table = pd.read_parquet(folder / "study" / "manifest.parquet")
    drawn = table["image_path"].str.extract(r"(p\d+)_")[0]
    assert (table.groupby(drawn)["patient_id"].nunique() == 1).all()
    assert table["patient_id"].nunique() == drawn.nunique()
    assert table["patient_id"].str.fullmatch(r"patient-[0-9a-f]{12}").all()
    assert set(table["sex"]) == {"F", "M"}
