"""Converted networks give what torch gives, are used where they pay, and are left where they do not hold."""

import numpy as np
import pytest
import torch

from hilum.errors import ModelFileError, UsageError
from hilum.inference import choose, embed_images, predict_logits
from hilum.inference.engine import average_views, installed_engines, log_softmax, open_graph, wanted_engine
from hilum.inference.graph import to_onnx
from hilum.inference.parity import Parity, difference
from hilum.models import create_model
from hilum.transforms import Preprocessing

PREPROCESSING = Preprocessing(image_size=64, normalisation="imagenet", channels=3)
KINDS = installed_engines()


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch):
    monkeypatch.setattr(choose, "_LATEST", {})


@pytest.fixture
def model():
    return create_model("cnn-tiny", num_classes=3, in_channels=3, image_size=64, dropout=0.5, seed=1)


@pytest.fixture(scope="module")
def canvases():
    return np.random.default_rng(0).integers(0, 256, (21, 64, 64), dtype=np.uint8)


def probs(logits):
    return np.exp(log_softmax(logits))


def test_both_engines_are_there():
    assert KINDS == ("openvino", "onnxruntime")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batch_size", [1, 4, 64])
def test_a_converted_network_says_what_torch_says(model, canvases, kind, batch_size):
    words = []
    logits = predict_logits(model, canvases, PREPROCESSING, engine=kind, batch_size=batch_size, on_engine=words.append)
    expected = predict_logits(model, canvases, PREPROCESSING, engine="torch")
    np.testing.assert_allclose(probs(logits), probs(expected), atol=1e-5)
    assert {"openvino": "OpenVINO", "onnxruntime": "ONNX Runtime"}[kind] in words[0] and "fp32" in words[0]


