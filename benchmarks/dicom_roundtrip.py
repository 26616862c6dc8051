"""Images from a real archive to hilum and answers back: each exactly once, also when hilum is killed in the middle.

    python benchmarks/dicom_roundtrip.py MODEL.safetensors --images 200 --kills 2

Starts Orthanc on loopback, files drawn DICOM images in it, starts hilum's node, has Orthanc send every image to it, and
kills the node (SIGKILL) while it works; then starts it again on the same outbox, and Orthanc sends all images again, as
an archive does whose sending failed. At the end the archive must hold, for each image, one heat map and one report.
Prints one JSON document; exit 1 if the tally is not that.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

CLASSES = {"1.2.840.10008.5.1.4.1.1.7": "heat maps", "1.2.840.10008.5.1.4.1.1.88.33": "reports"}
SOURCE = "images"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--size", type=int, default=512, help="side of an image, pixels")
    parser.add_argument("--kills", type=int, default=2)
    parser.add_argument("--validate", type=int, default=10, help="answers that dciodvfy looks at")
    parser.add_argument("--seconds", type=float, default=500, help="longest wait for the answers")
    parser.add_argument("--serve", nargs=3, metavar=("PORT", "NODE", "OUTBOX"), help="be the node, not the measurement")
    wishes = parser.parse_args()
    if wishes.serve:
        return serve(wishes.model, *wishes.serve)
    if shutil.which("Orthanc") is None:
        sys.stderr.write("needs Orthanc: apt-get install orthanc\n")
        return 2
    with tempfile.TemporaryDirectory() as folder:
        found = measure(wishes, Path(folder))
    sys.stdout.write(json.dumps(found) + "\n")
    return 0 if found["exactly_once"] and not found["invalid"] else 1


def serve(model: Path, port: str, node: str, outbox: str) -> int:
    """hilum's node, until SIGTERM."""
    from hilum.serving.dicom_out.front import serve_dicom

    told = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: told.set())
    with serve_dicom(model, port=int(port), node=node, outbox=Path(outbox), device="cpu"):
        told.wait()
    return 0


def measure(wishes: argparse.Namespace, folder: Path) -> dict[str, Any]:
    archive = Orthanc(folder / "orthanc", hilum_port := free_port())
    node = None
    try:
        uids = fill(archive, wishes, folder / "drawn")
        began, killed_at = time.monotonic(), []
        node = start_node(wishes.model, hilum_port, archive, folder)
        for number in range(wishes.kills):
            archive.send_all_to_hilum()
            wanted = 2 * len(uids) * (number + 1) // (wishes.kills + 1)
            wait(lambda: archive.answers() >= wanted, wishes.seconds)  # noqa: B023  # called before it changes
            node.kill()
            node.wait()
            killed_at.append(archive.answers())
            node = start_node(wishes.model, hilum_port, archive, folder)
        archive.send_all_to_hilum()
        wait(lambda: archive.answers() >= 2 * len(uids), wishes.seconds)
        seconds = time.monotonic() - began
        time.sleep(3)  # for what should not come
        return {
            **tally(archive, uids),
            "kills_at_answers": killed_at,
            "seconds": round(seconds, 1),
            "images_per_second": round(len(uids) / seconds, 2),
            "validated": 2 * min(wishes.validate, len(uids)),
            "invalid": invalid(archive, wishes.validate),
            "node_stopped_with": stop(node),
        }
    finally:
        if node is not None:
            stop(node)
        archive.stop()


