"""The part of a study that holds the exam: what it writes, what it keeps to, and that the page shows it."""

import json

import numpy as np
import pytest

from hilum.data.manifest import read_manifest
from hilum.report import write_report
from hilum.workflow.inspect import PARTS, InspectionContext
from hilum.workflow.inspect_cam import examine_run, sample_rows
from hilum.workflow.options import Options


@pytest.fixture
def context(trained, tmp_path):
    import shutil

    study, _ = trained
    folder = tmp_path / "study"
    shutil.copytree(study.study_dir, folder)
    run = json.loads((folder / "study.json").read_text())["chosen_run"]
    manifest = read_manifest(folder / "manifest.parquet")
    return InspectionContext(folder, run, manifest, Options(device="cpu"), True, 2.0, lambda *_: None)


def test_it_is_a_part_of_every_study():
    assert "cam" in [name for name, *_ in PARTS]


def test_exam_maps_and_pictures_are_written_and_shown(context):
    examine_run(context)
    folder = context.study_dir / context.run / "inspection" / "cam"
    exam = json.loads((folder / "exam.json").read_text())
    assert exam["shown"] in exam["methods"] and exam["split"] == "val" and exam["images"] >= 2
    assert exam["examples_of"] == "test" and exam["examples"]
    maps = np.load(folder / "maps.npy")
    assert maps.shape[:2] == (2, len(exam["examples"])) and maps.dtype == np.float32
    for number, each in enumerate(exam["examples"]):
        wanted = {"picture", "said"} | ({"true"} if each["said"] != each["true"] else set())
        found = {path.stem.rpartition("-")[2] for path in folder.glob(f"example-{number:02}-*.png")}
        assert found == wanted
    page = write_report(context.study_dir).read_text()
    assert "Can its heat maps be believed?" in page


def test_test_pictures_are_left_alone_while_the_split_is_shut(context):
    from dataclasses import replace

    examine_run(replace(context, test_opened=False))
    exam = json.loads((context.folder("cam") / "exam.json").read_text())
    val = set(context.manifest.split("val")["image_path"])
    assert exam["examples_of"] == "val" and {each["image_path"] for each in exam["examples"]} <= val


def test_a_sample_has_one_image_a_patient_and_the_classes_in_turn(context):
    rows = sample_rows(context.manifest.split("train"), 10, seed=3)
    assert rows["patient_id"].is_unique and len(rows) == 10
    assert sorted(rows["label"].value_counts()) == [5, 5]
    assert list(rows["image_path"]) == list(sample_rows(context.manifest.split("train"), 10, seed=3)["image_path"])
