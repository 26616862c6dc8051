"""What a hostile client may try: each ends in one problem document or one answer, and the server lives on."""

import io
import json
import socket
import struct
import zipfile
import zlib

import pytest

pytest.importorskip("fastapi", reason="needs the packages of the extra serve")

import httpx2 as httpx

TOKEN = "0123456789abcdef"
HEAD = b"POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1\r\n"
FORM = "multipart/form-data; boundary=x"


@pytest.fixture
def base(bounded):
    """The address of a server in a thread, with short deadlines."""
    (host, port), _, _ = bounded(body_seconds=10.0, max_bytes=2_000_000, max_images=4)
    return f"http://{host}:{port}"


@pytest.fixture
def lives(base, xrays):
    """Fails where the server no longer answers after the test."""
    yield
    with httpx.Client(base_url=base) as client:
        assert client.get("/readyz").status_code == 200
        (row,) = client.post("/v1/predict", content=xrays[0]).json()["results"]
        assert row["status"] == "ok"


def said(base, *parts):
    """The answer to these bytes on a connection of their own: status, headers, document."""
    host, port = base.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        try:
            for part in parts:
                connection.sendall(part)
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused before all of it was sent
        with connection.makefile("rb") as file:
            answer = file.read()
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.count(b"\r\ncontent-type: application/problem+json") == 1, answer[:200]
    return int(head.split()[1]), json.loads(body)["code"]


def png_bomb(side):
    """A valid PNG of zeros: small as a file, `side` squared bytes as a picture."""
    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(1 + side)) for _ in range(side)) + packer.flush()
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)), (b"IDAT", rows), (b"IEND", b""))
    packed = (struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
              for kind, data in chunks)  # fmt: skip
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


RAW = {
    "no HTTP": ([b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(60) + b"\r\n\r\n"], 400, "malformed"),
    "a head without end": ([b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"a" * 500_000], 400, "malformed"),
    "headers without end": ([b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"X: a\r\n" * 100_000], 400, "malformed"),
    "no Host": ([b"GET /healthz HTTP/1.1\r\n\r\n"], 400, "malformed"),
    "two Hosts": ([b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: a\r\n\r\n"], 400, "malformed"),
    "another Host": ([b"GET /healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n"], 421, "host"),
    "a Host that is none": ([b"GET /healthz HTTP/1.1\r\nHost: [\r\n\r\n"], 421, "host"),
    "two lengths": ([HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"], 400, "malformed"),
    "a length below nothing": ([HEAD + b"Content-Length: -1\r\n\r\n"], 400, "malformed"),
    "chunks that are none": ([HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"zz\r\nhello\r\n"], 400, "malformed"),
    "chunks over the limit": (
        [HEAD + b"Transfer-Encoding: chunked\r\n\r\n", *[b"10000\r\n" + bytes(65536) + b"\r\n"] * 40, b"0\r\n\r\n"],
        413, "too-large",
    ),
    "a length over the limit": ([HEAD + b"Content-Length: 99999999999\r\n\r\n", bytes(1_000_000)], 413, "too-large"),
    "half a head": ([HEAD], 408, "too-slow"),
}  # fmt: skip


@pytest.mark.parametrize("name", RAW)
def test_what_breaks_the_protocol_is_refused_in_one_document(name, base, lives):
    parts, status, code = RAW[name]
    assert said(base, *parts) == (status, code)


def test_ten_thousand_files_in_a_request_are_refused_at_the_first_too_many(base, lives):
    part = b'--x\r\nContent-Disposition: form-data; name="i"; filename="i"\r\n\r\nx\r\n'
    body = part * 10_000 + b"--x--\r\n"
    head = HEAD + b"Content-Type: " + FORM.encode() + b"\r\nContent-Length: %d\r\n\r\n" % len(body)
    assert said(base, head, body) == (413, "too-many")


def test_a_flood_of_headers_in_a_part_is_no_image(base, lives):
    body = b"--x\r\n" + b"X-A: b\r\n" * 100_000 + b"\r\ndata\r\n--x--\r\n"
    with httpx.Client(base_url=base) as client:
        response = client.post("/v1/predict", content=body, headers={"content-type": FORM})
    found = response.json()
    assert response.status_code == 400 or found["results"][0]["status"] == "rejected"


@pytest.mark.parametrize(
    "path", ["/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/..%2fpage.js", "//etc/passwd", "/page.js/", "/a%00b"]
)
def test_a_path_that_leads_elsewhere_leads_nowhere(path, base, lives):
    assert said(base, f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())[0] == 404


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "a\\..\\b", "C:\\x", "%00", "a" * 1000, "\u202e"])
def test_names_of_files_are_neither_used_nor_told(name, client, xrays, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    answer = client.post("/v1/predict", files=[("image", (name, xrays[0]))])
    assert answer.json()["results"][0]["status"] == "ok" and "passwd" not in answer.text
    assert list(tmp_path.iterdir()) == []


def test_a_name_of_a_megabyte_is_one_document(client, xrays):
    answer = client.post("/v1/predict", files=[("image", ("a" * 1_000_000, xrays[0]))])
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")


@pytest.mark.parametrize("kind", ["application/json", "text/html", "application/x-www-form-urlencoded", "", "x" * 5000])
def test_the_content_counts_and_not_what_it_is_called(kind, client, xrays):
    answer = client.post("/v1/predict", content=xrays[0], headers={"content-type": kind})
    assert answer.json()["results"][0]["status"] == "ok"


def test_bombs_are_answers_with_a_code(base, make_dicom, lives):
    with httpx.Client(base_url=base, timeout=60) as client:
        for data in (png_bomb(30_000), make_dicom(Rows=60_000, Columns=60_000), make_dicom(NumberOfFrames=2**31 - 1)):
            (row,) = client.post("/v1/predict?picture=true", content=data).json()["results"]
            assert row["status"] == "rejected" and row["code"] and row["reason"]


def test_an_archive_is_refused_with_the_way_out(client, xrays):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.png", xrays[0])
    files = [("image", ("a.png", xrays[0])), ("image", ("b.zip", packed.getvalue()))]
    for answer in (
        client.post("/v1/predict", content=packed.getvalue()),
        client.post("/v1/predict", files=files),
        client.post("/v1/explain", content=packed.getvalue()),
    ):
        document = answer.json()
        assert (answer.status_code, document["code"]) == (415, "archive")
        assert "hilum predict" in document["detail"] and "16" in document["detail"]
    assert client.room.memory.used == 0 and client.room.admission.images == 0


@pytest.mark.parametrize(
    "shown", ["", "Bearer", "Bearer 0123456789abcdeF", "Basic " + TOKEN, TOKEN, "Bearer \u00e9" + TOKEN]
)
def test_a_wrong_token_opens_nothing(shown, make_client, xrays):
    client = make_client(token=TOKEN)
    headers = {"authorization": shown.encode("latin-1")} if shown else {}
    for way in (lambda: client.get("/metrics", headers=headers), lambda: client.get("/openapi.json", headers=headers)):
        answer = way()
        assert (answer.status_code, answer.json()["code"]) == (401, "token")
    assert client.post(f"/v1/predict?token={TOKEN}", content=xrays[0]).status_code == 401


def test_a_form_of_many_models_and_huge_parameters_is_one_document(client, xrays):
    for query in ("neighbors=99999999999999999999", "neighbors=-1", "model=" + "m" * 5000, "force=perhaps"):
        answer = client.post(f"/v1/predict?{query}", content=xrays[0])
        assert (answer.status_code, answer.json()["code"]) == (422, "parameters")
