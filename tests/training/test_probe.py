"""What is looked at before training."""

import time

import numpy as np
import pytest
import torch
from torch import nn

from hilum.errors import OutOfTime
from hilum.training.probe import MOST_STEPS, check_it_learns

INPUTS = np.random.default_rng(0).normal(size=(16, 8)).astype(np.float32)
TARGETS = np.arange(16) % 2


def look(**options):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 2))
    return check_it_learns(
        network, lambda batch: batch, INPUTS, TARGETS, device=torch.device("cpu"), name="net", **options
    )


def test_a_small_network_learns_a_handful_by_heart():
    assert 1 < look() <= MOST_STEPS


def test_the_look_ends_with_the_time_budget():
    with pytest.raises(OutOfTime, match=r"time budget.*after 0 steps"):
        look(deadline=time.monotonic() - 1)
