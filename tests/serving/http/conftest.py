"""A server with a small model, in this process and in one of its own."""

import contextlib
import json
import subprocess
import sys
import threading
import time
from io import BytesIO

import numpy as np
import pytest
from starlette.testclient import TestClient

pytest.importorskip("fastapi", reason="needs the packages of the extra serve")

import uvicorn

from hilum.data.phantom import draw_dataset
from hilum.serving.app import create_app
from hilum.serving.http.connection import bounded_protocol
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


@pytest.fixture(scope="session")
def index_of():
    """A function: predictor, images, folder -> an index of neighbours of these images, whose paths are secret."""
    return write_index


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


@pytest.fixture
def bounded(predictors):
    """A server in a thread with deadlines short enough to wait for; its address and what its requests share."""
    running = []

    def start(**bounds):
        settings = Settings(**{"workers": 1, "head_seconds": 0.5, "body_seconds": 0.5, "write_seconds": 0.5, **bounds})
        app, room = create_app(predictors, settings)
        config = uvicorn.Config(app, port=0, http=bounded_protocol(settings), ws="none", log_config=None)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run)
        thread.start()
        running.append((server, thread))
        while not server.started:
            time.sleep(0.01)
        return server.servers[0].sockets[0].getsockname(), room, server

    yield start
    for server, thread in running:
        server.should_exit = True
        thread.join(30)


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


def write_index(predictor, xrays, folder):
    import pandas as pd

    from hilum.inspection.embeddings import Embeddings
    from hilum.inspection.index import NeighborIndex
    from hilum.inspection.neighbors import NeighborSettings
    from hilum.labels import LabelSet
    from hilum.serving.http.served import digest

    for number, data in enumerate(xrays):
        (folder / f"secret-{number}.png").write_bytes(data)
    canvases = np.stack([predictor.open(data).canvas for data in xrays])
    count = len(xrays)
    table = pd.DataFrame(
        {
            "image_path": [f"secret-{number}.png" for number in range(count)],
            "patient_id": [f"secret {number}" for number in range(count)],
            "split": "train",
            "label": [predictor.labels[number % 3] for number in range(count)],
            "sha256": [digest(data) for data in xrays],
        }
    )
    embeddings = Embeddings.of(table, predictor.engine.embed(canvases), layer="embedding")
    index = NeighborIndex.of(
        embeddings, LabelSet(predictor.labels), NeighborSettings(k=3), table, root=str(folder), layer="embedding"
    )
    index.write(folder / "index.arrow")
    return folder / "index.arrow"


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