@pytest.mark.parametrize("kind", KINDS)
def test_embeddings_and_views_too(model, canvases, kind):
    embedding = embed_images(model, canvases, PREPROCESSING, engine=kind)
    np.testing.assert_allclose(embedding, embed_images(model, canvases, PREPROCESSING, engine="torch"), atol=1e-4)
    views = {"views": ("plain", {"name": "turned", "steps": [{"rotation": 10}]}), "view_seed": 3}
    logits = predict_logits(model, canvases, PREPROCESSING, engine=kind, **views)
    expected = predict_logits(model, canvases, PREPROCESSING, engine="torch", **views)
    np.testing.assert_allclose(np.exp(logits), np.exp(expected), atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_the_graph_takes_a_single_sigmoid_and_hidden_layers(canvases, kind):
    model = create_model("cnn-tiny", num_classes=2, in_channels=1, image_size=64, hidden=(8,), output="sigmoid")
    preprocessing = Preprocessing(image_size=64, normalisation="half", channels=1)
    logits = predict_logits(model, canvases, preprocessing, engine=kind)
    assert not logits[:, 0].any() and logits.shape == (21, 2)
    np.testing.assert_allclose(logits, predict_logits(model, canvases, preprocessing, engine="torch"), atol=1e-4)


@pytest.mark.parametrize("images", [1, 2, 5, 21])
def test_a_batch_in_parts_is_the_same_batch(model, canvases, images):
    graph = to_onnx(model, PREPROCESSING)
    whole = open_graph("openvino", graph, threads=1)
    parts = open_graph("openvino", graph, threads=3, batches=True)
    for one, other in zip(whole.both(canvases[:images]), parts.both(canvases[:images]), strict=True):
        assert one.shape == other.shape and one.dtype == other.dtype == np.float32
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_weights_that_changed_are_converted_anew(model, canvases):
    before = predict_logits(model, canvases, PREPROCESSING, engine="openvino")
    with torch.no_grad():
        model.head[-1].weight.mul_(-3)
    after = predict_logits(model, canvases, PREPROCESSING, engine="openvino")
    np.testing.assert_allclose(after, predict_logits(model, canvases, PREPROCESSING, engine="torch"), atol=1e-3)
    assert not np.allclose(before, after, atol=1e-2)


def test_what_was_converted_once_is_used_again(model, canvases, monkeypatch):
    calls = []
    monkeypatch.setattr("hilum.inference.graph.to_onnx", lambda *given: calls.append(given) or to_onnx(*given))
    for _ in range(3):
        predict_logits(model, canvases, PREPROCESSING, engine="onnxruntime")
    assert len(calls) == 1


def test_a_few_images_stay_with_torch_and_many_do_not(model, canvases, monkeypatch):
    words = []
    predict_logits(model, canvases, PREPROCESSING, on_engine=words.append)
    monkeypatch.setattr(choose, "WORTH", 0.0)
    predict_logits(model, canvases, PREPROCESSING, on_engine=words.append)
    assert words[0] == f"torch {torch.__version__.partition('+')[0]} fp32"
    assert words[1].startswith(("OpenVINO", "ONNX Runtime"))
    monkeypatch.setenv("HILUM_ENGINE", "torch")
    predict_logits(model, canvases, PREPROCESSING, on_engine=words.append)
    assert words[2] == words[0]


def test_an_engine_that_says_something_else_is_left_with_a_word_of_why(model, canvases, monkeypatch):
    monkeypatch.setattr(choose, "WORTH", 0.0)
    monkeypatch.setattr(choose, "compare", lambda *_: Parity(0.25, 0.0, 8, 0.0))
    words = []
    logits = predict_logits(model, canvases, PREPROCESSING, on_engine=words.append)
    np.testing.assert_array_equal(logits, predict_logits(model, canvases, PREPROCESSING, engine="torch"))
    assert words[0].startswith("torch") and "OpenVINO 32: probabilities differ by up to 2.5e-01" in words[0]
    with pytest.raises(UsageError, match="engine openvino: expected results as torch gives them"):
        predict_logits(model, canvases, PREPROCESSING, engine="openvino")


def test_a_network_that_cannot_be_written_stays_with_torch(model, canvases, monkeypatch):
    class Odd(torch.nn.Module):
        def forward(self, image):
            return torch.linalg.lstsq(image.flatten(1), image.flatten(1)).solution[:, :8] + image.mean()

    model.backbone = Odd()
    with pytest.raises(ModelFileError, match=r"export of cnn-tiny: .*Use the \.safetensors file"):
        to_onnx(model, PREPROCESSING)


def test_no_engine_installed(model, canvases, monkeypatch):
    monkeypatch.setattr(choose, "WORTH", 0.0)
    monkeypatch.setattr(choose, "installed_engines", lambda: ())
    words = []
    predict_logits(model, canvases, PREPROCESSING, on_engine=words.append)
    assert "neither OpenVINO nor ONNX Runtime is installed" in words[0]


def test_bf16_only_where_it_holds(model, canvases, monkeypatch):
    monkeypatch.setattr(choose, "WORTH", 0.0)
    monkeypatch.setattr("hilum.inference.openvino_engine.has_bf16", lambda: False)
    words = []
    embed_images(model, canvases, PREPROCESSING, precision="auto", on_engine=words.append)
    assert "fp32" in words[0]


def test_unknown_engines_are_refused(monkeypatch):
    with pytest.raises(UsageError, match="one of auto, torch, openvino, onnxruntime, found tensorrt"):
        wanted_engine("tensorrt")
    monkeypatch.setenv("HILUM_ENGINE", "fast")
    with pytest.raises(UsageError, match="HILUM_ENGINE"):
        wanted_engine()


def test_the_mean_of_views_is_that_of_their_probabilities():
    logits = np.random.default_rng(1).normal(size=(3, 5, 4)).astype(np.float32) * 30
    each = np.exp(logits.astype(float)) / np.exp(logits.astype(float)).sum(axis=2, keepdims=True)
    scores = np.stack([log_softmax(one) for one in logits])
    np.testing.assert_allclose(np.exp(average_views(scores)), each.mean(axis=0), atol=1e-6)


def test_differences_are_the_largest_ones_and_nan_is_one():
    from hilum.inference.engine import Outputs

    one = Outputs(np.zeros((2, 2), np.float32), np.ones((2, 4), np.float32))
    other = Outputs(np.float32([[0, 0], [0, np.log(3)]]), np.float32([[1, 1, 1, 1], [1, 1, 1, 2]]))
    parity = difference(other, one)
    assert parity.probability == pytest.approx(0.25) and parity.embedding == pytest.approx(0.5)
    assert not parity.holds("32")
    broken = difference(Outputs(np.full((2, 2), np.nan, np.float32), one.embedding), one)
    assert broken.probability == np.inf


def test_the_same_weights_are_converted_once(model, canvases, monkeypatch):
    monkeypatch.setattr(choose, "WORTH", 0.0)
    written = []
    monkeypatch.setattr(choose, "_written", lambda model, about: written.append(1) or to_onnx(model(), about))
    again = create_model("cnn-tiny", num_classes=3, in_channels=3, image_size=64, dropout=0.5, seed=1)
    other = create_model("cnn-tiny", num_classes=3, in_channels=3, image_size=64, dropout=0.5, seed=2)
    first, second = (predict_logits(each, canvases, PREPROCESSING) for each in (model, again))
    np.testing.assert_allclose(first, second, atol=1e-6)
    assert len(written) == 1
    expected = predict_logits(other, canvases, PREPROCESSING, engine="torch")
    np.testing.assert_allclose(predict_logits(other, canvases, PREPROCESSING), expected, atol=1e-3)
    assert len(written) == 2
