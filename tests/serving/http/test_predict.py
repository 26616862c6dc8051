"""`POST /v1/predict`: the answers are those of the model, each image its own, whatever else is asked."""

import base64
import hashlib
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from hilum.errors import ImageRejected
from hilum.images.encode import to_jpeg, to_png
from hilum.serving.predictor import Predictor


def form(*files):
    return [("image", (f"{number}.png", data)) for number, data in enumerate(files)]


def test_one_image_as_the_body_is_answered_as_the_model_answers_it(client, predictors, xrays):
    document = client.post("/v1/predict", content=xrays[0]).json()
    (row,) = document["results"]
    said = predictors["m"].predict(xrays[0])
    assert row["label"] == said.label and row["status"] == "ok"
    assert row["probs"] == pytest.approx(dict(said.probs), abs=1e-5)
    assert row["sha256"] == hashlib.sha256(xrays[0]).hexdigest()
    assert [each["called"] for each in row["decisions"]] == [each.called for each in said.decisions]
    assert "not a medical device" in document["not_for"]


def test_several_images_keep_their_order_and_a_bad_one_stops_none(client, xrays):
    response = client.post("/v1/predict", files=form(xrays[0], b"no picture", xrays[1], b""))
    rows = response.json()["results"]
    assert [row["image"] for row in rows] == [1, 2, 3, 4]
    assert [row["code"] for row in rows] == [None, "not-an-image", None, "empty"]
    assert rows[2]["sha256"] == hashlib.sha256(xrays[1]).hexdigest()


def test_answers_across_requests_are_not_mixed_up(make_client, predictors, xrays):
    client = make_client(workers=2)
    alone = [predictors["m"].predict(data).probs for data in xrays]
    asked = [number % len(xrays) for number in range(60)]
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda number: client.post("/v1/predict", content=xrays[number]).json(), asked))
    for number, answer in zip(asked, answers, strict=True):
        assert answer["results"][0]["probs"] == pytest.approx(dict(alone[number]), abs=1e-5)
    counts = client.room.metrics.batches.counts[()]
    assert sum(counts) < 60, "no two requests shared a batch"


def test_a_dicom_is_read_and_nothing_of_its_header_comes_back(client, make_dicom):
    data = make_dicom(PatientName="Doe^Jane", PatientID="4711", BodyPartExamined="CHEST", Modality="DX")
    response = client.post("/v1/predict?picture=true", content=data)
    assert response.json()["results"][0]["status"] == "ok"
    text = response.text + client.get("/metrics").text + str(dict(response.headers))
    assert "Doe" not in text and "4711" not in text


def test_a_header_that_speaks_of_a_hand_is_refused_unless_forced(client, make_dicom):
    data = make_dicom(BodyPartExamined="HAND", Modality="DX")
    (row,) = client.post("/v1/predict", content=data).json()["results"]
    assert (row["status"], row["code"], row["probs"]) == ("rejected", "body-part", None)
    assert "--force" not in row["reason"]
    (row,) = client.post("/v1/predict?force=true", content=data).json()["results"]
    assert row["status"] == "ok" and "body-part" in row["warnings"] and row["notes"][-1].startswith("Forced:")


def test_forced_and_plain_requests_side_by_side_keep_their_wish(make_client, make_dicom):
    client, data = make_client(workers=2), make_dicom(BodyPartExamined="HAND", Modality="DX")
    wishes = [number % 2 == 0 for number in range(24)]
    with ThreadPoolExecutor(8) as pool:
        asked = pool.map(lambda force: client.post(f"/v1/predict?force={force}", content=data).json(), wishes)
        statuses = [answer["results"][0]["status"] == "ok" for answer in asked]
    assert statuses == wishes


def test_the_picture_keeps_its_sixteen_bits(client, wide_xray):
    (row,) = client.post("/v1/predict?picture=true", content=to_png(wide_xray)).json()["results"]
    picture = row["picture"]
    stored = cv2.imdecode(np.frombuffer(base64.b64decode(picture["png"]), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    values = stored[..., 0].astype(np.uint16) * 256 + stored[..., 1]
    assert picture["bits"] == 16 and (picture["height"], picture["width"]) == wide_xray.shape
    np.testing.assert_array_equal(values, wide_xray)


def test_the_picture_of_a_jpeg_is_not_the_small_one_of_the_network(client, wide_xray):
    large = cv2.resize((wide_xray >> 8).astype(np.uint8), None, fx=4, fy=4)
    (row,) = client.post("/v1/predict?picture=true", content=to_jpeg(large)).json()["results"]
    assert (row["picture"]["height"], row["picture"]["width"]) == large.shape


def test_names_of_files_do_not_come_back(client, xrays):
    files = [("image", ("Doe_Jane_4711.png", xrays[0])), ("image", ("Doe_Jane_4711.txt", b"text"))]
    response = client.post("/v1/predict", files=files)
    assert response.status_code == 200 and "Doe" not in response.text + client.get("/metrics").text


def test_a_stranger_is_refused_by_the_gate(make_client, model_file, xrays):
    class Strict:
        threshold = 1.0

        def score(self, embedding, canvases):
            return np.full(len(canvases), 2.0)

    predictor = Predictor.load(model_file)
    predictor.gate = Strict()
    client = make_client(models={"m": predictor})
    (row,) = client.post("/v1/predict", content=xrays[0]).json()["results"]
    assert row["code"] == "not-a-chest-xray"
    problem = client.post("/v1/explain", content=xrays[0])
    assert problem.status_code == 422 and problem.json()["code"] == "not-a-chest-xray"
    assert client.post("/v1/explain?force=true", content=xrays[0]).status_code == 200
    with pytest.raises(ImageRejected):
        predictor.predict(xrays[0])


def test_a_failing_network_fails_its_requests_and_not_the_next(make_client, model_file, xrays, caplog):
    predictor = Predictor.load(model_file)
    client, works = make_client(models={"m": predictor}), predictor.predict_pictures

    def fails(pictures, force):
        raise RuntimeError("out of memory")

    predictor.predict_pictures = fails
    response = client.post("/v1/predict", content=xrays[0])
    assert response.status_code == 500 and response.json()["code"] == "internal"
    assert "memory" not in response.text
    predictor.predict_pictures = works
    assert client.post("/v1/predict", content=xrays[0]).status_code == 200
    assert client.room.admission.images == 0 and client.room.memory.used == 0
