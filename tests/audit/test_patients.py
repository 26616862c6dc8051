"""Who is in a picture: expectations against simulation, keys against what they imply."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hilum.audit.patients import beside_a_patient, find_patient_faults
from hilum.data.manifest import Manifest
from hilum.data.patients import patient_keys
from hilum.labels import LabelSet


def manifest_of(rows, **facts):
    """`image_path, label, patient_id, split` -> a manifest."""
    table = pd.DataFrame(rows, columns=["image_path", "label", "patient_id", "split"])
    table = table.assign(source="s", view=None, height=64, width=64, sha256=table["image_path"])
    return Manifest(table, LabelSet.of(table["label"]), Path("x"), facts)


def found(manifest, **options):
    return {each.code: each for each in find_patient_faults(manifest, **options)}


def test_the_expectation_is_that_of_a_simulation():
    generator = np.random.default_rng(0)
    sizes = generator.geometric(0.5, 120)
    patient, drawn = np.repeat(np.arange(len(sizes)), sizes), 50
    beside = []
    for _ in range(4000):
        chosen = np.bincount(generator.permutation(patient)[:drawn], minlength=len(sizes))
        beside.append(chosen[chosen < sizes].sum())
    assert beside_a_patient(sizes, drawn) == pytest.approx(np.mean(beside), abs=4 * np.std(beside) / 63)


def test_single_images_stand_beside_nobody():
    assert beside_a_patient([1] * 40, 10) == 0
    assert beside_a_patient([2] * 2, 4) == 0


def test_a_patient_in_two_splits_is_an_error():
    rows = [(f"{split}/a/{i}.png", "ab"[i % 2], f"p{i}", split) for split in ("train", "test") for i in range(4)]
    finding = found(manifest_of(rows))["patients-in-both"]
    assert finding.severity == "error" and finding.count == 4
    assert set(finding.groups[0]) == {"train/a/0.png", "test/a/0.png"}


def test_kermany_names_taken_by_number_alone_would_be_a_false_alarm():
    rows = [
        ("train/NORMAL/IM-0115-0001.jpeg", "normal", "train"),
        ("train/NORMAL/NORMAL2-IM-0300-0001.jpeg", "normal", "train"),
        ("train/PNEUMONIA/person7_virus_13.jpeg", "virus", "train"),
        ("train/PNEUMONIA/person8_bacteria_37.jpeg", "bacteria", "val"),
        ("train/PNEUMONIA/person8_bacteria_38.jpeg", "bacteria", "val"),
        ("test/NORMAL/NORMAL2-IM-0115-0001.jpeg", "normal", "test"),
        ("test/PNEUMONIA/person7_bacteria_15.jpeg", "bacteria", "test"),
    ]
    table = pd.DataFrame(rows, columns=["image_path", "label", "split"])
    keys, rule = patient_keys(table)
    manifest = manifest_of(list(zip(table["image_path"], table["label"], keys, table["split"], strict=True)))
    finding = found(manifest_of(manifest.table[["image_path", "label", "patient_id", "split"]], patient_rule=rule))
    table = finding["patient-key"].table
    assert table[0]["in test and outside"] == 0
    (alone,) = [row for row in table if "alone" in row["key"]]
    assert alone["in test and outside"] == 2
    assert "2" in finding["patient-key"].sentence


def test_images_left_out_for_the_test_are_told_of():
    rows = [(f"{split}/{label}/{split}{i}.png", label, f"{split}{i}", split)
            for split in ("train", "test") for i, label in enumerate("abab")]  # fmt: skip
    quarantine = pd.DataFrame([("train/a/9.png", "patient-in-test", "")], columns=["image_path", "code", "reason"])
    assert found(manifest_of(rows), quarantine=quarantine)["patients-left-out"].count == 1


def test_images_without_a_patient_and_patients_with_two_labels():
    rows = [(f"train/{i}.png", "ab"[i % 2], f"image:train/{i}.png" if i < 4 else "p", "train") for i in range(8)]
    result = found(manifest_of(rows))
    assert result["patients-unknown"].count == 4
    assert result["patients-with-two-labels"].count == 1


def test_a_planted_leak_is_found_and_mended(audited):
    result, truth = audited(160, patients_in_both=0.5, seed=3)
    (finding,) = result.audit.of("patients-left-out")
    assert finding.count == int((truth["in_both"] & (truth["split"] == "train")).sum())
    assert not result.audit.of("patients-in-both")


def test_the_pictures_bear_a_right_key_out_and_a_shuffled_one_not(audited):
    from hilum.audit.pictures import CANVAS, look_at
    from hilum.data.build import open_cache

    result, _ = audited(200, images_per_patient=2.0, seed=6)
    manifest = result.manifest
    pictures = look_at(manifest, open_cache(manifest, CANVAS, result.folder / "cache").of(manifest.table))
    right = found(manifest, pictures=pictures)["patient-key"]
    assert right.figures["alike"].ci_low > 0.5 and "bear it out" in right.sentence
    shuffled = manifest.table["patient_id"].sample(frac=1, random_state=1).to_numpy()
    wrong = found(manifest.with_table(manifest.table.assign(patient_id=shuffled)), pictures=pictures)["patient-key"]
    assert wrong.figures["alike"].value < right.figures["alike"].value - 0.1
