"""`hilum serve` in a process of its own: slow clients, a signal to stop in the middle, what it writes."""

import json
import signal
import socket
import threading
import time
from urllib.parse import urlsplit

import pytest

pytest.importorskip("fastapi", reason="needs the packages of the extra serve")

import httpx2 as httpx

from hilum.cli.main import main
from hilum.images.encode import to_png

HEAD = b"POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1\r\n"


def connect(address):
    return socket.create_connection(address, timeout=10)


def seconds_until_closed(connection):
    began = time.monotonic()
    try:
        while connection.recv(65536):
            pass
    except ConnectionError:
        pass
    return time.monotonic() - began


@pytest.mark.parametrize("sent", [b"", b"POST /v1/pred", HEAD], ids=["nothing", "half a line", "half the headers"])
def test_a_connection_that_sends_no_whole_request_is_closed(bounded, sent):
    address, _, _ = bounded()
    with connect(address) as connection:
        connection.sendall(sent)
        assert 0.3 < seconds_until_closed(connection) < 5


def test_a_body_that_does_not_come_is_a_408(bounded):
    address, room, _ = bounded()
    with connect(address) as connection:
        connection.sendall(HEAD + b"Content-Length: 100\r\n\r\nhalf")
        answer = connection.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 408") and b"application/problem+json" in answer
    assert room.memory.used == 0 and room.admission.images == 0


def test_drops_of_a_body_do_not_buy_time(bounded):
    address, _, _ = bounded()
    with connect(address) as connection:
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        began = time.monotonic()
        try:
            while time.monotonic() - began < 5:
                connection.sendall(b"1\r\nx\r\n")
                time.sleep(0.05)
        except ConnectionError:
            pass
        assert time.monotonic() - began < 4


def test_an_answer_that_nobody_reads_does_not_keep_the_connection(bounded, wide_xray):
    address, _, server = bounded(body_seconds=5.0)
    image = to_png(wide_xray.repeat(8, axis=0).repeat(8, axis=1))
    body = (
        b"".join(b'--x\r\nContent-Disposition: form-data; name="i"\r\n\r\n' + image + b"\r\n" for _ in range(16))
        + b"--x--\r\n"
    )
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(address)
        head = HEAD.replace(b"predict", b"predict?picture=true")
        head += b"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: %d\r\n\r\n" % len(body)
        connection.sendall(head + body)
        deadline = time.monotonic() + 20
        while server.server_state.connections and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not server.server_state.connections


def test_honest_clients_are_answered_among_slow_connections(bounded, xrays):
    (host, port), _, server = bounded(connections=40, head_seconds=20.0)
    slow = [connect((host, port)) for _ in range(60)]
    for each in slow:
        each.sendall(b"GET /")
    with httpx.Client(base_url=f"http://{host}:{port}") as client:
        for number in range(20):
            assert client.post("/v1/predict", content=xrays[number % 10]).status_code == 200
    assert len(server.server_state.connections) <= 41
    for each in slow:
        each.close()


def test_two_requests_of_a_connection_with_a_pause_between_them(bounded, xrays):
    (host, port), _, _ = bounded(head_seconds=0.3)
    with httpx.Client(base_url=f"http://{host}:{port}") as client:
        assert client.post("/v1/predict", content=xrays[0]).status_code == 200
        time.sleep(0.6)
        assert client.post("/v1/predict", content=xrays[0]).status_code == 200


def test_a_refused_upload_still_gets_its_answer(bounded):
    (host, port), _, _ = bounded(max_bytes=1000, body_seconds=5.0)
    with httpx.Client(base_url=f"http://{host}:{port}") as client:
        assert client.post("/v1/predict", content=bytes(3_000_000)).status_code == 413


def test_sigterm_under_load_loses_no_accepted_request(serve, xrays):
    process = serve("--workers", "1")
    answered, stop = [], threading.Event()

    def ask(number):
        with httpx.Client(base_url=process.address, timeout=60) as client:
            while not stop.is_set():
                try:
                    answered.append(
                        client.post("/v1/predict", content=xrays[number % 10]).json()["results"][0]["status"]
                    )
                except httpx.TransportError:
                    return

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    time.sleep(1.5)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    stop.set()
    for thread in threads:
        thread.join()
    tally = json.loads(out.splitlines()[-1])
    assert process.returncode == 0 and err == ""
    assert tally["accepted"] == tally["answered"] == len(answered) > 0
    assert set(answered) == {"ok"}


def test_a_request_that_is_being_sent_when_the_signal_comes_is_answered(serve, xrays):
    process = serve("--workers", "1")
    parts = urlsplit(process.address)
    with connect((parts.hostname, parts.port)) as connection:
        connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(xrays[0]) + xrays[0][:100])
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        connection.sendall(xrays[0][100:])
        assert connection.makefile("rb").read().startswith(b"HTTP/1.1 200")
    assert process.wait(30) == 0


def test_what_it_writes_names_no_file_and_no_request(serve, xrays):
    process = serve("--workers", "1")
    files = [("image", ("Doe_Jane.png", xrays[0])), ("image", ("Doe_Jane.txt", b"text"))]
    with httpx.Client(base_url=process.address) as client:
        assert client.post("/v1/predict?model=m", files=files).status_code == 200
        client.get("/Doe_Jane")
    with connect((urlsplit(process.address).hostname, urlsplit(process.address).port)) as connection:
        connection.sendall(b"Doe_Jane\r\n\r\n")
        connection.recv(1000)
    process.terminate()
    out, err = process.communicate(timeout=60)
    assert "Doe" not in out + err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--host", "0.0.0.0"], "a token"),
        (["--port", "70000"], "--port"),
        (["--token-file", "nowhere"], "--token-file"),
        (["--host", "192.0.2.1"], "a token"),
        (["--queue", "0"], "1 or more"),
        (["--index", "nowhere.arrow"], "no such file"),
    ],
)
def test_wrong_options_are_one_line(model_file, options, words, capsys, monkeypatch):
    monkeypatch.delenv("HILUM_TOKEN", raising=False)
    with pytest.raises(SystemExit) as exit_:
        main(["serve", str(model_file), *options])
    said = capsys.readouterr().err
    assert exit_.value.code in (2, 4) and len(said.splitlines()) == 1
    assert words in said


def test_a_port_that_is_taken_is_one_line(model_file, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(SystemExit) as exit_:
        main(["serve", str(model_file), "--port", str(taken.getsockname()[1])])
    said = capsys.readouterr().err
    assert exit_.value.code == 2 and "a free address" in said and len(said.splitlines()) == 1
