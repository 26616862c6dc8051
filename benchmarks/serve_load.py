"""What the server does under load: mix-ups, memory, slow clients, signals to stop, throughput against the raw network.

    python benchmarks/serve_load.py MODEL.safetensors --clients 64 --seconds 60 --slow 200 --sigterms 5

Every answer is compared with the prediction of the single image by the same model in this process; images are drawn and
told apart by their SHA-256. Clients run on the same machine as the server and take processor time from it.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from hilum.data.phantom import draw_dataset
from hilum.images.encode import to_jpeg
from hilum.serving.predictor import Predictor

TOLERANCE = 1e-3
"""Of a probability: engines and batch sizes round differently."""
IMAGES, SIDE = 48, 256


class Server:
    """`hilum serve` in a process of its own."""

    def __init__(self, model: Path, *options: str) -> None:
        command = [sys.executable, "-m", "hilum", "serve", str(model), "--port", "0", "--json", *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(self.process.communicate()[1])
        parts = urlsplit(json.loads(line)["address"])
        self.host, self.port = str(parts.hostname), int(parts.port or 0)

    def stop(self) -> dict[str, Any]:
        """Sends SIGTERM; what the last line says, the exit code, and how long that took."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        out, err = self.process.communicate(timeout=180)
        told = json.loads(out.splitlines()[-1])
        return {**told, "exit": self.process.returncode, "stderr": err, "seconds": time.monotonic() - began}

    def memory(self) -> float:
        """Megabytes that the server and its children hold; pages that they share are counted in each."""
        found = [self.process.pid]
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                if int(path.read_text().rpartition(")")[2].split()[1]) == self.process.pid:
                    found.append(int(path.parent.name))
            except (OSError, ValueError, IndexError):
                continue
        pages = 0
        for pid in found:
            try:
                pages += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
            except OSError:
                continue
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


class Crowd:
    """Clients that ask one request after the other and check every answer."""

    def __init__(self, server: Server, files: list[bytes], expected: list[np.ndarray]) -> None:
        self.server, self.files, self.expected = server, files, expected
        self.names = [hashlib.sha256(data).hexdigest() for data in files]
        self.outcomes: Counter[str] = Counter()
        self.waits: list[float] = []
        self.worst = 0.0
        self.until = float("inf")
        self._lock = threading.Lock()
        self.threads: list[threading.Thread] = []

    def start(self, clients: int) -> None:
        self.threads = [threading.Thread(target=self._ask, args=(number,), daemon=True) for number in range(clients)]
        for thread in self.threads:
            thread.start()

    def finish(self) -> None:
        self.until = 0.0
        for thread in self.threads:
            thread.join()

    def _ask(self, seed: int) -> None:
        chosen = np.random.default_rng(seed)
        connection = http.client.HTTPConnection(self.server.host, self.server.port, timeout=120)
        while time.monotonic() < self.until:
            number = int(chosen.integers(len(self.files)))
            began = time.monotonic()
            try:
                connection.request("POST", "/v1/predict", self.files[number])
                response = connection.getresponse()
                body = response.read()
            except (OSError, http.client.HTTPException) as error:
                self._note(f"no answer: {type(error).__name__}")
                if self.server.process.poll() is not None or self.until < time.monotonic():
                    return
                connection.close()
                if isinstance(error, ConnectionRefusedError):
                    return
                continue
            outcome = self._judge(number, response.status, body)
            self._note(outcome, time.monotonic() - began)
            if outcome == "busy":
                time.sleep(float(response.headers["retry-after"]))
        connection.close()

    def _judge(self, number: int, status: int, body: bytes) -> str:
        if status != 200:
            return "busy" if status == 503 else f"status {status}"
        (row,) = json.loads(body)["results"]
        if row["sha256"] != self.names[number]:
            return "mixed up"
        if row["status"] != "ok":
            return f"rejected: {row['code']}"
        far = float(np.abs(np.array(list(row["probs"].values())) - self.expected[number]).max())
        with self._lock:
            self.worst = max(self.worst, far)
        return "right" if far <= TOLERANCE else "mixed up"

    def _note(self, outcome: str, wait: float | None = None) -> None:
        with self._lock:
            self.outcomes[outcome] += 1
            if wait is not None:
                self.waits.append(wait)

    def summary(self, seconds: float) -> dict[str, Any]:
        ordered = sorted(self.waits)
        return {
            "outcomes": dict(self.outcomes),
            "per_second": self.outcomes["right"] / seconds,
            "largest_difference": self.worst,
            "median_seconds": statistics.median(ordered) if ordered else None,
            "p99_seconds": ordered[int(0.99 * len(ordered))] if ordered else None,
        }


