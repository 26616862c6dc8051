"""The engine beside scikit-learn, its p-values by simulation."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.metrics import roc_auc_score

from hilum.audit.folds import Design
from hilum.audit.probe import corrected, held_out_auroc, probe_elsewhere, run_probe
from hilum.audit.ridge import PENALTIES, factorise_folds, held_out_scores
from hilum.evaluation.bootstrap import Patients


def _data(images=160, features=12, classes=2, strength=1.0, seed=0):
    generator = np.random.default_rng(seed)
    patient = np.repeat(np.arange(images // 2), 2)
    labels = generator.integers(0, classes, images // 2)[patient]
    pictures = generator.normal(size=(images, features)) @ generator.normal(size=(features, features))
    pictures[:, 0] += strength * labels
    return (100 + 20 * pictures).astype(np.float32), labels, Patients.of(patient)


def _by_scikit_learn(features, labels, fold):
    """Ridge on standardised features, the penalty by generalised cross-validation, in the slow and plain way."""
    scores = np.zeros(len(labels))
    for each in np.unique(fold):
        seen, held_out = fold != each, fold == each
        mean, sd = features[seen].mean(axis=0), features[seen].std(axis=0)
        inside, outside, target = (features[seen] - mean) / sd, (features[held_out] - mean) / sd, labels[seen]
        found = []
        for penalty in np.array(PENALTIES) * seen.sum():
            model = Ridge(penalty).fit(inside, target)
            gram = inside @ inside.T
            free = len(target) - 1 - np.trace(gram @ np.linalg.inv(gram + penalty * np.eye(len(gram))))
            found.append((((target - model.predict(inside)) ** 2).sum() / free**2, model))
        scores[held_out] = min(found, key=lambda pair: pair[0])[1].predict(outside)
    return scores


@pytest.mark.parametrize("features", [12, 300])
def test_held_out_scores_are_those_of_scikit_learn(features):
    pictures, labels, patients = _data(features=features)
    design = Design.of(labels, patients, permutations=3, seed=0)
    folds = factorise_folds(pictures, design.fold)
    targets = np.stack([labels, *design.shuffled], axis=1).astype(float)
    scores = held_out_scores(pictures, folds, design.fold, targets)
    for column in range(4):
        expected = _by_scikit_learn(pictures.astype(np.float64), targets[:, column], design.fold)
        np.testing.assert_allclose(scores[:, column], expected, atol=2e-6)


@pytest.mark.parametrize("classes", [2, 3])
def test_auroc_is_that_of_scikit_learn(classes):
    pictures, labels, patients = _data(classes=classes)
    design = Design.of(labels, patients, permutations=5)
    result = run_probe(pictures, design)
    truth = (labels[:, None] == np.array(design.columns)).astype(int)
    expected = np.mean([roc_auc_score(truth[:, c], result.scores[:, c]) for c in range(truth.shape[1])])
    assert result.auroc.value == pytest.approx(expected, abs=1e-9)
    assert held_out_auroc(pictures, design) == pytest.approx(expected, abs=1e-9)
    assert result.auroc.ci_low < expected < result.auroc.ci_high


def test_a_shuffle_scores_what_it_scores_as_truth():
    pictures, labels, patients = _data()
    design = Design.of(labels, patients, permutations=4)
    result = run_probe(pictures, design)
    for row, value in zip(design.shuffled, result.shuffled, strict=True):
        swapped = Design(row.astype(int), patients, design.fold, design.shuffled, 2, 0)
        assert held_out_auroc(pictures, swapped) == pytest.approx(value, abs=1e-9)


def test_p_is_uniform_when_there_is_nothing_and_small_when_there_is():
    p = [run_probe(d[0], Design.of(*d[1:], permutations=39)).p for d in (_data(80, 5, 2, 0.0, s) for s in range(120))]
    assert 0.02 <= np.mean(np.array(p) <= 0.1) <= 0.18
    assert 0.4 < np.mean(p) < 0.6
    pictures, labels, patients = _data(strength=20.0)
    assert run_probe(pictures, Design.of(labels, patients, permutations=99)).p == 0.01


def test_correction_is_the_share_of_shuffles_whose_best_probe_did_as_well():
    pictures, labels, patients = _data(strength=2.0)
    design = Design.of(labels, patients, permutations=99)
    results = {name: run_probe(pictures[:, at : at + 3], design) for name, at in (("a", 0), ("b", 3), ("c", 6))}
    z = {name: (r.shuffled - r.shuffled.mean()) / r.shuffled.std() for name, r in results.items()}
    for name, p in corrected(results).items():
        own = (results[name].auroc.value - results[name].shuffled.mean()) / results[name].shuffled.std()
        as_good = sum(max(z[other][i] for other in z) >= own - 1e-12 for i in range(99))
        assert p == pytest.approx((1 + as_good) / 100)
        assert p >= results[name].p - 1e-9
    assert corrected({}) == {}


def test_a_probe_goes_elsewhere():
    pictures, labels, patients = _data(strength=20.0)
    seen = patients.index < 50
    estimate = probe_elsewhere(pictures, labels, seen, ~seen, patients)
    assert estimate.value > 0.9 and estimate.ci_low > 0.5
    upside_down = np.where(seen, labels, 1 - labels)
    assert probe_elsewhere(pictures, upside_down, seen, ~seen, patients).value == pytest.approx(1 - estimate.value)


def test_constant_features_say_nothing_and_do_no_harm():
    pictures, labels, patients = _data()
    design = Design.of(labels, patients, permutations=9)
    padded = np.concatenate([pictures, np.full((len(labels), 3), 7.25, np.float32)], axis=1)
    assert run_probe(padded, design).auroc.value == pytest.approx(run_probe(pictures, design).auroc.value, abs=1e-6)
