"""The learning rate along a phase, against torch's own schedulers."""

import pytest
import torch

from hilum.errors import RecipeError
from hilum.training.phase import Phase, lr_factor


def torch_lrs(make, epochs):
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = make(optimiser)
    lrs = []
    for _ in range(epochs):
        lrs.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        scheduler.step()
    return lrs


def test_cosine_is_torchs():
    expected = torch_lrs(lambda optimiser: torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 10), 10)
    assert [lr_factor(Phase(schedule="cosine"), epoch, 10) for epoch in range(10)] == pytest.approx(expected)


def test_warm_up_rises_from_nothing_and_the_rest_is_stretched_over_what_is_left():
    phase = Phase(schedule="cosine", warmup_epochs=2)
    assert [lr_factor(phase, epoch, 10) for epoch in (0, 1, 2, 6, 10)] == pytest.approx([0, 0.5, 1, 0.5, 0])


def test_step_and_constant():
    assert [lr_factor(Phase(schedule="step"), epoch, 9) for epoch in (0, 2.9, 3, 6, 9)] == pytest.approx(
        [1, 1, 0.1, 0.01, 0.01]
    )
    assert lr_factor(Phase(), 7.3, 10) == 1


def test_plateau_drops_after_three_epochs_without_gain():
    phase = Phase(schedule="plateau")
    losses = [1.0, 0.9, 0.95, 0.92, 0.91, 0.5, 0.6, 0.6, 0.6, 0.6]
    factors = [lr_factor(phase, epoch, 20, losses[:epoch]) for epoch in range(len(losses) + 1)]
    assert factors[:5] == [1] * 5
    assert factors[5:9] == pytest.approx([0.1] * 4)
    assert factors[9] == pytest.approx(0.01)


@pytest.mark.parametrize(
    "wrong",
    [{"optimiser": "adamm"}, {"schedule": "cos"}, {"max_epochs": 0}, {"lr": 0.0}, {"patience": -1},
     {"layer_decay": 1.2}, {"layer_decay": 0.0}],
)  # fmt: skip
def test_impossible_values(wrong):
    with pytest.raises(RecipeError, match=next(iter(wrong))):
        Phase(**wrong)
