"""Mixup: against the mixed one-hot targets, the same for the same step, and none when it is off."""

import numpy as np
import pytest
import torch

from hilum.training.mixing import draw_mix

INPUTS = torch.randn(6, 1, 4, 4, generator=torch.Generator().manual_seed(0))
LOGITS = torch.randn(6, 3, generator=torch.Generator().manual_seed(1))
TARGET = torch.tensor([0, 1, 2, 0, 1, 2])


def test_off_is_the_very_same_input_and_loss():
    mix, loss = draw_mix(6, 0.0, (0, 0, 0)), torch.nn.CrossEntropyLoss()
    assert mix.blend(INPUTS) is INPUTS
    assert mix.loss(loss, LOGITS, TARGET) == loss(LOGITS, TARGET)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_is_that_of_mixed_targets(smoothing):
    mix = draw_mix(6, 1.0, (0, 1, 2))
    whole = torch.eye(3)[TARGET]
    mixed = (1 - mix.share) * whole + mix.share * whole[mix.other]
    spread = (1 - smoothing) * mixed + smoothing / 3
    expected = -(spread * torch.log_softmax(LOGITS, 1)).sum(1).mean()
    ours = mix.loss(torch.nn.CrossEntropyLoss(label_smoothing=smoothing), LOGITS, TARGET)
    assert float(ours) == pytest.approx(float(expected), rel=1e-5)


def test_a_blend_is_mostly_its_own_picture():
    mix = draw_mix(6, 0.4, (0, 0, 5))
    assert 0 < mix.share <= 0.5
    np.testing.assert_allclose(
        mix.blend(INPUTS), (1 - mix.share) * INPUTS + mix.share * INPUTS[mix.other], rtol=1e-5, atol=1e-6
    )


def test_the_same_step_mixes_alike_and_another_does_not():
    first, again, later = (draw_mix(32, 0.4, (3, 1, step)) for step in (7, 7, 8))
    assert first.share == again.share and torch.equal(first.other, again.other)
    assert first.share != later.share and not torch.equal(first.other, later.other)


def test_shares_follow_the_beta_distribution():
    shares = np.array([draw_mix(2, 0.4, (0, 0, step)).share for step in range(2000)])
    drawn = np.random.default_rng(0).beta(0.4, 0.4, 20000)
    assert shares.mean() == pytest.approx(np.minimum(drawn, 1 - drawn).mean(), abs=0.01)
