"""Errors are one line with what, expected, found and the way out; each kind has its exit code."""

import pickle

import pytest

from hilum import errors


def test_a_message_is_one_line_in_a_fixed_order():
    error = errors.DataError("x.csv", expected="a column `label`", found="a,\nb", way_out="Add it.")
    assert str(error) == "x.csv: expected a column `label`, found a, b. Add it."
    assert str(errors.DataError("x.csv")) == "x.csv"


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.UsageError, 2),
        (errors.RecipeError, 2),
        (errors.DataError, 4),
        (errors.ModelFileError, 4),
        (errors.WeightsNotFound, 4),
        (errors.OutOfTime, 4),
        (errors.CheckFailed, 5),
    ],
)
def test_exit_codes(kind, code):
    assert kind("x").exit_code == code


def test_a_rejection_survives_the_way_between_processes():
    rejection = errors.ImageRejected("truncated", "x.jpg", expected="a whole file", found="half of one")
    again = pickle.loads(pickle.dumps(rejection))
    assert again.code == "truncated" and str(again) == str(rejection) and again.exit_code == 3


def test_the_tree_in_the_docstring_names_every_error():
    kinds = [name for name, value in vars(errors).items() if isinstance(value, type)]
    assert [name for name in kinds if name not in (errors.__doc__ or "")] == []
