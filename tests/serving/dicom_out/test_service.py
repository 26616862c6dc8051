"""The node, through the network: images in, answers out, each exactly once, whatever comes in between."""

import socket
import time

import pytest
from pydicom.uid import generate_uid

from hilum.errors import DataError, ModelFileError, UsageError
from hilum.serving.dicom_out.node import Node, echo
from hilum.serving.dicom_out.service import DicomOptions, DicomService

pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning:pydicom"),  # hostile files are written on purpose
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),  # pynetdicom lets go of one that could not
    pytest.mark.filterwarnings(
        "ignore:Exception ignored in.*socket:pytest.PytestUnraisableExceptionWarning"
    ),  # connect
]


def wait_until(holds, seconds: float = 60) -> bool:
    until = time.monotonic() + seconds
    while not holds() and time.monotonic() < until:
        time.sleep(0.02)
    return holds()


def sources_of(answers) -> list:
    """The image that each heat map is of, in the order of the alphabet."""
    found = [each.SourceImageSequence[0].ReferencedSOPInstanceUID for each in answers if "SourceImageSequence" in each]
    return sorted(found)


def uid_of(data: bytes) -> str:
    from io import BytesIO

    from pydicom import dcmread

    return dcmread(BytesIO(data), stop_before_pixels=True).SOPInstanceUID


def test_every_image_has_its_answer_once(service, archive, send_to, dicom):
    node, images = service(), [dicom(number) for number in range(6)]
    assert send_to(node.port, [*images, images[0]]) == [0] * 7
    archive.wait_for(12)
    assert wait_until(lambda: node.outbox.counts() == {"sent": 6})
    assert send_to(node.port, images) == [0] * 6  # known: nothing is sent again
    time.sleep(0.3)
    assert len(archive.got) == 12 and sources_of(archive.got) == sorted(uid_of(image) for image in images)
    assert len({each.SOPInstanceUID for each in archive.got}) == 12


def test_echo_is_answered(service):
    port = service().port
    assert echo(Node("HILUM", "127.0.0.1", port), "ANYONE")
    assert not echo(Node("OTHER", "127.0.0.1", port), "ANYONE")


def test_only_those_who_may_and_who_call_it_by_name(service, send_to, dicom):
    node = service(allowed=("MODALITY",))
    assert send_to(node.port, [dicom(1)], calling="STRANGER") == []
    assert send_to(node.port, [dicom(1)], called="ELSE") == []
    assert send_to(node.port, [dicom(1)], calling="MODALITY") == [0]


def test_a_restart_goes_on_where_it_was(service, archive, send_to, dicom):
    archive.stop()  # answers have nowhere to go yet
    first, images = service(), [dicom(number) for number in range(5)]
    assert send_to(first.port, images) == [0] * 5
    assert wait_until(lambda: first.outbox.counts().get("ready", 0) >= 2)
    first.close()
    first.close = lambda: None
    archive.start()
    second = service()
    archive.wait_for(10)
    assert wait_until(lambda: second.outbox.counts() == {"sent": 5})
    assert sources_of(archive.got) == sorted(uid_of(image) for image in images)
    assert wait_until(
        lambda: not [each for each in second.options.outbox.iterdir() if each.suffix in (".image", ".dcm")]
    )


def test_a_node_that_is_full_is_asked_again(service, archive, send_to, dicom):
    archive.status = 0xA700
    node = service()
    send_to(node.port, [dicom(1)])
    assert wait_until(lambda: any(event == "node away" for event, _ in node.events))
    archive.status = 0
    assert len(archive.wait_for(2)) == 2


