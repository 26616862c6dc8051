"""Where a picture comes from against its class: planted, absent, and measured against scipy."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import contingency

from hilum.audit.confounding import associations, cramers_v, find_confounding
from hilum.data.manifest import Manifest
from hilum.labels import LabelSet

REAL = Path(__file__).parents[3] / "shared/data/covid_three_class/manifest.csv"


def manifest_of(count=200, **columns):
    generator = np.random.default_rng(0)
    table = pd.DataFrame({"label": np.array(["normal", "covid"])[np.arange(count) % 2]})
    names = [f"{row.label}/{row.Index}.png" for row in table.itertuples()]
    filled = {
        "image_path": names, "patient_id": names, "split": "train", "source": "one", "view": None,
        "height": generator.integers(200, 260, count), "width": 224, "sha256": names,
        "file_bytes": generator.integers(8000, 12000, count),
    }  # fmt: skip
    return Manifest(table.assign(**{**filled, **columns}), LabelSet.of(table["label"]), Path("x"))


def test_v_is_that_of_scipy_before_its_correction():
    counts = np.array([[40, 10, 5], [12, 33, 20]])
    plain = contingency.association(counts, method="cramer")
    estimate = cramers_v(counts)
    assert estimate.value == pytest.approx(plain, abs=0.03)
    assert estimate.ci_low < plain < estimate.ci_high


def test_intervals_of_v_cover():
    generator = np.random.default_rng(3)
    true = np.array([[0.35, 0.15], [0.15, 0.35]])  # V = 0.4
    covered = 0
    for _ in range(1000):
        counts = generator.multinomial(300, true.ravel()).reshape(2, 2)
        estimate = cramers_v(counts)
        covered += estimate.ci_low <= 0.4 <= estimate.ci_high
    assert 0.93 <= covered / 1000 <= 0.985


def test_nothing_is_said_of_columns_that_do_not_go_with_the_class():
    generator = np.random.default_rng(1)
    alarms = 0
    for seed in range(30):
        machine = np.array(["a", "b", "c"])[generator.integers(0, 3, 200)]
        alarms += bool(find_confounding(manifest_of(machine=machine, sex=generator.choice(["F", "M"], 200)), seed=seed))
    assert alarms == 0


@pytest.mark.parametrize(
    ("columns", "severity"),
    [
        ({"source": np.array(["town", "village"])[np.arange(200) % 2]}, "error"),
        ({"age_years": np.where(np.arange(200) % 2 == 0, 4.0, 60.0) + np.arange(200) % 7}, "error"),
        ({"machine": np.array(["a", "b"])[(np.arange(200) % 2) ^ (np.arange(200) % 5 == 0)]}, "warning"),
        ({"view": np.where(np.arange(200) % 2 == 0, "PA", "AP")}, "error"),
        ({"file_bytes": np.where(np.arange(200) % 2 == 0, 9000, 30000) + np.arange(200)}, "warning"),
    ],
)
def test_a_column_that_gives_the_class_away(columns, severity):
    (finding,) = find_confounding(manifest_of(**columns))
    assert finding.severity == severity
    assert finding.figures[next(iter(finding.figures))].value > 0.5
    assert finding.files


def test_a_class_from_a_folder_of_its_own():
    names = [f"../hospital/train/x/{i}.png" if i % 2 == 0 else f"covid/{i}.png" for i in range(200)]
    (finding,) = find_confounding(manifest_of(image_path=names, patient_id=names))
    assert finding.severity == "error" and "folder" in finding.sentence


def test_one_patient_with_many_images_counts_once():
    manifest = manifest_of(machine=["a"] * 199 + ["b"], patient_id=[f"{i % 4}" for i in range(200)])
    assert associations(manifest) == []


@pytest.mark.skipif(not REAL.exists(), reason="the COVID manifest is not on this machine")
def test_covid_adults_against_normal_children(tmp_path):
    from hilum.data.build import build_dataset
    from hilum.data.sources import list_images

    manifest = build_dataset(list_images(REAL), cache_dir=tmp_path, preprocessings=[]).manifest
    finding = next(each for each in find_confounding(manifest) if each.severity == "error")
    assert "COVID has a source of its own" in finding.sentence
    assert finding.figures["origin"].ci_low > 0.9
