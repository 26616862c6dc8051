"""Shortcuts: found when planted, the more surely the stronger; silent when there is nothing."""

from dataclasses import replace

import numpy as np
import pytest

from hilum.audit.shortcuts import find_shortcuts, probe_shortcuts

INSIDE = {"shortcut-grain", "shortcut-tones"}


def _codes(findings, *severities):
    return {each.code for each in findings if not severities or each.severity in severities}


def _relabelled(manifest, seed):
    """The same pictures, filed under classes that are drawn patient by patient: nothing to be found."""
    generator = np.random.default_rng(seed)
    patients = manifest.table["patient_id"]
    drawn = {name: generator.choice(list(manifest.labels)) for name in sorted(set(patients))}
    return manifest.with_table(manifest.table.assign(label=patients.map(drawn)))


def _with_column(manifest, name, values):
    return manifest.with_table(manifest.table.assign(**{name: values}))


def test_of_twenty_data_sets_without_anything_to_find_at_most_one_raises_an_alarm(healthy):
    rows = np.arange(160)
    manifest, views = healthy[0].with_table(healthy[0].table.iloc[rows]), healthy[1].of(rows)
    alarms = [bool(find_shortcuts(_relabelled(manifest, seed), views, seed=seed)) for seed in range(20)]
    assert sum(alarms) <= 1


def test_a_marker_is_found_the_more_surely_the_stronger_it_is(marked):
    seen = {strength: probe_shortcuts(*data[:2]) for strength, data in marked.items()}
    auroc = {
        strength: next(each.result.auroc.value for each in probes.views if each.view.code == "lungs-blanked")
        for strength, probes in seen.items()
    }
    assert auroc[0.0] < 0.65 < auroc[1.0] and auroc[0.0] < auroc[0.5] < auroc[1.0]
    assert not find_shortcuts(*marked[0.0][:2])
    found = find_shortcuts(*marked[1.0][:2])
    assert "shortcut-corners" in _codes(found, "error")
    assert {"shortcut-border", "shortcut-lungs-blanked"} <= _codes(found, "error", "warning")


def test_visible_disease_alone_is_no_alarm(healthy):
    manifest, views, _ = healthy
    assert probe_shortcuts(manifest, views).whole.result.auroc.value > 0.9
    assert not _codes(find_shortcuts(manifest, views), "error", "warning")


def test_a_header_that_follows_the_class_is_an_error_that_names_the_column(healthy):
    manifest, views, _ = healthy
    table = np.where(manifest.table["label"] == "pneumonia", 330, 1858)
    both = _with_column(_with_column(manifest, "quantisation", table), "file_bytes", 5000 + np.arange(len(manifest)))
    found = next(each for each in find_shortcuts(both, views) if each.code == "shortcut-header")
    assert found.severity == "error"
    assert found.figures["this view"].value > 0.99
    assert found.table[0]["seen"] == "JPEG quantisation table" and found.table[0]["seen"] in found.sentence
    assert found.figures["this view, on test"].value > 0.99


def test_the_size_of_files_that_are_stored_alike_is_no_more_than_a_warning(healthy):
    manifest, views, _ = healthy
    size = np.where(manifest.table["label"] == "pneumonia", 3000, 9000) + np.arange(len(manifest)) % 7
    found = {each.code: each.severity for each in find_shortcuts(_with_column(manifest, "file_bytes", size), views)}
    assert found["shortcut-file-size"] == "warning" and "shortcut-header" not in found


def test_sources_that_bring_one_class_each_are_an_error_and_file_names_only_a_note(healthy):
    manifest, views, _ = healthy
    table = manifest.table
    names = [f"{label}/{'AB'[label == 'normal']}{row}.png" for row, label in enumerate(table["label"])]
    other = manifest.with_table(table.assign(source=np.where(table["label"] == "normal", "here", "there"),
                                             image_path=names))  # fmt: skip
    found = {each.code: each for each in find_shortcuts(other, views)}
    assert found["shortcut-source"].severity == "error"
    assert found["shortcut-file-name"].severity == "note"


def test_every_finding_has_a_figure_with_its_interval_beside_that_of_the_whole_picture(marked):
    for finding in find_shortcuts(*marked[1.0][:2]):
        figure, whole = finding.figures["this view"], finding.figures["whole picture"]
        assert figure.ci_low <= figure.value <= figure.ci_high and whole.ci_low <= whole.value <= whole.ci_high
        assert f"{figure.value:.2f}" in finding.sentence and finding.way_out


def test_the_same_seed_gives_the_same_findings(healthy):
    manifest, views, _ = healthy
    assert find_shortcuts(manifest, views, seed=2) == find_shortcuts(manifest, views, seed=2)


def test_a_class_with_one_patient_leaves_nothing_to_probe(healthy):
    manifest, views, _ = healthy
    alone = manifest.table["patient_id"].where(manifest.table["label"] == "normal", "one")
    assert find_shortcuts(_with_column(manifest, "patient_id", alone), views) == []


@pytest.mark.parametrize("missing", ["test", "val"])
def test_a_split_may_be_missing(healthy, missing):
    manifest, views, _ = healthy
    kept = np.flatnonzero((manifest.table["split"] != missing).to_numpy())
    part = replace(manifest, table=manifest.table.iloc[kept].reset_index(drop=True))
    assert probe_shortcuts(part, views.of(kept)) is not None
