"""What a study may take, and for what."""

import pytest

from hilum.workflow.clock import LEAST_LOOKING, Clock, budget_of
from hilum.workflow.options import CPU_BUDGET, DRAWN_BUDGET, Options
from hilum.workflow.voice import Silent


def clock(budget, elapsed=0.0):
    made = Clock(budget)
    made.started -= elapsed
    return made


def test_training_leaves_the_end_of_the_budget_to_what_follows():
    assert 0.6 * 840 < clock(840.0).left() < 0.85 * 840
    assert clock(840.0, elapsed=400).left() == pytest.approx(clock(840.0).left() - 400, abs=1)
    assert clock(840.0, elapsed=2000).left() == 1.0
    assert clock(None).left() is None


@pytest.mark.parametrize(
    ("elapsed", "trained", "least", "most"),
    [
        (60, 40, LEAST_LOOKING, LEAST_LOOKING),  # a head trained in seconds: nobody waits minutes for pictures of it
        (100, 90, 45, 45),  # half of what the run took
        (600, 560, 190, 200),  # what training left over
        (830, 800, 100, 120),  # what was kept for it, however late it is
    ],
)
def test_looking_takes_half_of_what_the_run_took_and_no_more_than_there_is(elapsed, trained, least, most):
    assert least - 1 <= clock(840.0, elapsed).for_inspection(trained) <= most + 1


def test_without_a_budget_looking_still_ends():
    assert clock(None).for_inspection(10_000.0) == 240.0
    assert clock(None).for_inspection(0.0) == LEAST_LOOKING


def test_stages_are_told_with_their_seconds():
    made = clock(10.0)
    with made.stage("data", Silent()):
        pass
    assert made.stages == [{"name": "data", "seconds": pytest.approx(0.0, abs=0.5)}]


def test_what_was_asked_for_comes_before_what_is_usual():
    assert budget_of(Options(device="cpu"), drawn=True) == DRAWN_BUDGET
    assert budget_of(Options(device="cpu"), drawn=False) == CPU_BUDGET
    assert budget_of(Options(device="cpu", time_budget=33.0), drawn=True) == 33.0
