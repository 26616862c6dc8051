"""Drawn DICOM images, a small model that predicts them, and a node that receives answers."""

import threading
import time
from io import BytesIO

import pytest

from hilum.data.phantom import draw_dataset
from hilum.data.phantom.dicom import encode_dicom
from hilum.data.phantom.patient import draw_patient

pytest.importorskip("highdicom", reason="needs the extra dicom-net")
pytest.importorskip("pynetdicom", reason="needs the extra dicom-net")


@pytest.fixture(scope="session")
def predictor(model_file):
    from hilum.serving.predictor import Predictor

    return Predictor.load(model_file, device="cpu")


@pytest.fixture(scope="session")
def drawn():
    return draw_dataset(images=12, size=64)


@pytest.fixture
def dicom(drawn):
    """A function: number, elements to change (None takes one away) -> a DICOM file's bytes."""
    from pydicom import dcmread, dcmwrite

    def make(number: int = 0, **changes: object) -> bytes:
        picture = drawn[number % 12]
        data = encode_dicom(
            picture.intensity, patient=draw_patient(number), patient_id=f"P-{number}", machine="m", view="PA",
            inverted=bool(number % 2), key=f"image {number}",
        )  # fmt: skip
        if not changes:
            return data
        dataset = dcmread(BytesIO(data))
        for keyword, value in changes.items():
            if value is None:
                delattr(dataset, keyword)
            else:
                setattr(dataset, keyword, value)
        if "SOPInstanceUID" in changes:
            dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        buffer = BytesIO()
        dcmwrite(buffer, dataset)
        return buffer.getvalue()

    return make


@pytest.fixture
def answer(predictor):
    """A function: a DICOM file's bytes -> its answer."""
    from hilum.images import read_image
    from hilum.serving.dicom_out.answer import make_answer

    def make(data: bytes):
        image = read_image(data)
        return make_answer(predictor, data, image, predictor.predict(image))

    return make


class Archive:
    """The node at the other end: keeps what it is sent, or refuses it with `status`."""

    def __init__(self, title: str = "ARCHIVE") -> None:
        self.title, self.status, self.got, self.port = title, 0, [], 0
        self._lock = threading.Lock()
        self.start()

    def start(self) -> None:
        from pydicom.uid import ComprehensiveSRStorage, SecondaryCaptureImageStorage
        from pynetdicom import AE, evt

        entity = AE(ae_title=self.title)
        for kind in (SecondaryCaptureImageStorage, ComprehensiveSRStorage):
            entity.add_supported_context(kind)
        self.server = entity.start_server(
            ("127.0.0.1", self.port), block=False, evt_handlers=[(evt.EVT_C_STORE, self._store)]
        )
        self.port = self.server.socket.getsockname()[1]

    def stop(self) -> None:
        self.server.ae.shutdown()

    def _store(self, event):
        with self._lock:
            if self.status == 0:
                self.got.append(event.dataset)
        return self.status

    def wait_for(self, count: int, seconds: float = 60) -> list:
        until = time.monotonic() + seconds
        while len(self.got) < count and time.monotonic() < until:
            time.sleep(0.02)
        return self.got


@pytest.fixture
def archive():
    node = Archive()
    yield node
    node.stop()


@pytest.fixture
def service(predictor, archive, tmp_path):
    """A function that starts the service; the events that it logged are in `.events`."""
    from hilum.serving.dicom_out.node import Node
    from hilum.serving.dicom_out.service import DicomOptions, DicomService

    running = []

    def start(**options):
        events = []
        wishes = {"port": 0, "node": Node("ARCHIVE", "127.0.0.1", archive.port), "outbox": tmp_path / "outbox"}
        service = DicomService(
            predictor, DicomOptions(**{**wishes, **options}), log=lambda event, **facts: events.append((event, facts))
        )
        service.events = events
        running.append(service)
        return service

    yield start
    for each in running:
        each.close()


@pytest.fixture
def send_to():
    """A function: a service's port and files -> the status of each C-STORE."""
    from pydicom import dcmread
    from pynetdicom import AE

    def send(port: int, files: list, *, calling: str = "MODALITY", called: str = "HILUM") -> list:
        from hilum.serving.dicom_out.receiver import RADIOGRAPHS

        entity = AE(ae_title=calling)
        for kind in RADIOGRAPHS:
            entity.add_requested_context(kind)
        association = entity.associate("127.0.0.1", port, ae_title=called)
        if not association.is_established:
            return []
        found = []
        for data in files:
            status = association.send_c_store(dcmread(BytesIO(data)))
            found.append(status.get("Status"))
        association.release()
        return found

    return send
