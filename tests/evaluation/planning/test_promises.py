"""Planned numbers of images against simulation, within two points of power and coverage.

`benchmarks/planner_power.py` looks at more settings with more sets; PLANNER_SETS does so here.
"""

import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest

from hilum.evaluation.planning import Clustering

SETS = int(os.environ.get("PLANNER_SETS", "1500"))
ALONE, PAIRS = Clustering(), Clustering(2, 2, 0.5)


@pytest.fixture(scope="module")
def bench():
    path = Path(__file__).parents[3] / "benchmarks" / "planner_power.py"
    spec = importlib.util.spec_from_file_location("planner_power", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def allowed(share):
    """Two points, and three standard errors of as many sets."""
    return 0.02 + 3 * np.sqrt(share * (1 - share) / SETS) / 2


@pytest.mark.parametrize(("share", "within", "clustering"), [(0.9, 0.02, ALONE), (0.9, 0.03, PAIRS)])
def test_an_interval_is_as_wide_as_planned_and_holds_the_truth(bench, share, within, clustering):
    _, held, half = bench.coverage(share, within, clustering, SETS // 2, 1)
    assert half == pytest.approx(within, abs=0.001) and abs(held - 0.95) < allowed(0.95)


@pytest.mark.parametrize(("discordant", "clustering"), [(0.06, ALONE), (0.122, PAIRS)])
def test_mcnemar_sees_what_was_planned(bench, discordant, clustering):
    _, seen = bench.paired(0.92, 0.95, discordant, clustering, SETS, 2)
    assert abs(seen - 0.8) < allowed(0.8)


def test_patients_taken_for_images_would_break_the_promise(bench, monkeypatch):
    """The test above can fail: planned as if the images of a patient were strangers."""
    planned = bench.shares.images_to_tell_paired
    monkeypatch.setattr(bench.shares, "images_to_tell_paired", lambda d, share, _: planned(d, share, ALONE))
    _, seen = bench.paired(0.92, 0.95, 0.122, PAIRS, SETS // 2, 3)
    assert seen < 0.7


@pytest.mark.parametrize("clustering", [ALONE, PAIRS])
def test_shares_of_other_images_are_told_apart_as_planned(bench, clustering):
    _, seen = bench.unpaired(0.88, 0.93, clustering, SETS, 4)
    assert abs(seen - 0.8) < allowed(0.8)


@pytest.mark.parametrize(
    ("second", "prevalence", "correlation", "clustering"),
    [(0.9, 0.4, 0.5, PAIRS), (0.9, 0.3, 0.8, ALONE), (0.92, 0.5, 0.0, ALONE)],
)
def test_delong_sees_what_was_planned(bench, second, prevalence, correlation, clustering):
    _, seen = bench.area_power(0.85, second, prevalence, correlation, clustering, SETS, 5)
    assert abs(seen - 0.8) < allowed(0.8)


def test_an_area_gets_the_interval_that_was_planned(bench):
    _, held, half = bench.area_coverage(0.9, 0.03, 0.4, PAIRS, SETS, 6)
    assert half == pytest.approx(0.03, abs=0.0015) and abs(held - 0.95) < allowed(0.95)
