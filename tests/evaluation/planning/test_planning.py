"""Answers of the planner: known numbers, the two ways round, a pilot, and options that cannot be."""

import json
from statistics import NormalDist

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import hilum
from hilum.data.predictions import Predictions
from hilum.errors import UsageError
from hilum.evaluation.intervals import wilson_interval
from hilum.evaluation.planning import Clustering, Pilot, Wish, answer_with, areas, plan_for, shares
from hilum.evaluation.planning.pilot import compare_pilots
from hilum.labels import LabelSet

ALONE = Clustering()


def predictions_of(patients, per_patient, skill, seed, shared=0.0):
    generator = np.random.default_rng(seed)
    patient = np.repeat(np.arange(patients), per_patient)
    target = patient % 2
    common = np.random.default_rng(99).normal(size=patients)[patient]
    own = generator.normal(size=len(patient))
    score = skill * (target - 0.5) + np.sqrt(shared) * common + np.sqrt(1 - shared) * own
    rows = pd.DataFrame({"image_path": [f"{i}.png" for i in range(len(patient))], "patient_id": patient.astype(str)})
    rows = rows.assign(split="val", label=np.array(["normal", "viral"])[target])
    return Predictions.of(rows, np.column_stack([-score, score]), LabelSet(("normal", "viral")))


def test_the_width_is_that_of_wilsons_interval():
    images = shares.images_for_width(0.9, 0.02, ALONE)
    low, high, _ = wilson_interval(0.9, images)
    assert (high - low) / 2 <= 0.02 < (lambda ends: (ends[1] - ends[0]) / 2)(wilson_interval(0.9, images - 1))


def test_textbook_number_for_two_shares():
    """n = (z_a sqrt(2 p q) + z_b sqrt(p1 q1 + p2 q2))^2 / d^2."""
    a, b, (first, second) = NormalDist().inv_cdf(0.975), NormalDist().inv_cdf(0.8), (0.92, 0.95)
    middle = (first + second) / 2
    under = a * np.sqrt(2 * middle * (1 - middle)) + b * np.sqrt(first * (1 - first) + second * (1 - second))
    assert shares.images_to_tell_unpaired(first, second - first, ALONE) == pytest.approx((under / 0.03) ** 2, rel=0.01)


def test_areas_agree_with_a_library_for_the_bivariate_normal():
    h, k, r = stats.norm.ppf(0.9), stats.norm.ppf(0.95), 0.6
    expected = stats.multivariate_normal([0, 0], [[1, r], [r, 1]]).cdf([h, k])
    assert areas._both_positive(0.9, 0.95, r) == pytest.approx(expected, abs=1e-6)


def test_an_areas_error_is_that_of_hanley_and_mcneil_nearly():
    """Their scores are exponential, and their error is known to be on the cautious side: so only nearly."""
    a, p, n = 0.85, 80, 160
    terms = (p - 1) * (a / (2 - a) - a * a) + (n - 1) * (2 * a * a / (1 + a) - a * a)
    assert areas.standard_error(a, p, n) == pytest.approx(np.sqrt((a * (1 - a) + terms) / (p * n)), rel=0.15)


@pytest.mark.parametrize("figure", ["accuracy", "sensitivity", "auroc"])
def test_both_ways_round_agree(figure):
    wish = Wish(figure=figure, expect=0.9, against=0.94, prevalence=0.4, clustering=Clustering(2, 2, 0.5))
    for needed in plan_for(wish):
        given = answer_with(wish, needed.images)
        if needed.kind == "interval":
            assert given[0].reach == pytest.approx(wish.within, abs=2e-4)
        if needed.kind == "paired":
            same = next(each for each in given if each.kind == "paired" and each.assumed == needed.assumed)
            assert same.power == pytest.approx(0.8, abs=0.02)


def test_clustering_and_prevalence_raise_the_bill():
    alone, grouped = Wish(figure="sensitivity"), Wish(figure="sensitivity", clustering=Clustering(2, 2, 1.0))
    assert plan_for(grouped)[0].images == pytest.approx(2 * plan_for(alone)[0].images, rel=0.01)
    rare = plan_for(Wish(figure="sensitivity", prevalence=0.1))[0]
    assert rare.total == 10 * rare.images and plan_for(alone)[0].total is None
    # uncorrelated images: patients bring three each; the interval stays a little wary of few errors
    assert 868 / 3 <= plan_for(Wish(clustering=Clustering(3, 3, 0.0)))[0].patients < 1.06 * 868 / 3


