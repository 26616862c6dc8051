"""The five reference reports: every contradiction that their printed numbers betray."""

from pathlib import Path

import pytest

from hilum.autopsy import read_report, take_apart

GALLERY = Path(__file__).parents[2] / "docs" / "gallery"


def codes(name, severity=None):
    found = take_apart(read_report(GALLERY / f"{name}.json")).findings
    return {(each.code, each.where) for each in found if severity in (None, each.severity)}


def sentence(name, code, where=None):
    found = take_apart(read_report(GALLERY / f"{name}.json")).of(code)
    return next(each.sentence for each in found if where in (None, each.where))


def test_a_is_below_chance_on_test_and_its_best_is_not_shown_to_be_best():
    below = {where for code, where in codes("a", "suspicious") if code == "below-majority"}
    assert below == {"deeper CNN, test", "ViT from scratch, test", "ViT-B/16, test"}
    assert "46.0 points" in sentence("a", "gap")
    assert "ResNet50 (0.86)" in sentence("a", "ranking")
    assert not codes("a", "impossible")


def test_b_has_equal_rows_and_percentages_that_no_sample_gives():
    assert codes("b", "impossible") == {("no-one-size", "validation")}
    assert "2,396" in sentence("b", "no-one-size")
    assert "ResNet50, test and SimpleCNN, TTA 1, test are equal to the digit" in sentence("b", "equal-rows")
    assert "17.3 points" in sentence("b", "gap")
    assert "can only be weighted" in sentence("b", "averaging", "SimpleCNN, original, test")


def test_c_two_matrices_collapse_and_swapped_order():
    impossible = codes("c-binary", "impossible")
    assert ("matrix-figure", "experiment 3, SGD, test") in impossible
    assert ("no-count", "experiment 3, SGD, validation") in impossible
    assert ("no-count", "testing one image, one image") in impossible
    assert "541 of 624" in sentence("c-binary", "no-count", "experiment 3, SGD, validation")
    assert "349 of 624, 55.93 %" in sentence("c-binary", "matrix-figure")
    suspicious = codes("c-binary", "suspicious")
    assert ("one-class", "experiment 1, test") in suspicious
    assert ("majority-share", "experiment 2, scheduler, test") in suspicious
    assert ("independent", "experiment 3, SGD, test") in suspicious
    assert "chi-square 1.23, p = 0.27" in sentence("c-binary", "independent")
    assert codes("c-three-classes", "impossible") == {
        ("class-order", "experiment 4, test"),
        ("matrix-figure", "experiment 4, test"),
    }
    assert "in the order bacterial, healthy and viral" in sentence("c-three-classes", "class-order")
    assert "227 of 624, 36.38 %" in sentence("c-three-classes", "matrix-figure")
    assert "chi-square 1.75, p = 0.78" in sentence("c-three-classes", "independent")


def test_d_says_learning_rates_twice_and_cannot_rank():
    assert {code for code, _ in codes("d", "impossible")} == {"said-twice"}
    texts = [each.sentence for each in take_apart(read_report(GALLERY / "d.json")).of("ranking")]
    assert any("2 images fewer, p = 0.5" in text and "p = 0.062" in text for text in texts)
    assert "no-test" in {code for code, _ in codes("d")}


def test_e_prints_too_little_to_contradict_itself():
    assert not codes("e", "impossible") and not codes("e", "suspicious")


def test_the_figures_for_scale_do_not_fit_the_split_that_they_are_set_beside():
    assert {"no-count", "accuracy-from-recalls"} <= {code for code, _ in codes("scale", "impossible")}


@pytest.mark.parametrize("path", sorted(GALLERY.glob("*.json")), ids=lambda path: path.stem)
def test_the_gallery_is_what_the_command_writes(path):
    written = (GALLERY / "README.md").read_text()
    for each in take_apart(read_report(path)).findings:
        if each.code != "intervals":
            assert each.sentence in written
    assert path.with_suffix(".html").exists()
