"""The section on heat maps: a plain sentence, a table of methods by tests, failures first; warns when a test failed."""

import json

import numpy as np
import pytest
from PIL import Image

from hilum.report.page import render_page
from hilum.report.sections.cams import describe_exam, is_believed, make_exam, make_mapped_mistakes
from hilum.report.study_folder import read_study


def estimate(value, reach=0.05):
    return {"value": value, "ci_low": value - reach, "ci_high": value + reach, "k": None, "n": 24}


def figures(similarity=0.1, states=("pass",) * 4):
    share = {"share": estimate(0.5), "area": estimate(0.3), "density": estimate(1.7)}
    steps = [{"stages": ["head"], **estimate(0.8)}, {"stages": ["head", "blocks.0"], **estimate(similarity)}]
    tests = ("randomised", "deletion", "in_lungs", "at_border")
    return {
        "randomised": {"steps": steps, "all": estimate(similarity)},
        "deletion": {
            "fractions": [0.1, 0.3],
            "start": estimate(0.9),
            "map": [estimate(0.7), estimate(0.4)],
            "elsewhere": [estimate(0.9), estimate(0.8)],
            "gain": estimate(0.3),
        },
        "in_lungs": share,
        "at_border": share,
        "verdicts": [
            {"test": test, "state": state, "sentence": f"{test} {state}."}
            for test, state in zip(tests, states, strict=True)
        ],
    }


def exam(study, **states):
    return {
        "schema": "hilum.cam/1",
        "model": "cnn-tiny",
        "split": "val",
        "shown": "gradcam",
        "images": 24,
        "of": 48,
        "patients": 24,
        "layer": "blocks.2",
        "cells": [7, 7],
        "lungs": {"found": 23, "known": False},
        "control": {**figures(1.0), "randomised": {"steps": [], "all": estimate(1.0, 0)}},
        "methods": {"gradcam": figures(**states), "layercam": figures()},
        "examples_of": "test",
        "examples": [
            {"image_path": study.manifest.table["image_path"].iloc[0], "said": "viral", "true": "normal",
             "probability": 0.98},
            {"image_path": study.manifest.table["image_path"].iloc[1], "said": "normal", "true": "normal",
             "probability": 0.97},
        ],
    }  # fmt: skip


@pytest.fixture
def examined(make_study):
    def make(**states):
        folder = make_study()
        study = read_study(folder)
        place = study.chosen.folder / "inspection" / "cam"
        place.mkdir(parents=True)
        (place / "exam.json").write_text(json.dumps(exam(study, **states)))
        for name in ("00-picture", "00-said", "00-true", "01-picture", "01-said"):
            Image.fromarray(np.zeros((20, 24), np.uint8)).save(place / f"example-{name}.png")
        return study

    return make


def test_a_study_without_an_exam_says_nothing(make_study):
    study = read_study(make_study())
    assert make_exam(study) is None and make_mapped_mistakes(study) is None


def test_methods_by_tests_with_a_plain_sentence_and_the_control(examined):
    html = make_exam(examined()).html
    assert "The maps of Grad-CAM passed" in html
    assert html.count("<tr") == 4 and "LayerCAM" in html and "edges of the picture" in html
    assert "23 of the 24 pictures" in html.replace("\u00a0", " ") and "of 48 drawn for it" in html
    assert html.count("<svg") == 2 and "<ul>" not in html


def test_failures_come_first_each_with_the_map_of_what_was_said_and_of_what_is_true(examined):
    html = make_mapped_mistakes(examined()).html
    assert html.count("<img") == 5
    assert html.index("for viral") < html.index("rightly")
    assert "with care" not in html


@pytest.mark.parametrize(
    ("states", "words"),
    [
        (("fail", "pass", "pass", "pass"), "failed a test that counts"),
        (("pass", "open", "pass", "pass"), "is not settled"),
        (("pass", "pass", "pass", "fail"), "at the border too much"),
        (("pass", "pass", "open", "pass"), "keeps to the lungs and off the border is not settled"),
        (("pass", "pass", "fail", "pass"), "outside the lungs too much"),
    ],
)
def test_a_map_that_did_not_pass_is_shown_with_a_warning(examined, states, words):
    study = examined(states=states)
    failed = next(
        name
        for name, state in zip(("randomised", "deletion", "in_lungs", "at_border"), states, strict=True)
        if state != "pass"
    )
    assert words in make_exam(study).html and f"<li>{failed} " in make_exam(study).html
    html = make_mapped_mistakes(study).html
    assert words in html and ("Read these maps with care." in html) == (states[:2] != ("pass", "pass"))


def test_the_page_holds_both_under_the_chapter_on_what_the_model_looks_at(examined):
    page = str(render_page(examined()))
    chapter = page.index('id="inspection"')
    assert chapter < page.index("Where it looked when it was wrong") < page.index("Can its heat maps be believed?")
    assert not is_believed({"shown": "x", "methods": {"x": figures(states=("open", "pass", "pass", "pass"))}})
    assert "not settled" in describe_exam(
        {"shown": "gradcam", "methods": {"gradcam": figures(states=("open", "pass", "pass", "pass"))}}
    )