def test_an_answer_that_the_node_does_not_want_stops_nothing(service, archive, send_to, dicom, monkeypatch):
    monkeypatch.setattr("hilum.serving.dicom_out.service.MOST_REFUSED", 1)
    archive.status = 0xC000
    node = service()
    send_to(node.port, [dicom(1)])
    assert wait_until(lambda: node.outbox.counts() == {"refused": 1})
    archive.status = 0
    send_to(node.port, [dicom(2)])
    assert len(archive.wait_for(2)) == 2
    assert wait_until(
        lambda: len(list(node.options.outbox.glob("*.dcm"))) == 2
    )  # the refused answer stays for a person to look at


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"PixelData": b"\0" * 10}, "truncated"),
        ({"PixelData": None}, "no-pixels"),
        ({"Rows": 60000, "Columns": 60000}, "too-many-pixels"),
        ({"BodyPartExamined": "HAND", "AnatomicRegionSequence": None}, "body-part"),
        ({"StudyInstanceUID": None}, "no-study"),
        ({"Manufacturer": "hilum"}, "own-answer"),
    ],
)
def test_a_poisonous_image_is_a_code_and_not_a_stop(changes, code, service, archive, send_to, dicom):
    node = service()
    assert send_to(node.port, [dicom(1, **changes), dicom(2)]) == [0, 0]
    archive.wait_for(2)
    assert [facts["code"] for event, facts in node.events if event == "rejected"] == [code]
    assert sources_of(archive.got) == [uid_of(dicom(2))]


def test_an_image_that_breaks_off_each_time_is_given_up(service, archive, send_to, dicom, monkeypatch):
    killed = []

    def die(*_args, **_kwargs):
        killed.append(1)
        raise MemoryError

    monkeypatch.setattr("hilum.serving.dicom_out.service.make_answer", die)
    node = service()
    send_to(node.port, [dicom(1)])
    assert wait_until(lambda: ("rejected", "crash") in [(event, facts.get("code")) for event, facts in node.events])
    assert len(killed) == 3 and node.outbox.counts() == {"rejected": 1}
    assert not list(node.options.outbox.glob("*.image"))


def test_bytes_that_are_no_dicom_and_silence_stop_nothing(service, archive, send_to, dicom):
    node = service()
    silent = socket.create_connection(("127.0.0.1", node.port))
    for garbage in (
        b"GET / HTTP/1.0\r\n\r\n",
        b"\x01\x00\xff\xff\xff\xff" + b"A" * 1000,
        b"\x04\x00\x00\x00\x00\x02ab",
    ):
        with socket.create_connection(("127.0.0.1", node.port)) as line:
            line.sendall(garbage)
    assert send_to(node.port, [dicom(3)]) == [0]
    assert len(archive.wait_for(2)) == 2
    silent.close()


def test_a_message_without_end_is_cut_off(service, send_to, dicom):
    from hilum.images.limits import Limits

    node = service()
    node.receiver.limits = Limits(file_bytes=1000)
    assert send_to(node.port, [dicom(1, PixelData=bytes(1_000_000))]) == [None]
    assert wait_until(lambda: ("received", {"code": "too-large"}) in node.events)
    assert node.outbox.counts() == {}
    node.receiver.limits = Limits()
    assert send_to(node.port, [dicom(1)]) == [0]


def test_a_unit_of_four_gigabytes_is_refused_before_it_is_read(service, send_to, dicom):
    node = service()
    with socket.create_connection(("127.0.0.1", node.port), timeout=20) as line:
        line.sendall(b"\x01\x00\xff\xff\xff\xff")
        assert line.recv(10) in (b"", b"\x07\x00\x00\x00\x00\x04\x00\x00\x02\x00")  # closed, or an A-ABORT first
    assert ("received", {"code": "too-large"}) in node.events
    assert send_to(node.port, [dicom(1)]) == [0]


def test_drops_of_a_unit_do_not_buy_time(service, monkeypatch):
    monkeypatch.setattr("hilum.serving.dicom_out.receiver.IDLE_SECONDS", 0.5)
    node = service()
    with socket.create_connection(("127.0.0.1", node.port), timeout=20) as line:
        line.sendall(b"\x01\x00\x00\x00\x10\x00")
        began = time.monotonic()
        with pytest.raises(ConnectionError):
            while time.monotonic() - began < 10:
                line.sendall(b"x")
                time.sleep(0.05)
    assert time.monotonic() - began < 8


