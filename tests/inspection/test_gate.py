"""The gate: refuses what it was meant to, tells what is strange, and travels in a model file's header."""

import json
import subprocess
import sys

import numpy as np
import pytest

from hilum.errors import DataError
from hilum.inspection.gate import Gate, fit_gate, picture_looks, thumbnails


def pictures(count, seed=0, side=64):
    """Two dark lungs in a bright body, a little different each time."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[0:side, 0:side] / side
    drawn = []
    for _ in range(count):
        a, b = generator.normal(0.3, 0.02), generator.normal(0.7, 0.02)
        lungs = sum(np.exp(-(((x - centre) / 0.12) ** 2) - ((y - 0.45) / 0.28) ** 2) for centre in (a, b))
        heart = np.exp(-(((x - 0.56) / 0.1) ** 2) - ((y - 0.62) / 0.12) ** 2)
        picture = 170 - 130 * lungs + 50 * heart + 40 * (y > 0.8) + generator.normal(0, 4, (side, side))
        drawn.append(np.clip(picture * generator.normal(1, 0.05), 0, 255))
    return np.array(drawn, np.uint8)


def embed(canvas):
    """A poor network: a few random projections of a very small picture."""
    weights = np.random.default_rng(7).standard_normal((64, 20)).astype(np.float32)
    return thumbnails(canvas, 8) @ weights


@pytest.fixture(scope="module")
def gate():
    train, val = pictures(200), pictures(200, 1)
    return fit_gate(embed(train), train, embed(val), val)


def refused(gate, canvas):
    return (gate.score(embed(canvas), canvas) > gate.threshold).mean()


def test_one_in_a_hundred_is_refused_on_validation_and_few_more_on_new_pictures(gate):
    val = pictures(200, 1)
    assert (gate.score(embed(val), val) > gate.threshold).sum() == gate.refused <= 2
    assert (gate.fitted_on, gate.tried_on, gate.rejection) == (200, 200, 0.01)
    assert refused(gate, pictures(400, 2)) < 0.05


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("noise", lambda canvas: np.random.default_rng(0).integers(0, 256, canvas.shape).astype(np.uint8)),
        ("blank", lambda canvas: np.full_like(canvas, 128)),
        ("black", lambda canvas: np.zeros_like(canvas)),
        ("inverted", lambda canvas: 255 - canvas),
        ("on its side", lambda canvas: np.rot90(canvas, axes=(1, 2))),
        ("upside down", lambda canvas: canvas[:, ::-1]),
        ("squeezed", lambda canvas: np.concatenate([canvas[:, :, ::2]] * 2, axis=2)),
    ],
)
def test_what_is_no_chest_x_ray_is_refused(gate, name, change):
    assert refused(gate, np.ascontiguousarray(change(pictures(40, 3)))) == 1


def test_an_embedding_that_is_strange_is_enough(gate):
    canvas = pictures(20, 4)
    assert (gate.score(embed(canvas) + 50, canvas) > gate.threshold).all()


def test_the_gate_works_where_the_embedding_says_nothing():
    train, val, odd = pictures(200), pictures(200, 1), 255 - pictures(20, 3)
    nothing = [np.zeros((len(each), 12), np.float32) for each in (train, val, odd)]
    gate = fit_gate(nothing[0], train, nothing[1], val)
    assert (gate.score(nothing[2], odd) > gate.threshold).all()


def test_json_brings_the_gate_back(gate):
    text = json.dumps(gate.to_json(), allow_nan=False)
    again = Gate.from_json(json.loads(text))
    canvas = pictures(30, 5)
    assert again.score(embed(canvas), canvas) == pytest.approx(gate.score(embed(canvas), canvas), abs=1e-12)
    with pytest.raises(DataError, match=r"hilum\.gate/1"):
        Gate.from_json({**gate.to_json(), "schema": "other"})


@pytest.mark.parametrize("dims", [1280, 2048, 25088])
def test_it_fits_into_a_header_however_long_the_embedding_is(dims):
    canvas = pictures(220)
    embedding = np.random.default_rng(0).standard_normal((220, dims)).astype(np.float32)
    gate = fit_gate(embedding[:120], canvas[:120], embedding[120:], canvas[120:])
    assert len(json.dumps(gate.to_json())) < 1_000_000
    assert (gate.score(embedding[:9] * 5, canvas[:9]) > gate.threshold).all()


def test_another_embedding_is_an_error_and_so_are_too_few_pictures(gate):
    canvas = pictures(4)
    with pytest.raises(DataError, match="expected 20 numbers, found 21"):
        gate.score(np.zeros((4, 21), np.float32), canvas)
    with pytest.raises(DataError, match="training pictures: expected at least 8, found 4"):
        fit_gate(embed(canvas), canvas, embed(canvas), canvas)


def test_more_pictures_than_embeddings_may_train_it():
    train, val = pictures(200), pictures(200, 1)
    gate = fit_gate(embed(train[:60]), train, embed(val), val)
    assert gate.fitted_on == 200 and refused(gate, 255 - pictures(20, 3)) == 1


def test_which_way_up_is_seen_by_one_look(gate):
    canvas = pictures(30, 6)
    upright = list(gate.looks).index("upright")
    for turned in (canvas[:, ::-1], canvas[:, ::-1, ::-1]):
        assert (gate.parts(embed(turned), np.ascontiguousarray(turned))[:, upright] > gate.threshold).all()
    assert (gate.parts(embed(canvas), canvas)[:, upright] > gate.threshold).mean() < 0.1


def test_thumbnails_are_means_of_fields():
    canvas = np.random.default_rng(0).integers(0, 256, (3, 48, 48)).astype(np.uint8)
    expected = canvas.reshape(3, 24, 2, 24, 2).mean(axis=(2, 4)).reshape(3, -1) / 255
    assert thumbnails(canvas) == pytest.approx(expected, abs=1e-6)
    assert thumbnails(canvas[:, :50, :50], 7).shape == (3, 49)
    assert np.isfinite(picture_looks(np.zeros((2, 17, 17), np.uint8))).all()


def test_scoring_needs_no_torch_and_nothing_else_that_is_heavy():
    code = (
        "import sys, hilum.inspection.gate; "
        "heavy = [m for m in ('torch', 'sklearn', 'scipy', 'pandas', 'cv2') if m in sys.modules]; sys.exit(bool(heavy))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
