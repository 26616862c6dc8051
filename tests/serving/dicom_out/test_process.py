"""`hilum serve --dicom-port` in a process of its own, as its users start it."""

import json
import signal
import subprocess
import sys

import pytest

from hilum.serving.dicom_out.node import Node, echo

pytest.importorskip("fastapi", reason="needs the packages of the extra serve")
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")  # pynetdicom, when nobody is there


@pytest.fixture
def started(model_file, archive, tmp_path):
    """The process, when it takes requests and images; what it wrote by then is in `.address` and `.dicom`."""
    command = [
        sys.executable, "-m", "hilum", "serve", str(model_file), "--port", "0", "--json", "--dicom-port", "0",
        "--dicom-node", f"ARCHIVE@127.0.0.1:{archive.port}", "--dicom-outbox", str(tmp_path / "outbox"),
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        process.dicom = json.loads(process.stderr.readline())
        process.address = json.loads(process.stdout.readline())["address"]
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_an_image_goes_in_an_answer_comes_out_and_the_signal_ends_both_servers(started, archive, send_to, dicom):
    port = started.dicom["port"]
    assert started.dicom["dicom"] == "listening" and started.address.startswith("http://127.0.0.1:")
    assert echo(Node("HILUM", "127.0.0.1", port), "ANYONE")
    assert send_to(port, [dicom(1)]) == [0]
    assert sorted(each.Modality for each in archive.wait_for(2)) == ["OT", "SR"]
    events = [json.loads(started.stderr.readline())["dicom"] for _ in range(3)]
    started.send_signal(signal.SIGTERM)
    out, err = started.communicate(timeout=60)
    events += [json.loads(line)["dicom"] for line in err.splitlines()]
    assert events == ["received", "answered", "sent", "closed"]
    assert started.returncode == 0 and json.loads(out)["event"] == "stopped"
    assert not echo(Node("HILUM", "127.0.0.1", port), "ANYONE")


def test_half_the_options_are_one_line(model_file):
    command = [sys.executable, "-m", "hilum", "serve", str(model_file), "--port", "0", "--dicom-port", "0"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 2 and len(ended.stderr.splitlines()) == 1
    assert "--dicom-node" in ended.stderr and "--dicom-outbox" in ended.stderr
