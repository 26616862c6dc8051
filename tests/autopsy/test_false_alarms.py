"""Sound reports stay sound; planted faults are found. Thousands: `python benchmarks/autopsy_false_alarms.py`."""

import pytest

from hilum.autopsy import take_apart
from hilum.autopsy.faults import FAULTS
from hilum.autopsy.reading_json import report_of
from hilum.autopsy.simulate import draw_report

REPORTS = 40
SEEDS = 4


def examine(document):
    return take_apart(report_of(document, "drawn"))


@pytest.mark.parametrize("decimals", [1, 2, 3, 4])
def test_sound_reports_have_no_contradiction(decimals):
    odd = 0
    for seed in range(decimals, REPORTS + decimals, 4):
        found = examine(draw_report(seed, decimals=decimals).document)
        assert not found.impossible, (seed, found.impossible)
        odd += found.counts()["suspicious"] > 0
    assert odd <= 3


@pytest.mark.parametrize(
    ("fault", "decimals", "severity"),
    [
        ("other-accuracy", 2, "impossible"),
        ("mistyped-digit", 3, "impossible"),
        ("shuffled-matrix", 2, "impossible"),
        ("wrong-cell", 2, "impossible"),
        ("class-order", 2, "impossible"),
        ("swapped-columns", 3, "suspicious"),
        ("shuffled-alone", 3, "suspicious"),
        ("copied-row", 4, "suspicious"),
        ("other-sample", 4, "impossible"),
        ("wrong-f1", 3, "impossible"),
        ("exchanged", 4, "impossible"),
        ("low-auroc", 3, "impossible"),
        ("narrow-interval", 4, "suspicious"),
    ],
)
def test_a_planted_fault_is_found(fault, decimals, severity):
    counts = [examine(FAULTS[fault](seed, decimals)).counts()[severity] > 0 for seed in range(SEEDS)]
    assert sum(counts) >= SEEDS - 1


@pytest.mark.parametrize("seed", range(3))
def test_the_same_seed_draws_the_same_report(seed):
    assert draw_report(seed).document == draw_report(seed).document
