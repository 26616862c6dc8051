"""What is remembered is what would have been computed; nothing is run twice for the same picture."""

import numpy as np
import pytest

from hilum.inference.engine import GraphEngine, Outputs
from hilum.inference.memory import Memory, Remembering, remembering, with_memory
from hilum.inference.predict import embed_images, predict_logits
from hilum.models import create_model
from hilum.transforms import Preprocessing


class Counting(GraphEngine):
    """Says of a picture its mean and its first two pixels, and how many it was asked about."""

    kind = "openvino"

    def __init__(self, precision="32"):
        super().__init__(precision)
        self.asked = 0

    def both(self, canvases):
        self.asked += len(canvases)
        mean = canvases.reshape(len(canvases), -1).mean(1, dtype=np.float32)
        return Outputs(np.stack([mean, -mean], 1), canvases[:, 0, :2].astype(np.float32))


@pytest.fixture
def canvases():
    return np.random.default_rng(0).integers(0, 256, (20, 8, 8), dtype=np.uint8)


def test_each_picture_is_asked_about_once_in_whatever_batch_it_comes(canvases):
    engine, fresh = Counting(), Counting()
    asking = Remembering(engine, Memory())
    for rows in (slice(0, 8), slice(4, 20), [3, 3, 19, 0], slice(0, 20)):
        for ours, wanted in zip(asking.both(canvases[rows]), fresh.both(canvases[rows]), strict=True):
            assert (ours == wanted).all()
    assert engine.asked == 20
    assert asking.logits(canvases[:3]).shape == (3, 2)
    assert engine.asked == 20


def test_another_engine_starts_with_nothing(canvases):
    memory, first, second = Memory(), Counting(), Counting()
    Remembering(first, memory).both(canvases)
    Remembering(second, memory).both(canvases)
    assert first.asked == second.asked == 20


def test_more_than_there_is_room_for_is_forgotten_not_kept(canvases):
    engine = Counting()
    asking = Remembering(engine, Memory(room=16 * 10))
    for _ in range(3):
        for start in range(0, 20, 4):
            wanted = Counting().both(canvases[start : start + 4])
            assert (asking.both(canvases[start : start + 4]).embedding == wanted.embedding).all()
    assert engine.asked == 60
    assert asking.memory.used <= 160


def test_only_exact_arithmetic_within_the_context_is_remembered():
    exact, rough = Counting(), Counting("bf16")
    assert with_memory(exact) is exact
    with remembering():
        assert isinstance(with_memory(exact), Remembering)
        assert with_memory(rough) is rough
    assert with_memory(exact) is exact


def test_a_study_asks_openvino_once_for_logits_and_embeddings(monkeypatch):
    pytest.importorskip("openvino")
    run, keep = [], Memory._keep
    monkeypatch.setattr(Memory, "_keep", lambda self, fresh: run.append(len(fresh)) or keep(self, fresh))
    model = create_model("cnn-tiny", num_classes=2, in_channels=1, image_size=32).eval()
    preprocessing = Preprocessing(image_size=32, channels=1)
    canvases = np.random.default_rng(1).integers(0, 256, (24, 32, 32), dtype=np.uint8)
    wanted = [ask(model, canvases, preprocessing, engine="openvino") for ask in (predict_logits, embed_images)]
    with remembering():
        found = [ask(model, canvases, preprocessing, engine="openvino") for ask in (predict_logits, embed_images)]
        again = predict_logits(model, canvases[::-1], preprocessing, engine="openvino", batch_size=7)
    assert sum(run) == len(canvases)
    for ours, theirs in zip(found, wanted, strict=True):
        assert np.allclose(ours, theirs, atol=1e-5)
    assert (again[::-1] == found[0]).all()
