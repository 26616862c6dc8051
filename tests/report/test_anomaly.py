"""The section on anomalies: sentences that the figures bear out, and what is said when they do not."""

import json

import numpy as np
import pandas as pd
import pytest

from hilum.errors import DataError
from hilum.inspection.anomaly import Scores
from hilum.report.anomaly_page import write_anomaly_page
from hilum.report.sections.anomaly import Found, describe_result, describe_setting
from hilum.workflow.anomaly import conclude

ABOUT = {
    "fitted_on": {"images": 300, "patients": 280},
    "model": {"file": "frozen/model.safetensors", "sha256": "0" * 64},
    "recipe": "frozen",
    "backbone": "untouched",
    "own_rule": "",
    "autoencoder": None,
    "pictures": [],
    "remarks": ["120 of the 624 test images were looked at"],
}


@pytest.fixture
def found(tmp_path):
    """Writes and reads scores; the normal images of test are shifted by `moved` standard deviations."""

    def make(moved=0.0, abnormal=True, **about):
        generator = np.random.default_rng(0)
        labels = np.array(["normal", "<i>viral"])[np.arange(600) % 2 if abnormal else np.zeros(600, int)]
        split = np.repeat(["val", "test"], 300)
        table = pd.DataFrame(
            {"image_path": [f"{i}.png" for i in range(600)], "patient_id": [f"p{i}" for i in range(600)]}
        ).assign(split=split, label=labels)
        score = (
            generator.standard_normal(600)
            + 4 * (labels != "normal")
            + moved * ((labels == "normal") & (split == "test"))
        )
        scores = Scores.of_rows(table, {"knn": score, "gaussian": generator.standard_normal(600)}, "normal")
        conclude(tmp_path, scores, rate=0.05, splits=("val", "test"), about={**ABOUT, **about}, replicates=50)
        return Found.read(tmp_path)

    return make


def test_the_best_detector_is_named_with_its_figures(found):
    said = describe_result(found()).replace("\xa0", " ")
    assert said.startswith("Embedding: nearest normals ranks 300 images of test best, with an AUROC of 0.99")
    assert "where 5 % was asked for" in said and "promise" not in said and "told apart" not in said


def test_a_promise_that_is_not_kept_is_said(found):
    assert "The promise of the threshold is not kept here" in describe_result(found(moved=2.0))


def test_what_the_backbone_has_seen_is_said(found):
    assert "pre-trained weights that no label of these data has changed" in describe_setting(found())
    assert "it knows these abnormal images" in describe_setting(found(backbone="trained"))
    assert "300 normal training images of 280 patients" in describe_setting(found()).replace("\xa0", " ")


def test_without_abnormal_images_there_is_no_ranking(found):
    assert describe_result(found(abnormal=False)) == "There is no abnormal image to try the detectors on."


def test_the_page_holds_every_figure_and_loads_nothing(found, tmp_path):
    read = found()
    page = write_anomaly_page(tmp_path).read_text()
    auroc = read.assessments[0].splits["test"].auroc
    assert f"{auroc.value:.2f}" in page and "120 of the 624 test images were looked at." in page
    assert "&lt;i&gt;viral" in page and "<i>viral" not in page and "http" not in page.split("</head>")[1]
    assert page.count("<svg") >= 2 and "told apart" in page


def test_a_folder_without_scores_has_no_section(tmp_path):
    assert Found.read(tmp_path) is None
    (tmp_path / "anomaly.json").write_text(json.dumps({"skipped": "no normal class"}))
    assert Found.read(tmp_path) is None
    with pytest.raises(DataError, match=r"anomaly\.json"):
        write_anomaly_page(tmp_path)
