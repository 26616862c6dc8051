"""Power against simulated rejection, and what small sets are said to decide."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from hilum.audit.size import find_size_faults
from hilum.data.manifest import Manifest
from hilum.evaluation.power import detectable_paired, detectable_unpaired, paired_power, unpaired_power
from hilum.labels import LabelSet

DRAWS = 8000


def manifest_of(val, test, per_patient=1):
    rows = [("val", i) for i in range(val)] + [("test", i) for i in range(test)] + [("train", i) for i in range(40)]
    table = pd.DataFrame(rows, columns=["split", "number"])
    names = [f"{row.split}/{row.number}.png" for row in table.itertuples()]
    table = table.assign(
        label=np.array(["normal", "covid"])[table["number"] % 2],
        patient_id=[f"{row.split}{row.number // per_patient}" for row in table.itertuples()],
        image_path=names, source="s", view=None, height=9, width=9, sha256=names,
    )  # fmt: skip
    return Manifest(table, LabelSet.of(table["label"]), Path("x"))


@pytest.mark.parametrize(
    ("n", "discordant", "difference"), [(81, 0.1, 0.07), (300, 0.1, 0.05), (1000, 0.08, 0.03), (4000, 0.1, 0.014)]
)
def test_paired_power_is_that_of_a_simulated_test(n, discordant, difference):
    generator = np.random.default_rng(n)
    wins = (discordant + difference) / 2
    outcomes = generator.multinomial(n, [wins, discordant - wins, 1 - discordant], DRAWS)
    p = [stats.binomtest(int(a), int(a + b)).pvalue if a + b else 1.0 for a, b, _ in outcomes]
    assert paired_power(n, discordant, difference) == pytest.approx(np.mean(np.array(p) <= 0.05), abs=0.02)


@pytest.mark.parametrize(("n", "base", "difference"), [(81, 0.85, 0.1), (300, 0.9, 0.05), (1500, 0.9, 0.03)])
def test_unpaired_power_is_that_of_a_simulated_test(n, base, difference):
    generator = np.random.default_rng(n)
    first, second = generator.binomial(n, base, DRAWS) / n, generator.binomial(n, base + difference, DRAWS) / n
    middle = (first + second) / 2
    z = np.abs(first - second) / np.maximum(np.sqrt(2 * middle * (1 - middle) / n), 1e-9)
    assert unpaired_power(n, base, difference) == pytest.approx(np.mean(z > stats.norm.ppf(0.975)), abs=0.02)


def test_the_smallest_difference_is_seen_in_four_cases_of_five():
    assert paired_power(400, 0.1, detectable_paired(400)) == pytest.approx(0.8, abs=0.01)
    assert unpaired_power(2000, 0.9, detectable_unpaired(2000)) == pytest.approx(0.8, abs=0.01)
    assert np.isnan(detectable_paired(20))


def test_eighty_one_images_cannot_separate_92_6_from_95_1_per_cent():
    """75 and 77 of 81: the difference of a published comparison."""
    assert paired_power(81, 0.1, 2 / 81) < 0.2 and unpaired_power(81, 75 / 81, 2 / 81) < 0.2
    codes = {each.code: each for each in find_size_faults(manifest_of(81, 81))}
    assert codes["too-few-to-decide"].severity == "warning"
    assert codes["few-of-a-class"].severity == "warning"


def test_large_sets_decide():
    (finding,) = find_size_faults(manifest_of(6000, 6000))
    assert finding.code == "what-the-sets-can-decide" and finding.severity == "note"
    assert finding.figures["test/paired"].value < 0.02
    assert {row["class"] for row in finding.table} == {"normal", "covid"}


def test_images_of_one_patient_count_for_less():
    def smallest(per_patient):
        findings = find_size_faults(manifest_of(2000, 2000, per_patient))
        return next(each for each in findings if each.code == "what-the-sets-can-decide").figures["test/paired"].value

    assert smallest(8) > 2 * smallest(1)
