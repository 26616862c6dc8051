"""Class names and their order."""

import pytest

from hilum.errors import DataError
from hilum.labels import LabelSet, is_normal


def test_the_normal_class_comes_first_and_the_rest_by_name():
    assert LabelSet.of(["virus", "NORMAL", "bacteria", "virus"]).names == ("NORMAL", "bacteria", "virus")
    assert LabelSet.of(["b", "A", "c"]).names == ("A", "b", "c")


def test_names_become_positions_and_unknown_ones_are_named():
    labels = LabelSet(("normal", "bacteria"))
    assert labels.encode(["bacteria", "normal", "bacteria"]).tolist() == [1, 0, 1]
    for call in (lambda: labels.encode(["virus"]), lambda: labels.index("virus")):
        with pytest.raises(DataError, match=r"'virus'.*normal, bacteria"):
            call()


@pytest.mark.parametrize(
    ("names", "positive"),
    [(("NORMAL", "PNEUMONIA"), "PNEUMONIA"), (("covid", "healthy"), "covid"), (("a", "b"), "b")],
)
def test_binary_figures_are_about_the_class_that_is_not_normal(names, positive):
    assert LabelSet(names).is_binary and LabelSet(names).positive == positive


@pytest.mark.parametrize("names", [(), ("one",), ("a", "a")])
def test_no_task(names):
    with pytest.raises(DataError):
        LabelSet(names)


def test_words_for_normal():
    assert is_normal(" No Finding ") and not is_normal("abnormal")
