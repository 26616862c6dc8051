"""How far pictures lie from those of training: against scipy, silent where nothing moved."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import stats

from hilum.evaluation.shift import (
    FIGURES,
    describe_pictures,
    find_shift,
    picture_figures,
    shift_to_json,
    spread_positions,
)


def _pictures(count: int, seed: int, lighter: float = 0.0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    level = generator.normal(110 + lighter, 12, (count, 1, 1))
    return np.clip(level + generator.normal(0, 25, (count, 28, 28)), 0, 255).astype(np.uint8)


def test_figures_are_what_they_say() -> None:
    pictures = _pictures(5, 0)
    found = picture_figures(pictures)
    assert set(found) == set(FIGURES)
    assert found["brightness"] == pytest.approx(pictures.mean(axis=(1, 2)) / 255, rel=1e-4)
    framed = np.zeros((1, 28, 28), np.uint8)
    framed[:, 4:-4, 4:-4] = 255
    assert picture_figures(framed)["border"][0] == 0 and picture_figures(255 - framed)["border"][0] == pytest.approx(1)
    assert picture_figures(np.full((1, 28, 28), 9, np.uint8))["sharpness"][0] == 0


def test_the_distance_is_that_of_scipy() -> None:
    one, other = (picture_figures(_pictures(n, seed, lighter)) for n, seed, lighter in ((900, 1, 0), (300, 2, 8)))
    found = {each.name: each for each in find_shift(describe_pictures(one), other)}
    for name in FIGURES:
        assert found[name].distance == pytest.approx(stats.ks_2samp(one[name], other[name]).statistic, abs=0.03)


@pytest.mark.parametrize("seed", range(5))
def test_the_same_kind_of_pictures_and_lighter_ones(seed: int) -> None:
    training = json.loads(json.dumps(describe_pictures(picture_figures(_pictures(600, seed)))))
    same = find_shift(training, picture_figures(_pictures(400, 100 + seed)))
    assert max(each.distance for each in same) < 0.12 and max(each.outside for each in same) < 0.12
    lighter = find_shift(training, picture_figures(_pictures(400, 200 + seed, lighter=40)))
    assert {each.name for each in lighter[:2]} == {"brightness", "border"} and lighter[0].outside > 0.7
    assert shift_to_json(lighter)[0]["meaning"]


def test_positions_are_spread() -> None:
    assert spread_positions(5).tolist() == [0, 1, 2, 3, 4]
    assert len(spread_positions(10_000)) == 1000 and spread_positions(10_000)[-1] == 9999
