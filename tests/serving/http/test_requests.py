"""Bounds, refusals, who may ask: what a request meets before and after the model."""

import asyncio
import json
import shutil
import threading

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("fastapi", reason="needs the packages of the extra serve")

from starlette.testclient import TestClient

from hilum.data.predictions import Predictions
from hilum.errors import DataError, UsageError
from hilum.evaluation import evaluate
from hilum.labels import LabelSet
from hilum.serving.app import create_app
from hilum.serving.http.served import load_models
from hilum.serving.http.settings import Settings

TOKEN = "0123456789abcdef"


def is_problem(response, status, code):
    document = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    assert (response.status_code, document["status"], document["code"]) == (status, status, code)
    assert document["title"] and document["detail"] and document["type"].endswith(code)
    return document


def test_problems_are_documents_of_rfc_9457(client, xrays):
    is_problem(client.get("/nowhere"), 404, "not-found")
    is_problem(client.get("/v1/predict"), 405, "method-not-allowed")
    is_problem(client.post("/v1/predict", content=b""), 400, "no-image")
    is_problem(client.post("/v1/predict?neighbors=many", content=xrays[0]), 422, "parameters")
    is_problem(client.post("/v1/predict?model=<b>", content=xrays[0]), 404, "model")
    is_problem(client.post("/v1/explain?target=<b>", content=xrays[0]), 422, "unusable")
    is_problem(client.post("/v1/explain", content=b"text"), 422, "not-an-image")


@pytest.mark.parametrize(
    "body",
    [b"", b"--x", b"--x\r\n\r\nhalf", b"--y\r\nContent-Disposition: form-data\r\n\r\ndata\r\n--y--\r\n"],
)
def test_half_a_form_is_malformed(client, body):
    response = client.post("/v1/predict", content=body, headers={"content-type": "multipart/form-data; boundary=x"})
    is_problem(response, 400, "malformed")
    response = client.post("/v1/predict", content=body, headers={"content-type": "multipart/form-data"})
    is_problem(response, 400, "malformed")


def test_large_bodies_are_refused_declared_or_chunked(make_client):
    client = make_client(max_bytes=10_000)

    def chunks():
        for _ in range(20):
            yield bytes(1000)

    is_problem(client.post("/v1/predict", content=bytes(10_001)), 413, "too-large")
    is_problem(client.post("/v1/predict", content=chunks()), 413, "too-large")
    assert client.room.memory.used == 0


def test_too_many_images_are_refused(make_client, xrays):
    client = make_client(max_images=2)
    files = [("image", ("x", data)) for data in xrays[:3]]
    is_problem(client.post("/v1/predict", files=files), 413, "too-many")


def test_a_full_queue_is_503_with_a_time_and_says_so_when_asked(make_client, xrays):
    client = make_client(queue=2)
    with client.room.admission.take(2):
        response = client.post("/v1/predict", content=xrays[0])
        is_problem(response, 503, "busy")
        assert 1 <= int(response.headers["retry-after"]) <= 60
        assert "queue full" in is_problem(client.get("/readyz"), 503, "not-ready")["detail"]
        assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").status_code == 200
    assert client.post("/v1/predict", content=xrays[0]).status_code == 200


def test_memory_for_requests_is_bounded(make_client, xrays):
    client = make_client(memory_bytes=100)
    response = client.post("/v1/predict", content=xrays[0])
    is_problem(response, 503, "busy")
    assert "retry-after" in response.headers and client.room.memory.used == 0


def test_ready_tells_of_a_start_a_stop_and_a_dead_model(predictors):
    app, room = create_app(predictors, Settings(workers=1))
    bare = TestClient(app, base_url="http://127.0.0.1")  # without its start
    assert "starting" in bare.get("/readyz").json()["detail"]
    with TestClient(app, base_url="http://127.0.0.1") as client:
        assert client.get("/readyz").status_code == 200
        worker = room.models["m"].worker
        worker._task.get_loop().call_soon_threadsafe(worker._task.cancel)
        threading.Event().wait(0.1)
        assert "model m" in client.get("/readyz").json()["detail"]
    assert "shutting down" in bare.get("/readyz").json()["detail"]


