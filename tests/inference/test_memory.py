"""What is remembered is what would have been computed; nothing is run twice for the same picture."""

import numpy as np
import pytest
import torch

from hilum.inference.engine import GraphEngine, Outputs
from hilum.inference.memory import ROOM, Memory, Remembering, _memory, has_room, remembering, with_memory
from hilum.inference.predict import embed_images, predict_logits
from hilum.models import create_model
from hilum.transforms import Preprocessing


class Counting(GraphEngine):
    """Embeds a picture as its mean and its first two pixels, and counts how many it was asked about."""

    kind = "openvino"

    def __init__(self, precision="32"):
        super().__init__(precision)
        self.asked = 0

    def both(self, canvases):
        self.asked += len(canvases)
        mean = canvases.reshape(len(canvases), -1).mean(1, dtype=np.float32)
        return Outputs(np.stack([mean, -mean], 1), np.c_[mean, canvases[:, 0, :2]].astype(np.float32))


PREPROCESSING = Preprocessing(image_size=32, channels=1)


def network(classes=2, seed=0):
    return create_model("cnn-tiny", num_classes=classes, in_channels=1, image_size=32, seed=seed).eval()


@pytest.fixture
def canvases():
    return np.random.default_rng(0).integers(0, 256, (20, 8, 8), dtype=np.uint8)


def test_each_picture_is_asked_about_once_in_whatever_batch_it_comes(canvases):
    engine, memory = Counting(), Memory()
    for rows in (slice(0, 8), slice(4, 20), [3, 3, 19, 0], slice(0, 20)):
        assert (memory.embed(engine, canvases[rows]) == Counting().embed(canvases[rows])).all()
    assert engine.asked == 20


def test_another_backbone_starts_with_nothing(canvases):
    memory, engine = Memory(), Counting()
    for backbone in ("one", "one", "other"):
        memory.belongs_to(backbone, engine)
        memory.embed(engine, canvases)
    assert engine.asked == 40


def test_more_than_there_is_room_for_is_forgotten_not_kept(canvases):
    engine, memory = Counting(), Memory(room=12 * 10)
    for _ in range(3):
        for start in range(0, 20, 4):
            some = canvases[start : start + 4]
            assert (memory.embed(engine, some) == Counting().embed(some)).all()
    assert engine.asked == 60
    assert memory.used <= 120


def test_only_exact_arithmetic_within_the_context_is_remembered():
    exact, rough, model = Counting(), Counting("bf16"), network()
    assert with_memory(exact, model, PREPROCESSING) is exact
    with remembering():
        assert isinstance(with_memory(exact, model, PREPROCESSING), Remembering)
        assert with_memory(rough, model, PREPROCESSING) is rough
    assert with_memory(exact, model, PREPROCESSING) is exact


def test_there_is_room_within_the_context_for_half_of_it():
    assert not has_room(1, 1)
    with remembering():
        assert has_room(ROOM // 8, 1)
        assert not has_room(ROOM // 8 + 1, 1)


def test_a_head_that_was_trained_on_a_frozen_backbone_is_asked_without_running_it_again(monkeypatch):
    pytest.importorskip("openvino")
    run, keep = [], Memory._keep
    monkeypatch.setattr(Memory, "_keep", lambda self, fresh: run.append(len(fresh)) or keep(self, fresh))
    model = network()
    canvases = np.random.default_rng(1).integers(0, 256, (24, 32, 32), dtype=np.uint8)
    with remembering():
        embed_images(model, canvases, PREPROCESSING, engine="openvino")
        torch.nn.init.normal_(model.head[-1].weight)
        found = predict_logits(model, canvases, PREPROCESSING)
        assert sum(run) == len(canvases)
        torch.nn.init.normal_(next(model.backbone.parameters()))
        changed = predict_logits(model, canvases, PREPROCESSING, engine="openvino")
        assert sum(run) == 2 * len(canvases)
    assert np.allclose(changed, predict_logits(model, canvases, PREPROCESSING, engine="torch"), atol=1e-3)
    assert np.abs(found - changed).max() > 1e-2


def test_another_engine_than_the_remembered_one_runs_where_it_is_insisted_on():
    pytest.importorskip("openvino")
    model = network()
    canvases = np.random.default_rng(1).integers(0, 256, (24, 32, 32), dtype=np.uint8)
    said = []
    with remembering():
        embed_images(model, canvases, PREPROCESSING, engine="openvino")
        embed_images(model, canvases, PREPROCESSING, engine="torch", on_engine=said.append)
        embed_images(model, canvases, PREPROCESSING, on_engine=said.append)
    assert said[0].startswith("torch")
    assert said[1].startswith("OpenVINO")


def test_what_is_remembered_and_no_longer_what_torch_says_is_not_used(monkeypatch):
    pytest.importorskip("openvino")
    model = network()
    canvases = np.random.default_rng(1).integers(0, 256, (24, 32, 32), dtype=np.uint8)
    wanted = embed_images(model, canvases, PREPROCESSING, engine="torch")
    with remembering():
        embed_images(model, canvases, PREPROCESSING, engine="openvino")
        memory = _memory.get()
        memory.answers = {key: answer + 1 for key, answer in memory.answers.items()}
        found = embed_images(model, canvases, PREPROCESSING)
    assert np.allclose(found, wanted, atol=1e-5)


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
