"""A sample of whole patients."""

import numpy as np

from hilum.audit.sample import sample_patients


def test_a_small_data_set_is_taken_whole(healthy):
    manifest, views, _ = healthy
    assert sample_patients(manifest, views) == (manifest, views)


def test_a_large_one_gives_whole_patients_and_their_views(healthy):
    manifest, views, _ = healthy
    part, seen = sample_patients(manifest, views, most=100, seed=1)
    assert 90 <= len(part) <= 100
    inside = manifest.table["patient_id"].isin(set(part.table["patient_id"])).to_numpy()
    assert inside.sum() == len(part)
    np.testing.assert_array_equal(seen.small, views.small[inside])
    other, _ = sample_patients(manifest, views, most=100, seed=2)
    assert set(other.table["patient_id"]) != set(part.table["patient_id"])
