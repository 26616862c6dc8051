"""Thresholds that keep the rate that was stated, alone and together."""

import numpy as np
import pytest

from hilum.errors import DataError, UsageError
from hilum.inspection.anomaly import fit_rule


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.2])
@pytest.mark.parametrize("count", [120, 269, 1000])
def test_one_threshold_is_the_conformal_quantile(rate, count):
    values = np.random.default_rng(0).permutation(count).astype(float)
    rule = fit_rule({"error": values}, rate)
    k = int(np.ceil((1 - rate) * (count + 1) - 1e-9))
    assert rule.thresholds == (np.sort(values)[k - 1],) and rule.images == count
    assert rule.calls({"error": values}).sum() == count - k


def test_new_normal_images_exceed_the_thresholds_at_the_stated_rate():
    """Over many draws: the mean rate on new images is at most what was stated, for one score and for two."""
    generator, alone, together = np.random.default_rng(0), [], []
    for _ in range(300):
        shared = generator.standard_normal((1400, 1))
        both = shared + generator.standard_normal((1400, 2))
        old, new = (dict(zip(("error", "density"), part.T, strict=True)) for part in np.split(both, [200]))
        alone.append(fit_rule({"error": old["error"]}, 0.05).calls(new).mean())
        together.append(fit_rule(old, 0.05).calls(new).mean())
    assert 0.043 < np.mean(alone) < 0.052
    assert 0.043 < np.mean(together) < 0.056  # a common position was looked for, which costs a little


def test_two_scores_share_the_rate_and_neither_gets_all_of_it():
    scores = {name: np.random.default_rng(seed).standard_normal(2000) for seed, name in enumerate(("error", "density"))}
    rule = fit_rule(scores, 0.05)
    each = [(scores[name] > end).mean() for name, end in zip(rule.names, rule.thresholds, strict=True)]
    assert rule.calls(scores).mean() == pytest.approx(0.05, abs=0.002)
    assert each == pytest.approx([0.0253, 0.0253], abs=0.004)  # 1 - sqrt(0.95) where they are independent


def test_the_score_of_a_rule_is_above_one_where_it_calls():
    generator = np.random.default_rng(0)
    old = {name: generator.standard_normal(300) ** 3 for name in ("error", "density")}
    new = {name: generator.standard_normal(500) ** 3 * 2 for name in old}
    rule = fit_rule(old, 0.1)
    assert ((rule.score(new) > 1) == rule.calls(new)).all() and rule.calls(new).any()
    one = fit_rule({"error": old["error"]}, 0.1)
    assert (np.argsort(one.score(new)) == np.argsort(new["error"])).all()


def test_too_few_images_or_no_rate_are_refused():
    with pytest.raises(DataError, match=r"at least 99 for a false-alarm rate of 1 %, found 50"):
        fit_rule({"error": np.arange(50.0)}, 0.01)
    assert fit_rule({"error": np.arange(99.0)}, 0.01).thresholds == (98.0,)
    for rate in (0.0, 1.0, -0.1):
        with pytest.raises(UsageError, match="false-alarm rate"):
            fit_rule({"error": np.arange(50.0)}, rate)


def test_scores_that_are_all_alike_call_nobody_and_break_nothing():
    same = {"error": np.ones(100), "density": np.arange(100.0)}
    rule = fit_rule(same, 0.05)
    assert not fit_rule({"error": same["error"]}, 0.05).calls(same).any()
    assert np.isfinite(rule.score(same)).all() and rule.calls({"error": np.array([2.0]), "density": np.zeros(1)}).all()