def test_a_stuck_network_is_not_ready(make_client, monkeypatch):
    client = make_client()
    monkeypatch.setattr("hilum.serving.http.worker.STUCK", -1.0)
    client.room.models["m"].worker._since = 0.0
    assert client.get("/readyz").status_code == 503


def test_a_token_is_asked_for_everywhere_but_on_the_page_and_by_watchers(make_client, xrays):
    client = make_client(host="0.0.0.0", token=TOKEN)
    for path in ("/v1/models", "/metrics", "/openapi.json"):
        response = client.get(path)
        is_problem(response, 401, "token")
        assert response.headers["www-authenticate"].startswith("Bearer")
        assert client.get(path, headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200
    for wrong in (f"Bearer {TOKEN[:-1]}", f"Basic {TOKEN}", TOKEN, "Bearer é".encode()):
        is_problem(client.post("/v1/predict", content=xrays[0], headers={"authorization": wrong}), 401, "token")
    for path in ("/", "/healthz", "/readyz", "/page.js"):
        assert client.get(path).status_code == 200


@pytest.mark.parametrize(
    "bounds",
    [{"host": "0.0.0.0"}, {"host": "xray.example"}, {"host": "::"}, {"token": "short"}, {"port": 70000}, {"queue": 0}],
)
def test_unsafe_or_senseless_settings_are_refused(bounds):
    with pytest.raises(UsageError):
        Settings(**bounds)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.0.0.5"])
def test_loopback_needs_no_token(host):
    assert Settings(host=host).is_loopback


def test_other_names_and_other_sites_are_refused(client, xrays):
    is_problem(client.get("/", headers={"host": "evil.example"}), 421, "host")
    is_problem(client.get("/", headers={"host": "127.0.0.1.evil.example"}), 421, "host")
    for headers in (
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"},
    ):
        is_problem(client.post("/v1/predict", content=xrays[0], headers=headers), 403, "origin")
    own = {"origin": "http://127.0.0.1:8000", "sec-fetch-site": "same-origin"}
    response = client.post("/v1/predict", content=xrays[0], headers=own)
    assert response.status_code == 200
    assert not [name for name in response.headers if name.startswith("access-control")]


def test_every_answer_carries_the_strict_headers(client):
    for path in ("/", "/v1/models", "/nowhere", "/page.js", "/metrics"):
        headers = client.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff" and headers["cache-control"] == "no-store"


def test_nothing_else_of_the_disk_is_served(client):
    for path in ("/../app.py", "/%2e%2e/app.py", "/index.html", "/page/index.html", "//etc/passwd"):
        assert client.get(path).status_code in (404, 405)


def test_explain_gives_the_map_that_the_model_gives(client, predictors, xrays):
    document = client.post("/v1/explain?target=viral&against=normal", content=xrays[0]).json()
    found = predictors["m"].explain(xrays[0], target="viral", against="normal")
    assert document["map"]["label"] == "viral" and document["map"]["layer"] == found.layer
    assert document["probs"] == pytest.approx(dict(found.probs), abs=1e-5)
    picture = client.post("/v1/explain", content=xrays[0], headers={"accept": "image/png"})
    assert picture.headers["content-type"] == "image/png" and picture.content.startswith(b"\x89PNG")


def test_an_exported_model_has_no_heat_maps_and_says_so(make_client, exports, xrays):
    client = make_client(models=load_models([exports["onnx"]]))
    (model,) = client.get("/v1/models").json()["models"]
    assert not model["explains"]
    is_problem(client.post("/v1/explain", content=xrays[0]), 409, "no-heat-map")
    assert client.post("/v1/predict", content=xrays[0]).json()["results"][0]["status"] == "ok"


def test_models_carry_figures_with_intervals_and_limits(make_client, model_file, tmp_path):
    place = tmp_path / "study" / "run"
    place.mkdir(parents=True)
    shutil.copy(model_file, place / "model.safetensors")
    client = make_client(models=load_models([place / "model.safetensors"]))
    (model,) = client.get("/v1/models").json()["models"]
    assert model["name"] == "run" and model["figures"] is None
    assert any("No figures" in sentence for sentence in model["limits"])
    (place / "metrics.json").write_text(json.dumps({"val": evaluation_json("val"), "test": evaluation_json("test")}))
    finding = {"run": "run", "sentence": "It looks at the marker."}
    (place.parent / "guards.json").write_text(json.dumps({"findings": [finding, {"run": "b", "sentence": "other"}]}))
    client = make_client(models=load_models([place / "model.safetensors"]))
    (model,) = client.get("/v1/models").json()["models"]
    assert (model["figures"]["split"], model["figures"]["images"]) == ("test", 90)
    assert all(each["ci_low"] <= each["value"] <= each["ci_high"] for each in model["figures"]["overall"])
    assert sum(each["of"] for each in model["figures"]["classes"]) == 90
    assert "It looks at the marker." in model["limits"] and "other" not in model["limits"]


def test_neighbours_come_without_paths(make_client, index_of, predictors, model_file, xrays, tmp_path):
    path = index_of(predictors["m"], xrays, tmp_path)
    client = make_client(indexes={"m": path})
    (row,) = client.post("/v1/predict?neighbors=3", content=xrays[4]).json()["results"]
    cases = row["neighbors"]["cases"]
    assert cases[0]["case"] == 4 and cases[0]["distance"] == pytest.approx(0, abs=1e-3)
    assert row["neighbors"]["seen_in_training"]
    assert "secret" not in json.dumps(row)
    (row,) = client.post("/v1/predict?neighbors=3&picture=true", content=xrays[4]).json()["results"]
    assert row["neighbors"]["cases"][0]["picture"]["bits"] == 8
    with pytest.raises(DataError):
        create_app(predictors, indexes={"m": model_file})


def test_metrics_are_what_prometheus_reads(client, xrays):
    client.post("/v1/predict", files=[("i", xrays[0]), ("i", b"text")])
    lines = client.get("/metrics").text.splitlines()
    assert 'hilum_images_total{model="m",outcome="ok"} 1' in lines
    assert 'hilum_images_total{model="m",outcome="not-an-image"} 1' in lines
    assert 'hilum_requests_total{route="/v1/predict",status="200"} 1' in lines
    assert "hilum_accepted_total 1" in lines and "hilum_answered_total 1" in lines and "hilum_ready 1" in lines
    for line in lines:
        assert line.startswith("# ") or float(line.rpartition(" ")[2]) >= 0


def test_openapi_has_an_example_of_every_answer(client):
    document = client.get("/openapi.json").json()
    for path in ("/v1/predict", "/v1/explain"):
        post = document["paths"][path]["post"]
        assert "application/dicom" in post["requestBody"]["content"]
        assert post["responses"]["200"]["content"]["application/json"]["example"]["not_for"]
        for status in ("400", "408", "413", "503"):
            assert "application/problem+json" in post["responses"][status]["content"]


def test_a_request_whose_client_left_is_no_fault(client, caplog):
    async def gone():
        return {"type": "http.disconnect"}

    async def send(message):
        pass

    scope = {
        "type": "http", "method": "POST", "path": "/v1/predict", "raw_path": b"/v1/predict", "query_string": b"",
        "headers": [(b"host", b"127.0.0.1")], "http_version": "1.1", "scheme": "http", "server": ("127.0.0.1", 80),
        "client": None, "root_path": "",
    }  # fmt: skip
    asyncio.run(client.app(scope, gone, send))
    assert client.room.admission.images == 0


def evaluation_json(split):
    labels = LabelSet(("normal", "bacterial", "viral"))
    rows = pd.DataFrame(
        {
            "image_path": [f"{number}.png" for number in range(90)],
            "patient_id": [str(number) for number in range(90)],
            "split": split,
            "label": [labels.names[number % 3] for number in range(90)],
        }
    )
    logits = np.random.default_rng(0).normal(size=(90, 3))
    return evaluate(Predictions.of(rows, logits, labels), replicates=50).to_json()
