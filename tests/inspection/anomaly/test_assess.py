"""Figures of detectors against scikit-learn and plain counting; pairs on the same images."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from hilum.errors import DataError
from hilum.inspection.anomaly import Assessment, Scores, assess, pair_up, read_scores
from hilum.inspection.anomaly.assess import DetectorPair

RULES = {"good": ("good",), "bad": ("bad",), "either": ("good", "bad")}


def drawn(per_split=240, patients=2, seed=0):
    """Scores of three classes in two splits; `good` knows the class, `bad` does not."""
    generator = np.random.default_rng(seed)
    labels = np.array(["healthy", "bacterial", "viral"])[generator.integers(3, size=2 * per_split)]
    split = np.repeat(["val", "test"], per_split)
    table = pd.DataFrame(
        {
            "image_path": [f"{number}.png" for number in range(2 * per_split)],
            "patient_id": [f"{each}{number // patients}" for number, each in enumerate(split)],
            "split": split,
            "label": labels,
        }
    )
    good = generator.standard_normal(len(table)) + 2.0 * (labels != "healthy")
    scores = {"good": good, "bad": generator.standard_normal(len(table))}
    return Scores.of_rows(table, scores, "healthy", detector="drawn")


@pytest.fixture(scope="module")
def scores():
    return drawn()


@pytest.fixture(scope="module")
def found(scores):
    return assess(scores, RULES, rate=0.1, splits=("val", "test"), replicates=200)


def test_areas_are_scikit_learns(scores, found):
    for split in ("val", "test"):
        part = scores.split(split)
        figures = found[0].splits[split]
        assert figures.auroc.value == pytest.approx(roc_auc_score(~part.is_normal, part.of("good")))
        assert figures.auprc.value == pytest.approx(average_precision_score(~part.is_normal, part.of("good")))
        assert figures.auroc.ci_low < figures.auroc.value < figures.auroc.ci_high


def test_thresholds_come_from_normal_validation_images_alone(scores, found):
    table = scores.table.copy()
    others = ((table["split"] == "test") | (table["label"] != "healthy")).to_numpy()
    table.loc[others, "score_good"] += 50
    again = assess(Scores(table, "healthy"), RULES, rate=0.1, splits=("val",), replicates=20)
    assert [each.rule for each in again] == [each.rule for each in found]


def test_shares_are_counts(scores, found):
    part, rule = scores.split("test"), found[0].rule
    called = part.of("good") > rule.thresholds[0]
    figures = found[0].splits["test"]
    assert (figures.sensitivity.k, figures.sensitivity.n) == ((called & ~part.is_normal).sum(), (~part.is_normal).sum())
    assert (figures.false_alarms.k, figures.false_alarms.n) == ((called & part.is_normal).sum(), part.is_normal.sum())
    viral = (part.table["label"] == "viral").to_numpy()
    assert figures.by_class["viral"].value == pytest.approx(called[viral].mean())
    assert sum(figures.images.values()) == len(part.table)


def test_moments_are_those_of_each_class(scores, found):
    part = scores.split("val")
    for label in ("healthy", "bacterial", "viral"):
        values = part.of("bad")[(part.table["label"] == label).to_numpy()]
        moments = found[2].splits["val"].moments["bad"][label]
        assert (moments.images, moments.mean, moments.std) == pytest.approx(
            (len(values), values.mean(), values.std(ddof=1))
        )


def test_the_false_alarms_of_validation_are_of_thresholds_set_without_the_patient(scores, found):
    """With the patient in, the share would be the rate to the digit, whatever the detector; without, it is a figure."""
    rates = [drawn(seed=seed) for seed in range(12)]
    values = [assess(each, {"bad": ("bad",)}, rate=0.1, splits=("val",), replicates=2) for each in rates]
    shares = [each[0].splits["val"].false_alarms.value for each in values]
    assert 0.07 < np.mean(shares) < 0.13 and len(set(shares)) > 6


def test_pairs_share_their_patients(scores, found):
    pairs = pair_up(scores, found, "test", replicates=200)
    names = {(pair.first, pair.second): pair for pair in pairs}
    assert len(pairs) == 3 and ("good", "bad") in names
    pair = names[("good", "bad")]
    alone = found[0].splits["test"].auroc, found[1].splits["test"].auroc
    assert pair.difference.value == pytest.approx(alone[0].value - alone[1].value)
    assert pair.p <= pair.corrected and pair.corrected < 0.001 and pair.difference.ci_low > 0.1
    both = drawn()
    same = both.table.assign(score_bad=both.table["score_good"] * 3 + 1)
    (equal,) = pair_up(
        Scores(same, "healthy"),
        assess(Scores(same, "healthy"), {"good": ("good",), "bad": ("bad",)}, rate=0.1, splits=("test",), replicates=9),
        "test",
    )
    assert (equal.difference.value, equal.difference.ci_low, equal.p) == (0, 0, 1)


def test_json_brings_everything_back(scores, found):
    for each in found:
        assert Assessment.from_json(json.loads(json.dumps(each.to_json(), allow_nan=False))) == each
    from dataclasses import asdict

    (pair, *_) = pair_up(scores, found, "val", replicates=20)
    assert DetectorPair.from_json(json.loads(json.dumps(asdict(pair)))) == pair


def test_a_split_of_normal_images_alone_has_false_alarms_and_no_areas(scores):
    healthy = scores.among(scores.is_normal)
    (found,) = assess(healthy, {"good": ("good",)}, rate=0.1, splits=("test",), replicates=9)
    assert np.isnan(found.splits["test"].auroc.value) and np.isnan(found.splits["test"].sensitivity.value)
    assert found.splits["test"].false_alarms.n == healthy.split("test").is_normal.sum()
    assert json.dumps(found.to_json(), allow_nan=False) and pair_up(healthy, [found], "test") == ()


def test_scores_are_written_and_read_and_joined_by_image(scores, tmp_path):
    scores.write(tmp_path / "scores.parquet")
    again = read_scores(tmp_path / "scores.parquet")
    assert again.table.equals(scores.table) and (again.normal, again.about) == ("healthy", {"detector": "drawn"})
    shuffled = scores.table.sample(frac=1, random_state=0).head(100)[["image_path", "patient_id", "split", "label"]]
    other = Scores(shuffled.assign(score_third=np.arange(100.0)).reset_index(drop=True), "healthy")
    joined = scores.beside(other)
    assert joined.names == ("good", "bad", "third") and len(joined.table) == 100
    row = joined.table.set_index("image_path").loc[shuffled["image_path"].iloc[7]]
    assert row["score_third"] == 7.0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda table: table.assign(image_path="same"), "more than one"),
        (lambda table: table.assign(score_good=np.nan), "finite numbers"),
        (lambda table: table.assign(label="viral"), "healthy"),
    ],
)
def test_scores_that_are_none_are_refused(scores, change, words):
    with pytest.raises(DataError, match=words):
        Scores(change(scores.table), "healthy")
