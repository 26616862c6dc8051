"""Whose class is which."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from hilum.errors import UsageError
from hilum.evaluation.mapping import map_labels

BINARY, THREE = ("NORMAL", "PNEUMONIA"), ("normal", "bacteria", "virus")


def test_classes_of_the_data_that_count_as_one() -> None:
    found = map_labels(BINARY, THREE, ["pneumonia=bacteria+virus"])
    assert found.labels.names == BINARY and not found.merges_outputs
    assert found.of_data == {"normal": "NORMAL", "bacteria": "PNEUMONIA", "virus": "PNEUMONIA"}
    logits = np.random.default_rng(0).normal(size=(5, 2))
    assert special.softmax(found.logits(logits), axis=1) == pytest.approx(special.softmax(logits, axis=1))


def test_outputs_of_the_model_that_are_added_up() -> None:
    found = map_labels(THREE, BINARY, ["PNEUMONIA=bacteria+virus"])
    assert found.labels.names == ("normal", "PNEUMONIA") and found.merges_outputs
    assert found.of_data == {"NORMAL": "normal", "PNEUMONIA": "PNEUMONIA"}
    logits = np.random.default_rng(1).normal(size=(5, 3))
    probs = special.softmax(logits, axis=1)
    assert special.softmax(found.logits(logits), axis=1)[:, 1] == pytest.approx(probs[:, 1] + probs[:, 2])


def test_case_is_no_difference_and_a_class_can_be_left_out() -> None:
    found = map_labels(BINARY, ("normal", "Pneumonia", "covid"), ["-=covid"])
    assert found.of_data == {"normal": "NORMAL", "Pneumonia": "PNEUMONIA", "covid": None}
    assert map_labels(BINARY, ("PNEUMONIA",)).labels.names == BINARY  # one class only is data too


@pytest.mark.parametrize(
    ("data", "wishes", "words"),
    [
        (("normal", "covid"), [], "class covid of the data.*--map 'PNEUMONIA=covid'"),
        (THREE, ["pneumonia"], "NAME=A"),
        (THREE, ["pneumonia=bacteria+viral"], "The model knows NORMAL, PNEUMONIA"),
        (THREE, ["lungs=bacteria+virus"], "The data have|the data have"),
        (THREE, ["-=covid"], "expected some of normal, bacteria, virus"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(data, wishes, words) -> None:
    with pytest.raises(UsageError, match=words) as refused:
        map_labels(BINARY, data, wishes)
    assert "\n" not in str(refused.value)


def test_an_output_of_the_model_counts_once() -> None:
    with pytest.raises(UsageError, match="virus more than once"):
        map_labels(THREE, ("a", "b"), ["a=bacteria+virus", "b=normal+virus"])
