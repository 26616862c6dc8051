"""A server with a small model, in this process and in one of its own."""

import contextlib
import json
import subprocess
import sys
from io import BytesIO

import numpy as np
import pytest
from starlette.testclient import TestClient

pytest.importorskip("fastapi", reason="needs the packages of the extra serve")

from hilum.data.phantom import draw_dataset
from hilum.serving.app import create_app
from hilum.serving.http.served import load_models
from hilum.serving.http.settings import Settings

BASE = "http://127.0.0.1:8000"


@pytest.fixture(scope="session")
def predictors(model_file):
    return load_models([model_file], engine="torch")


@pytest.fixture
def make_client(predictors):
    """A client of an application with these bounds; drained at the end."""
    with contextlib.ExitStack() as stack:

        def make(indexes=None, models=None, **bounds):
            app, room = create_app(models or predictors, Settings(**{"workers": 1, **bounds}), indexes=indexes)
            client = stack.enter_context(TestClient(app, base_url=BASE, raise_server_exceptions=False))
            client.room = room
            return client

        yield make


@pytest.fixture
def client(make_client):
    return make_client()


@pytest.fixture(scope="session")
def xrays(pictures):
    """The bytes of ten drawn X-rays."""
    return [(pictures / f"{number:02}.png").read_bytes() for number in range(10)]


@pytest.fixture(scope="session")
def wide_xray():
    """A drawn X-ray of 16 bits, higher than wide."""
    drawn = draw_dataset(images=1, size=128)[0].intensity
    return np.round(65535 * drawn[:, 20:108]).astype(np.uint16)


@pytest.fixture
def serve(model_file):
    """Starts `hilum serve` as its users do; ended at the end."""
    with contextlib.ExitStack() as stack:

        def start(*options, model=model_file, env=None):
            command = [sys.executable, "-m", "hilum", "serve", str(model), "--port", "0", "--json", *options]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
            stack.callback(_end, process)
            line = process.stdout.readline()
            assert line, process.stderr.read()
            process.address = json.loads(line)["address"]
            return process

        yield start


@pytest.fixture(scope="session")
def module_server(model_file):
    """The address of a server for the page's tests."""
    command = [sys.executable, "-m", "hilum", "serve", str(model_file), "--port", "0", "--json", "--workers", "1"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield json.loads(process.stdout.readline())["address"]
    finally:
        _end(process)


@pytest.fixture(scope="session")
def make_dicom():
    """Bytes of a DICOM file with these tags."""
    dicom = pytest.importorskip("pydicom")

    def make(**tags):
        return dicom_file(dicom, **tags)

    return make


@pytest.fixture(scope="session")
def strange_hand(make_dicom, tmp_path_factory):
    """A DICOM file whose header says that it shows a hand."""
    path = tmp_path_factory.mktemp("hand") / "hand.dcm"
    path.write_bytes(make_dicom(BodyPartExamined="HAND", Modality="DX"))
    return path


def dicom_file(dicom, **tags):
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    pixels = np.random.default_rng(0).integers(0, 4096, (64, 64)).astype(np.uint16)
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=["x"])
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset.SamplesPerPixel, dataset.PixelRepresentation = 1, 0
    dataset.PhotometricInterpretation, dataset.PixelData = "MONOCHROME2", pixels.tobytes()
    for name, value in tags.items():
        setattr(dataset, name, value)
    buffer = BytesIO()
    dicom.dcmwrite(buffer, dataset)
    return buffer.getvalue()


def _end(process):
    if process.poll() is None:
        process.terminate()
    try:
        process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