class Orthanc:
    """An archive on loopback."""

    def __init__(self, folder: Path, hilum_port: int) -> None:
        self.sources: list[str] = []
        self.folder, self.http, self.dicom = folder, free_port(), free_port()
        folder.mkdir(parents=True)
        settings = {
            "Name": "hilum round trip", "StorageDirectory": str(folder / "db"), "IndexDirectory": str(folder / "db"),
            "HttpPort": self.http, "RemoteAccessAllowed": False, "AuthenticationEnabled": False,
            "DicomPort": self.dicom, "DicomAet": "ARCHIVE", "DicomCheckCalledAet": True, "OverwriteInstances": False,
            "DicomModalities": {"hilum": ["HILUM", "127.0.0.1", hilum_port]}, "Plugins": [],
            "DicomScuTimeout": 60, "DicomAlwaysAllowStore": True,
        }  # fmt: skip
        (folder / "settings.json").write_text(json.dumps(settings))
        self.log = (folder / "log").open("wb")
        self.process = subprocess.Popen(["Orthanc", str(folder / "settings.json")], stdout=self.log, stderr=self.log)
        wait(lambda: self.process.poll() is not None or is_open(self.http), 60)

    def ask(self, path: str, body: Any = None, *, raw: bytes | None = None) -> Any:
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        with urlopen(Request(f"http://127.0.0.1:{self.http}{path}", data=data), timeout=300) as answer:
            content = answer.read()
        return content if path.endswith("/file") else json.loads(content or "null")

    def answers(self) -> int:
        return self.ask("/statistics")["CountInstances"] - len(self.sources)

    def send_all_to_hilum(self) -> None:
        """A job of Orthanc's own; it fails when the node is killed, as it would in a hospital."""
        self.ask("/modalities/hilum/store", {"Resources": self.sources, "Synchronous": False, "Permissive": True})

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=30)
        self.log.close()


def fill(archive: Orthanc, wishes: argparse.Namespace, folder: Path) -> list[str]:
    """Draws images and files them; returns their SOP Instance UIDs."""
    from pydicom import dcmread

    subprocess.run(
        [sys.executable, "-m", "hilum", "draw", str(folder), "--format", "dicom", "--images", str(wishes.images),
         "--size", str(wishes.size)],
        check=True, capture_output=True,
    )  # fmt: skip
    paths = sorted(folder.rglob("*.dcm"))
    archive.sources = [archive.ask("/instances", raw=path.read_bytes())["ID"] for path in paths]
    return [str(dcmread(path, stop_before_pixels=True).SOPInstanceUID) for path in paths]


def start_node(model: Path, port: int, archive: Orthanc, folder: Path) -> subprocess.Popen:
    command = [sys.executable, __file__, str(model), "--serve", str(port), f"ARCHIVE@127.0.0.1:{archive.dicom}"]
    with (folder / "node.log").open("ab") as log:
        node = subprocess.Popen([*command, str(folder / "outbox")], stdout=log, stderr=log)
    wait(lambda: node.poll() is not None or is_open(port), 120)
    if node.poll() is not None:
        raise SystemExit((folder / "node.log").read_text()[-2000:])
    return node


def tally(archive: Orthanc, uids: list[str]) -> dict[str, Any]:
    """What the archive holds, and how often each image is answered; NewInstance events show what came twice."""
    found: dict[str, Counter[str]] = {kind: Counter() for kind in CLASSES.values()}
    for each in archive.ask("/instances"):
        if each in archive.sources:
            continue
        tags = archive.ask(f"/instances/{each}/tags?simplify")
        kind = CLASSES[tags["SOPClassUID"]]
        if kind == "reports":
            evidence = tags["CurrentRequestedProcedureEvidenceSequence"][0]["ReferencedSeriesSequence"][0]
            source = evidence["ReferencedSOPSequence"][0]
        else:
            source = tags["SourceImageSequence"][0]
        found[kind][source["ReferencedSOPInstanceUID"]] += 1
    once = all(set(each) == set(uids) and set(each.values()) == {1} for each in found.values())
    return {SOURCE: len(uids), **{kind: each.total() for kind, each in found.items()}, "exactly_once": once}


def invalid(archive: Orthanc, count: int) -> list[str] | None:
    """Errors that dciodvfy finds in some of the answers, None where it is not installed."""
    if shutil.which("dciodvfy") is None:
        return None
    errors = []
    for each in [one for one in archive.ask("/instances") if one not in archive.sources][: 2 * count]:
        path = archive.folder / "answer.dcm"
        path.write_bytes(archive.ask(f"/instances/{each}/file"))
        result = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, errors="replace", check=False)
        errors += [line for line in (result.stderr + result.stdout).splitlines() if line.startswith("Error")]
    return errors


def stop(node: subprocess.Popen) -> int:
    if node.poll() is None:
        node.terminate()
    return node.wait(timeout=60)


def wait(holds: Any, seconds: float) -> None:
    until = time.monotonic() + seconds
    while not holds() and time.monotonic() < until:
        time.sleep(0.1)


def is_open(port: int) -> bool:
    with socket.socket() as line:
        line.settimeout(1)
        return line.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    with socket.socket() as line:
        line.bind(("127.0.0.1", 0))
        return line.getsockname()[1]


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