def test_81_images_decide_nothing_and_say_so():
    """75 against 77 of 81, the difference of a published comparison."""
    answers = [each for each in answer_with(Wish(expect=75 / 81, against=77 / 81), 81) if each.kind == "paired"]
    assert all(each.power < 0.4 for each in answers)
    assert "show no difference between two models" in answers[-1].sentence or answers[-1].power < 0.2


def test_a_pilot_measures_clustering_and_agreement():
    first, second = (predictions_of(400, 3, 2.0, seed, shared=0.8) for seed in (1, 2))
    pilot = Pilot.of(first, "val")
    accuracy = pilot.find("accuracy")
    assert accuracy.value == pytest.approx(float((first.decisions == first.target).mean()))
    assert 1.8 < accuracy.clustering.effect <= 3
    alone = Pilot.of(predictions_of(400, 3, 2.0, 1, shared=0.0), "val").find("accuracy")
    assert alone.clustering.effect < 1.3
    both = compare_pilots(("a", first), ("b", second))
    right = [each.decisions == each.target for each in (first, second)]
    assert both.discordant == pytest.approx(float((right[0] != right[1]).mean()))
    assert both.score_correlation == pytest.approx(0.8, abs=0.06)


def test_the_order_of_images_does_not_matter():
    first, second = (predictions_of(60, 2, 2.0, seed) for seed in (1, 2))
    shuffled = Predictions(second.table.sample(frac=1, random_state=3), second.labels)
    assert compare_pilots(("a", first), ("b", second)) == compare_pilots(("a", first), ("b", shuffled))


@pytest.mark.parametrize(
    "options",
    [
        {"expect": 1.0}, {"expect": 92}, {"against": 0.9}, {"within": 0.0}, {"discordant": (0.01,), "against": 0.95},
        {"figure": "auroc", "expect": 0.4}, {"figure": "f1"}, {"per_patient": 0.5}, {"correlation": 1.5},
        {"design_effect": 2.0}, {"design_effect": 2.0, "correlation": 0.5, "per_patient": 3}, {"images": 0},
        {"images": 9, "patients": 9}, {"label": "viral"}, {"prevalence": 1.0}, {"power": 0.01}, {"level": 1.0},
        {"score_correlation": (1.0,), "figure": "auroc"}, {"expect": float("nan")}, {"per_patient": 0},
    ],
)  # fmt: skip
def test_options_that_cannot_be_are_one_line(options):
    with pytest.raises(UsageError) as caught:
        hilum.plan(**options)
    assert "\n" not in str(caught.value) and len(str(caught.value)) > 20


def test_a_question_without_an_answer_says_so():
    (interval,) = hilum.plan(within=1e-5).answers
    assert interval.images is None and "more than" in interval.sentence


def test_a_plan_is_a_json_document_and_shows_itself():
    plan = hilum.plan(expect=0.92, against=0.95)
    document = json.loads(json.dumps(plan.to_json(), allow_nan=False))
    assert document["schema"] == "hilum.plan/1" and len(document["answers"]) == 5
    assert plan.answers[0].sentence in plan._repr_html_()


@pytest.mark.parametrize("images", [300, 1059])
def test_the_power_between_two_other_sets_is_that_of_a_simulation(images):
    answer = next(each for each in answer_with(Wish(expect=0.92, against=0.95), images) if each.kind == "unpaired")
    generator = np.random.default_rng(0)
    first, second = (generator.binomial(images, share, 20_000) / images for share in (0.92, 0.95))
    middle = (first + second) / 2
    seen = np.abs(second - first) > 1.959964 * np.sqrt(2 * middle * (1 - middle) / images)
    assert answer.power == pytest.approx(seen.mean(), abs=0.02) and answer.reach == pytest.approx(0.03)
    assert f"tell 92 % from 95 % in {100 * answer.power:.0f} % of the cases" in answer.sentence


def test_two_other_sets_of_an_auroc_are_models_whose_scores_have_nothing_in_common():
    wish = Wish("auroc", 0.92, against=0.95, score_correlation=(0.0,))
    paired, unpaired = (each for each in answer_with(wish, 624) if each.kind != "interval")
    assert unpaired.power == pytest.approx(paired.power) and 0.5 < unpaired.power < 0.8
