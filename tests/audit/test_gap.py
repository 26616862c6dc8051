"""Validation minus test: each planted cause moves its own part, and only that one."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from hilum.audit.gap import Gap, explain_gap, small_pictures
from hilum.audit.sample import sample_rows
from hilum.data.predictions import Predictions
from hilum.labels import LabelSet

LABELS = LabelSet(("normal", "viral"))
SIDE = 6


def _study(seed: int, *, leak: bool = False, shift: float = 0.0, rare: bool = False, most: int = 10_000) -> Gap:
    """Pictures in which the patient shows more than the class does, and a model that goes by the nearest picture.

    Args:
        leak: split images at random, so that patients stand in training and validation.
        shift: how much of their signal the test pictures lose.
        most: images that the probes look at.
        rare: the second class is rare on test, and the model is better at the first.
    """
    generator, patients = np.random.default_rng(seed), 260
    patient = np.repeat(np.arange(patients), 4)
    share = np.where(np.arange(patients) >= 200, 0.15 if rare else 0.5, 0.5)
    label = (generator.random(patients) < share)[patient].astype(int)
    signal = np.zeros(SIDE * SIDE)
    signal[:8] = 1.0
    strength = np.where(patient >= 200, 1 - shift, 1.0)[:, None]
    features = strength * np.outer(label - 0.5, signal) * 1.6 + generator.normal(size=(patients, SIDE * SIDE))[patient]
    features = (features + 0.5 * generator.normal(size=features.shape)).astype(np.float32)
    split = np.where(patient >= 200, "test", np.where(patient >= 150, "val", "train"))
    if leak:
        inside = np.flatnonzero(split != "test")
        split[inside] = np.where(generator.random(len(inside)) < 0.25, "val", "train")
    rows = {
        "split": split,
        "label": np.array(LABELS.names)[label],
        "patient_id": np.array([f"p{each}" for each in patient]),
        "sha256": np.array([f"{each:064x}" for each in range(len(patient))]),
    }
    near = ((features[:, None] - features[None, split == "train"]) ** 2).sum(-1).argmin(1)
    called = label[split == "train"][near]
    if rare:
        called = np.where(generator.random(len(called)) < 0.25, 0, called)
    logits = np.column_stack([1 - called, called]) * 3.0
    table = pd.DataFrame(rows).assign(image_path=[f"{i}.png" for i in range(len(patient))])
    val, test = (Predictions.of(table[split == each], logits[split == each], LABELS) for each in ("val", "test"))
    kept = sample_rows(rows["patient_id"], most=most)
    return explain_gap(val, test, features[kept], rows, sampled=kept, replicates=200, seed=seed)


def _mean(name: str, **causes) -> float:
    return float(np.mean([getattr(_study(seed, **causes), name).value for seed in range(4)]))


def test_nothing_planted_nothing_found() -> None:
    for seed in range(3):
        found = _study(seed)
        assert found.leaked == 0 and found.leakage.value == 0 and abs(found.proportions.value) < 0.02
        assert abs(found.total.value) < 2 * found.chance.ci_high
        assert found.random_split.ci_low > 0.05  # what a careless split would have given


def test_planted_leaks_grow_the_leakage_and_nothing_else() -> None:
    found = _study(1, leak=True)
    assert found.leaked > 0.9 and found.leakage.ci_low > 0.05
    assert found.total.value > found.chance.ci_high
    before, after = (
        {name: _mean(name, leak=leak) for name in ("leakage", "proportions", "shift")} for leak in (False, True)
    )
    assert after["leakage"] - before["leakage"] > 0.1
    assert abs(after["shift"] - before["shift"]) < 0.07 and abs(after["proportions"]) < 0.02


def test_pictures_of_another_kind_are_the_shift() -> None:
    found = _study(0, shift=0.8)
    assert found.leakage.value == 0 and found.shift.ci_low > 0.03 and found.shift.value > 0.9 * found.total.value
    assert found.probe_test.value < found.probe_inside.value - 0.1


def test_other_class_proportions_are_their_own_part() -> None:
    found = [_study(seed, rare=True) for seed in range(4)]
    assert np.mean([each.proportions.value for each in found]) < -0.02
    assert all(each.leakage.value == 0 for each in found)


@pytest.mark.parametrize("causes", [{}, {"leak": True}, {"rare": True, "shift": 0.5}])
def test_the_parts_add_up_and_survive_json(causes) -> None:
    found = _study(5, **causes)
    parts = found.leakage.value + found.proportions.value + found.shift.value
    assert parts == pytest.approx(found.total.value)
    assert Gap.from_json(json.loads(json.dumps(found.to_json(), allow_nan=False))) == found


def test_small_pictures_are_means_of_areas() -> None:
    canvases = np.random.default_rng(0).integers(0, 256, (3, 56, 56)).astype(np.uint8)
    found = small_pictures(canvases)
    assert found.shape == (3, 784)
    assert found[1, 29] == pytest.approx(canvases[1, 2:4, 2:4].mean())


def test_a_sample_of_patients_gives_nearly_the_same_parts() -> None:
    whole, part = _study(1, leak=True), _study(1, leak=True, most=800)
    assert (part.total, part.leaked, part.proportions) == (whole.total, whole.leaked, whole.proportions)
    assert part.random_split != whole.random_split  # other images were looked at
    assert abs(part.random_split.value - whole.random_split.value) < 0.05
