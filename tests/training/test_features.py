"""What a frozen backbone gives, by whichever engine: the same embeddings within noise, and the same head."""

import numpy as np
import pytest
import torch

from hilum.inference import choose
from hilum.inference.memory import _memory, remembering
from hilum.models import create_model
from hilum.training.datamodule import Examples
from hilum.training.features import AugmentedRows, feature_examples
from hilum.transforms import Augmentation, Preprocessing

PREPROCESSING = Preprocessing(image_size=64)
AUGMENTATION = Augmentation(rotation=10, flip=0.5)


@pytest.fixture
def examples():
    generator = np.random.default_rng(0)
    target = generator.integers(0, 2, 80)
    canvases = (generator.integers(0, 120, (80, 64, 64)) + 100 * target[:, None, None]).astype(np.uint8)
    return Examples(canvases, target.astype(np.int64))


def features(examples, engine, monkeypatch):
    monkeypatch.setenv("HILUM_ENGINE", engine)
    monkeypatch.setattr(choose, "WORTH", 0.0)
    model = create_model("cnn-tiny", num_classes=2, image_size=64, seed=2)
    return feature_examples(
        model, examples, preprocessing=PREPROCESSING, augmentation=AUGMENTATION, views=2, seed=1,
        device=torch.device("cpu"),
    )  # fmt: skip


def test_engines_give_the_same_features_within_noise(examples, monkeypatch):
    plain, fast = (features(examples, engine, monkeypatch) for engine in ("torch", "auto"))
    assert plain.shape == fast.shape and plain.shape[:2] == (2, 80)
    length = np.linalg.norm(plain, axis=2)
    noise = np.linalg.norm(fast - plain, axis=2) / length
    changed = np.linalg.norm(plain[1] - plain[0], axis=1) / length[0]
    assert noise.max() < 0.03 and np.median(noise) < np.median(changed) / 5


def test_a_linear_head_on_either_calls_the_same_images(examples, monkeypatch):
    from sklearn.linear_model import LogisticRegression

    plain, fast = (features(examples, engine, monkeypatch)[0] for engine in ("torch", "auto"))
    calls = [LogisticRegression(max_iter=1000).fit(each[:40], examples.targets[:40]) for each in (plain, fast)]
    first, second = (head.predict_proba(each[40:])[:, 1] for head, each in zip(calls, (plain, fast), strict=True))
    assert np.abs(first - second).max() < 0.02


def test_many_features_lie_in_a_file_and_are_the_same(examples, tmp_path, monkeypatch):
    monkeypatch.setenv("HILUM_ENGINE", "torch")
    model = create_model("cnn-tiny", num_classes=2, image_size=64, seed=2)
    options = {"augmentation": AUGMENTATION, "views": 2, "seed": 1, "device": torch.device("cpu")}
    held = feature_examples(model, examples, preprocessing=PREPROCESSING, **options)
    monkeypatch.setattr("hilum.training.features.IN_MEMORY", 1000)
    monkeypatch.setattr("hilum.training.features.BLOCK", 30)
    file = tmp_path / "checkpoints" / "features.npy"
    mapped = feature_examples(model, examples, preprocessing=PREPROCESSING, file=file, **options)
    assert isinstance(mapped, np.memmap) and not mapped.flags.writeable
    np.testing.assert_allclose(mapped, held, atol=1e-5)


def test_a_head_trains_on_features_in_a_file_as_in_memory(examples, tmp_path, monkeypatch):
    from hilum.models.stages import mark_trained
    from hilum.training.fit import Settings, fit
    from hilum.training.phase import Phase

    losses = []
    for size in (1 << 30, 1000):
        monkeypatch.setattr("hilum.training.features.IN_MEMORY", size)
        model = create_model("cnn-tiny", num_classes=2, image_size=64, seed=2)
        mark_trained(model)
        settings = Settings(augmentation=AUGMENTATION, precision="32", overfit_check=False)
        result = fit(
            model, examples, examples, preprocessing=PREPROCESSING, phases=[Phase(max_epochs=2, train="head", views=2)],
            settings=settings, run_dir=tmp_path / str(size), device=torch.device("cpu"),
        )  # fmt: skip
        losses.append([row["val_loss"] for row in result.history])
        assert not list(tmp_path.rglob("*features*"))
    np.testing.assert_allclose(*losses, atol=1e-6)


def test_augmented_rows_are_the_same_each_time(examples):
    rows = AugmentedRows(examples.inputs, AUGMENTATION, 1, 1)
    np.testing.assert_array_equal(rows[3:9], rows[0:20][3:9])
    assert not np.array_equal(rows[0:5], examples.inputs[0:5])


def test_a_study_computes_the_plain_pictures_exactly_since_it_asks_for_them_again(examples, monkeypatch):
    pytest.importorskip("openvino")
    plain = features(examples, "torch", monkeypatch)
    with remembering():
        found = features(examples, "openvino", monkeypatch)
        assert _memory.get().used == found[0].nbytes
    np.testing.assert_allclose(found[0], plain[0], atol=1e-4)
    rough = np.linalg.norm(found[1] - plain[1], axis=1) / np.linalg.norm(plain[1], axis=1)
    assert rough.max() < 0.03
