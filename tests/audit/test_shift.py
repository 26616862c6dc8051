"""Shift between test and the rest: found where planted, per class, and silent on splits that were drawn."""

import numpy as np
import pytest

from hilum.audit.shift import EVERYTHING, find_shift, probe_shift
from hilum.audit.views import Views


def _moved(healthy, label=None, by=25.0):
    """Test images (of one class) brightened at the small size."""
    manifest, views, _ = healthy
    rows = (manifest.table["split"] == "test").to_numpy()
    if label:
        rows = rows & (manifest.table["label"] == label).to_numpy()
    small = views.small.copy()
    small[rows] += by
    return manifest, Views(small, views.grain, views.tones)


def _half_test(healthy):
    """The healthy data set with half of its patients in test, so that each class has enough."""
    manifest, views, plan = healthy
    number = manifest.table["patient_id"].str[1:].astype(int)
    return manifest.with_table(manifest.table.assign(split=np.where(number % 2, "train", "test"))), views, plan


def test_a_test_split_that_was_drawn_is_no_shift(healthy):
    assert find_shift(*_half_test(healthy)[:2]) == []
    assert find_shift(*healthy[:2]) == []


def test_a_shift_of_one_class_is_found_in_that_class(healthy):
    manifest, views = _moved(_half_test(healthy), "normal")
    results = {each.inside: each for each in probe_shift(manifest, views)}
    assert set(results) == {EVERYTHING, "normal", "pneumonia"}
    assert results["normal"].result.auroc.value > 0.9
    assert results["pneumonia"].result.auroc.value < 0.65
    (finding,) = find_shift(manifest, views)
    assert (finding.code, finding.severity) == ("shifted-test", "warning")
    assert "Inside pneumonia it may be chance" in finding.sentence
    assert set(finding.figures) == set(results)


def test_other_class_shares_are_told_apart_from_other_pictures(healthy):
    manifest, views, _ = _half_test(healthy)
    drop = (manifest.table["split"] == "test") & (manifest.table["label"] == "normal")
    keep = np.flatnonzero(~(drop & (np.arange(len(manifest)) % 3 != 0)).to_numpy())
    part = manifest.with_table(manifest.table.iloc[keep])
    (finding,) = find_shift(part, views.of(keep))
    assert (finding.code, finding.severity) == ("class-proportions", "warning")
    share = finding.figures["normal, test"]
    assert share.value == pytest.approx(share.k / share.n) and share.ci_low < share.value < share.ci_high


def test_headers_of_another_export_are_found(healthy):
    manifest, views, _ = _half_test(healthy)
    size = np.where(manifest.table["split"] == "test", 5000, 8000) + np.arange(len(manifest)) % 11
    (finding,) = find_shift(manifest.with_table(manifest.table.assign(file_bytes=size)), views)
    assert (finding.code, finding.severity) == ("shifted-headers", "warning")
    assert finding.table[0]["auroc"] > 0.99


def test_without_a_test_split_there_is_nothing_to_compare(healthy):
    manifest, views, _ = healthy
    assert find_shift(manifest.with_table(manifest.table.assign(split="train")), views) == []
