"""Suspected labels: planted wrong ones come first, healthy data give next to none."""

import numpy as np

from hilum.audit.folds import Design
from hilum.audit.labels import find_suspected_labels, neighbour_scores, suspect_labels, suspects_table
from hilum.evaluation.bootstrap import Patients


def _planted(manifest, share=0.05, seed=0):
    """Some labels outside the test split turned round; returns the manifest and which."""
    generator = np.random.default_rng(seed)
    pool = np.flatnonzero((manifest.table["split"] != "test").to_numpy())
    wrong = np.zeros(len(manifest), bool)
    wrong[generator.choice(pool, round(share * len(pool)), replace=False)] = True
    other = {"normal": "pneumonia", "pneumonia": "normal"}
    labels = np.where(wrong, manifest.table["label"].map(other), manifest.table["label"])
    return manifest.with_table(manifest.table.assign(label=labels)), wrong


def test_planted_wrong_labels_come_first(healthy):
    manifest, views, _ = healthy
    planted, wrong = _planted(manifest)
    suspects = suspect_labels(planted, views)
    assert suspects is not None
    first = suspects.rows[suspects.ranking]
    count = int(wrong.sum())
    assert wrong[first[:count]].mean() >= 0.5  # precision, and as many as there are, recall
    assert wrong[first[: 3 * count]].sum() >= 0.7 * count
    assert wrong[suspects.rows[suspects.order]].mean() >= 0.6


def test_right_labels_are_hardly_ever_suspected(healthy):
    manifest, views, _ = healthy
    suspects = suspect_labels(manifest, views)
    assert suspects.agreed.mean() <= 0.02


def test_models_that_know_nothing_are_not_asked(marked):
    manifest, views, _ = marked[0.0]
    assert suspect_labels(manifest, views) is None
    assert find_suspected_labels(manifest, views) == []


def test_the_finding_names_files_and_leaves_a_column_for_the_person(healthy):
    manifest, views, _ = healthy
    planted, _ = _planted(manifest)
    (finding,) = find_suspected_labels(planted, views)
    table = suspects_table(planted, suspect_labels(planted, views))
    assert list(table) == ["image_path", "label", "suggested", "score", "corrected"]
    assert finding.files == tuple(table["image_path"]) and finding.count == len(table)
    assert (table["corrected"] == "").all() and (table["label"] != table["suggested"]).all()
    assert table["score"].is_monotonic_decreasing
    splits = planted.table.set_index("image_path")["split"]
    assert "test" not in set(splits[table["image_path"]])
    assert finding.figures["share of labels suspected"].k == finding.count


def test_what_a_person_has_looked_at_is_not_asked_again(healthy):
    manifest, views, _ = healthy
    planted, _ = _planted(manifest)
    (finding,) = find_suspected_labels(planted, views)
    seen = {"confirmed": list(finding.files[:2]), "changed": [{"image_path": finding.files[2]}]}
    again = find_suspected_labels(planted.with_table(planted.table, corrections=seen), views)
    assert not {name for each in again for name in each.files} & set(finding.files[:3])


def test_neighbours_of_the_same_patient_are_not_asked():
    generator = np.random.default_rng(0)
    patient = np.repeat(np.arange(60), 2)
    pictures = generator.normal(size=(60, 30))[patient] + 0.01 * generator.normal(size=(120, 30))
    labels = generator.integers(0, 2, 60)[patient]
    design = Design.of(labels, Patients.of(patient), permutations=0)
    scores = neighbour_scores(pictures.astype(np.float32), design, k=1)
    np.testing.assert_allclose(scores.sum(axis=1), 1)
    assert 0.25 < (scores.argmax(axis=1) == labels).mean() < 0.75  # its twin would make it 1