class Slow:
    """Connections that say nothing, half a header, or drip a body; opened anew when they are closed."""

    def __init__(self, server: Server, count: int) -> None:
        self.server, self.count, self.opened, self.refused = server, count, 0, 0
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        kinds = (b"", b"POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1\r\n", None)
        held: list[socket.socket | None] = [None] * self.count
        while not self.is_over.is_set():
            for place, connection in enumerate(held):
                held[place] = self._drip(connection) if connection else self._open(kinds[place % 3])
            self.is_over.wait(0.2)
        for connection in held:
            if connection is not None:
                connection.close()

    def _open(self, first: bytes | None) -> socket.socket | None:
        drips = b"POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n"
        try:
            connection = socket.create_connection((self.server.host, self.server.port), timeout=5)
            connection.sendall(drips if first is None else first)
            connection.setblocking(False)
        except OSError:
            self.refused += 1
            return None
        self.opened += 1
        return connection

    @staticmethod
    def _drip(connection: socket.socket) -> socket.socket | None:
        try:
            if not connection.recv(4096):
                raise ConnectionError
        except BlockingIOError:
            return connection
        except OSError:
            pass
        connection.close()
        return None


def raw_speed(predictor: Predictor, files: list[bytes], seconds: float) -> dict[str, float]:
    """Images a second in this process: the network alone in batches of 32, and with the decoding, one thread."""
    pictures = [predictor.open(data) for data in files][:32]
    found = {}
    for name, work in (
        ("network", lambda: len(predictor.predict_pictures(pictures))),
        ("decoding", lambda: len([predictor.open(data) for data in files[:32]])),
    ):
        began, count = time.monotonic(), 0
        while time.monotonic() - began < seconds:
            count += work()
        found[name] = count / (time.monotonic() - began)
    found["both"] = 1 / (1 / found["network"] + 1 / found["decoding"])
    return found


def under_load(server: Server, crowd: Crowd, clients: int, seconds: float) -> dict[str, Any]:
    """Asks for some seconds; what came out and the server's memory, second by second."""
    began, memory = time.monotonic(), []
    crowd.until = began + seconds
    crowd.start(clients)
    while time.monotonic() < crowd.until:
        time.sleep(1)
        memory.append(server.memory())
    crowd.finish()
    third = max(1, len(memory) // 3)
    first, last = statistics.median(memory[third : 2 * third] or memory), statistics.median(memory[-third:])
    return {
        **crowd.summary(time.monotonic() - began),
        "megabytes": {"second third": first, "last third": last, "highest": max(memory)},
    }


def stopped_under_load(model: Path, files: list[bytes], expected: list[np.ndarray], clients: int) -> dict[str, Any]:
    """Starts, loads, sends SIGTERM in the middle; whether every accepted request was answered at its client."""
    server = Server(model)
    crowd = Crowd(server, files, expected)
    crowd.start(clients)
    time.sleep(2 + np.random.default_rng().random())
    told = server.stop()
    crowd.finish()
    right = crowd.outcomes["right"]
    lost = told["accepted"] - right
    return {
        "accepted": told["accepted"],
        "right": right,
        "lost": lost,
        "exit": told["exit"],
        "seconds": told["seconds"],
    }


def main() -> None:
    arguments = _arguments()
    drawn = draw_dataset(images=IMAGES, size=SIDE)
    files = [to_jpeg((255 * drawn[number].intensity).astype(np.uint8), 92) for number in range(IMAGES)]
    from hilum.serving.http.served import load_models

    predictor = next(iter(load_models([arguments.model]).values()))
    plain = Predictor.load(arguments.model)
    expected = [np.array(list(plain.predict(data, force=True).probs.values())) for data in files]
    apart = min(float(np.abs(a - b).max()) for i, a in enumerate(expected) for b in expected[:i])
    found: dict[str, Any] = {
        "cores": os.cpu_count(),
        "closest two expected answers": apart,
        "raw": raw_speed(predictor, files, min(10.0, arguments.seconds / 4)),
    }
    _say("raw", found["raw"])
    server = Server(arguments.model)
    crowd = Crowd(server, files, expected)
    found["load"] = under_load(server, crowd, arguments.clients, arguments.seconds)
    found["share of raw"] = {name: found["load"]["per_second"] / speed for name, speed in found["raw"].items()}
    _say("load", found["load"])
    _say("share of raw", found["share of raw"])
    slow = Slow(server, arguments.slow)
    slow.thread.start()
    time.sleep(2)
    crowd = Crowd(server, files, expected)
    found["beside slow"] = under_load(server, crowd, arguments.clients, arguments.seconds / 2)
    slow.is_over.set()
    slow.thread.join()
    found["beside slow"]["slow"] = {"at a time": slow.count, "opened": slow.opened, "refused": slow.refused}
    _say("beside slow", found["beside slow"])
    found["stopped"] = server.stop()
    found["sigterm"] = [
        stopped_under_load(arguments.model, files, expected, arguments.clients) for _ in range(arguments.sigterms)
    ]
    _say("sigterm", found["sigterm"])
    if arguments.out:
        arguments.out.write_text(json.dumps(found, indent=1) + "\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--slow", type=int, default=500)
    parser.add_argument("--sigterms", type=int, default=20)
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


def _say(name: str, found: Any) -> None:
    sys.stdout.write(f"{name}: {json.dumps(found)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
