"""Sentences beside figures say what the numbers say, and nothing when they say nothing."""

from dataclasses import replace

import numpy as np
import pytest

from hilum.evaluation.values import ClassMetrics, Estimate, Evaluation
from hilum.report.charts.distributions import Strip
from hilum.report.sections.confusion import describe_confusion
from hilum.report.sections.making import flatten
from hilum.report.sections.mistakes import make_mistakes
from hilum.report.sections.per_class import describe_classes
from hilum.report.sections.shapes import describe_strips
from hilum.report.sections.training import make_training
from hilum.report.sections.trust import find_checks, majority
from hilum.report.study_folder import read_study

UNKNOWN = Estimate(float("nan"), float("nan"), float("nan"))


def _class(label, sensitivity):
    return ClassMetrics(label, 50, 40, sensitivity, *[UNKNOWN] * 6)


def _evaluation(confusion, sensitivities=None):
    labels = tuple("abc"[: len(confusion)])
    images = sum(map(sum, confusion))
    per_class = tuple(map(_class, labels, sensitivities or [UNKNOWN] * len(labels)))
    overall = {"accuracy": Estimate(0.5, 0.4, 0.6)}
    return Evaluation("test", labels, None, images, images, confusion, overall, {}, per_class)


def test_the_matrix_names_its_largest_mistake():
    sentence = describe_confusion(_evaluation(((40, 3, 7), (0, 50, 0), (1, 2, 47))))

    assert "13\u00a0pictures of 150" in sentence and "7 of 50 a called c (14\u00a0%)" in sentence


def test_the_matrix_tells_collapse_from_perfection():
    assert describe_confusion(_evaluation(((50, 0), (0, 50)))) == "Every picture was called what it is."
    assert describe_confusion(_evaluation(((50, 0), (50, 0)))).startswith("Every picture was called a")


def test_the_least_found_class_is_only_set_apart_when_its_interval_is():
    low, high, middle = Estimate(0.5, 0.4, 0.6), Estimate(0.9, 0.8, 0.95), Estimate(0.62, 0.55, 0.7)
    matrix = ((25, 0, 25), (0, 50, 0), (0, 0, 50))

    assert "below that of every other" in describe_classes(_evaluation(matrix, (low, high, high)))
    assert "overlaps with that of c." in describe_classes(_evaluation(matrix, (low, high, middle)))


def test_always_answering_the_largest_class_is_the_yardstick():
    label, share = majority(_evaluation(((30, 0, 0), (20, 40, 0), (10, 0, 0))))

    assert label == "b" and share == pytest.approx(0.6)


def test_what_separates_classes_before_any_network_is_said():
    def strip(label, split, middle):
        values = np.linspace(middle - 1, middle + 1, 50)
        return Strip.of(label, split, "c0", values, values)

    apart = describe_strips((strip("a", "train", 10), strip("b", "train", 14)), "Contrast", False)
    same = describe_strips((strip("a", "train", 10), strip("b", "train", 10.2)), "Contrast", False)
    moved = describe_strips(
        (strip("a", "train", 10), strip("b", "train", 10.2), strip("b", "test", 13)), "Contrast", False
    )

    assert "from 10 (a) to 14 (b)" in apart and "may learn this instead of disease" in apart
    assert "overlap" in same and "instead of disease" not in same
    assert "the test median of b lies outside" in moved and "lies outside" not in same


def test_training_by_heart_is_only_said_when_the_curves_show_it(make_study):
    study = read_study(make_study(runs=(("cnn-small", "done"),)))

    def told(train, val):
        rows = [
            {"epoch": i + 1.0, "phase": "all", "train_loss": t, "val_loss": v}
            for i, (t, v) in enumerate(zip(train, val, strict=True))
        ]
        return make_training(replace(study, chosen=replace(study.chosen, history=tuple(rows)))).html

    assert "by heart" in told([1.0, 0.5, 0.1], [1.0, 0.6, 0.9])
    assert "by heart" not in told([1.0, 0.5, 0.499], [1.0, 0.6, 0.601])
    assert "longer training might have helped" in told([1.0, 0.5, 0.3], [1.0, 0.6, 0.5])


def test_a_gap_between_validation_and_test_is_pointed_at(make_study):
    study = read_study(make_study(runs=(("cnn-small", "done"),)))
    evaluations = dict(study.chosen.evaluations)

    def told(val, test):
        for split, estimate in (("val", val), ("test", test)):
            evaluations[split] = replace(
                evaluations[split], overall={**evaluations[split].overall, "accuracy": estimate}
            )
        checks = find_checks(replace(study, chosen=replace(study.chosen, evaluations=evaluations)))
        return next(check for check in checks if "on validation and" in check.sentence)

    gap = told(Estimate(0.99, 0.97, 1.0), Estimate(0.85, 0.8, 0.9))
    none = told(Estimate(0.9, 0.8, 0.97), Estimate(0.85, 0.8, 0.9))

    assert not gap.passed and "harder or of another kind" in gap.sentence
    assert none.passed and "overlap" in none.sentence


def test_without_a_mistake_there_is_none_to_show(make_study):
    section = make_mistakes(read_study(make_study(skill=60.0, runs=(("cnn-small", "done"),))))

    assert "There is no mistake to show." in section.html and "<img" not in section.html


def test_a_recipe_is_flattened_without_loss():
    recipe = {
        "name": "x",
        "phases": [{"lr": 1e-05}, {"lr": 0.1}],
        "tta": ["plain", "flip"],
        "hidden": [],
        "equalise": False,
    }

    assert list(flatten(recipe)) == [
        ("name", "x"),
        ("phases.1.lr", "1e-05"),
        ("phases.2.lr", "0.1"),
        ("tta", "plain, flip"),
        ("hidden", "none"),
        ("equalise", "no"),
    ]