def test_connections_that_nobody_counts_are_closed(service, send_to, dicom, monkeypatch):
    monkeypatch.setattr("hilum.serving.dicom_out.receiver.CONNECTIONS", 3)
    monkeypatch.setattr("hilum.serving.dicom_out.receiver.HELLO_SECONDS", 1.0)
    node = service()
    lines = []
    for _ in range(6):
        lines.append(socket.create_connection(("127.0.0.1", node.port), timeout=20))
        time.sleep(0.1)
    assert [facts for event, facts in node.events if event == "full"] == [{"connections": 3}]
    assert lines[-1].recv(1) == b""  # closed, where the first three wait to be heard
    for line in lines:
        line.close()
    assert wait_until(lambda: send_to(node.port, [dicom(1)]) == [0], 20)


def test_a_node_whose_name_has_no_address_is_away(service, send_to, dicom, monkeypatch):
    def fail(*_args, **_kwargs):
        raise socket.gaierror("no such name")

    node = service()
    monkeypatch.setattr("hilum.serving.dicom_out.node.AE.associate", fail)
    assert not echo(Node("ARCHIVE", "nowhere.invalid", 104), "ANYONE")
    monkeypatch.undo()
    send_to(node.port, [dicom(1)])
    assert wait_until(lambda: node.outbox.counts() == {"sent": 1})


def test_an_answer_that_somebody_broke_does_not_stop_the_others(service, archive, send_to, dicom, monkeypatch):
    monkeypatch.setattr("hilum.serving.dicom_out.service.MOST_REFUSED", 1)
    archive.status = 0xA700
    node = service()
    send_to(node.port, [dicom(1), dicom(2)])
    assert wait_until(lambda: node.outbox.counts() == {"ready": 2})
    broken = next(node.options.outbox.glob("*-heatmap.dcm"))
    broken.write_bytes(b"rubbish")
    archive.status = 0
    assert wait_until(lambda: node.outbox.counts() == {"sent": 1, "refused": 1})


def test_a_full_outbox_says_so(service, send_to, dicom):
    assert send_to(service(most_waiting=0).port, [dicom(1)]) == [0xA700]


def test_two_images_with_one_uid_are_not_mixed_up(service, archive, send_to, dicom):
    node, uid = service(), generate_uid(entropy_srcs=["one"])
    send_to(node.port, [dicom(1, SOPInstanceUID=uid), dicom(2, SOPInstanceUID=uid)])
    archive.wait_for(2)
    assert ("received", "changed") in [(event, facts.get("code")) for event, facts in node.events]
    assert wait_until(lambda: node.outbox.counts() == {"sent": 1}) and len(archive.got) == 2


def test_no_log_and_no_name_shows_the_patient(service, archive, send_to, dicom, capfd):
    node = service()
    send_to(node.port, [dicom(1, PatientName="Secret^Name", PatientID="S-123"), dicom(2, PatientID="S-9", Rows=3)])
    archive.wait_for(2)
    names = " ".join(path.name for path in node.options.outbox.iterdir())
    told = str(node.events) + names + "".join(capfd.readouterr())
    assert "Secret" not in told and "S-123" not in told and "S-9" not in told
    assert node.options.outbox.stat().st_mode & 0o077 == 0


def test_wrong_usage_is_one_line(predictor, tmp_path, exports):
    from hilum.serving.predictor import Predictor

    node = Node("ARCHIVE", "127.0.0.1", 104)
    with pytest.raises(UsageError, match="AE titles that may send"):
        DicomOptions(0, node, tmp_path, host="0.0.0.0")
    with pytest.raises(UsageError, match="AE title"):
        DicomOptions(0, node, tmp_path, title="A" * 17)
    for text in ("ARCHIVE", "ARCHIVE@host", "@host:1", "A@:104", "A@host:70000", "A\\B@host:1"):
        with pytest.raises(UsageError):
            Node.parse(text)
    assert Node.parse("PACS 1@[::1]:104") == Node("PACS 1", "::1", 104)
    with pytest.raises(ModelFileError, match="gradients"):
        DicomService(Predictor.load(exports["onnx"]), DicomOptions(0, node, tmp_path))


def test_an_outbox_and_a_port_are_for_one(service, predictor, tmp_path):
    node = service()
    with pytest.raises(DataError, match="outbox"):
        DicomService(predictor, node.options)
    other = DicomOptions(node.port, node.options.node, tmp_path / "other")
    with pytest.raises(UsageError, match="dicom-port"):
        DicomService(predictor, other)
