"""Columns as features, and what a file's name says once the class is taken out of it."""

import numpy as np
import pandas as pd
import pytest

from hilum.audit.columns import encode_column, encode_columns, header_columns
from hilum.audit.folds import Design
from hilum.audit.names import name_features, without_label
from hilum.audit.probe import held_out_auroc
from hilum.evaluation.bootstrap import Patients


def _auroc(features, labels):
    design = Design.of(labels, Patients.of(np.arange(len(labels))), permutations=0)
    return held_out_auroc(features, design)


def test_a_class_in_the_middle_of_a_column_is_found():
    values = np.random.default_rng(0).normal(size=600)
    labels = (np.abs(values) < 0.6).astype(int)
    assert _auroc(values[:, None].astype(np.float32), labels) < 0.65
    assert _auroc(encode_column(pd.Series(values)), labels) > 0.95


def test_missing_values_and_texts_are_values():
    column = pd.Series([1.5, None] * 40)
    assert _auroc(encode_column(column), np.array([0, 1] * 40)) == 1.0
    assert encode_column(pd.Series(["L", "RGB", "L", None])).shape == (4, 3)
    assert np.isfinite(encode_column(pd.Series([None, 1.0, 2.0] * 20 + list(range(20))))).all()


def test_a_column_that_never_varies_is_nothing_to_see():
    assert encode_column(pd.Series(["a"] * 5)).shape == (5, 0)
    assert encode_columns(pd.DataFrame(index=range(5))).shape == (5, 0)


def test_header_columns_are_how_a_file_is_stored_and_what_follows_from_it():
    table = pd.DataFrame(
        {"height": [10, 20], "width": [10, 10], "file_bytes": [50, 200], "format": ["PNG", "PNG"], "age_years": [3, 70]}
    )
    columns = header_columns(table)
    assert columns["bytes_per_pixel"].tolist() == [0.5, 1.0]
    assert {"format", "age_years", "width"}.isdisjoint(columns)


@pytest.mark.parametrize(
    ("path", "rule", "expected"),
    [
        ("train/PNEUMONIA/person12_bacteria_3.jpeg", "kermany3", "person12__3"),
        ("train/NORMAL/IM-0001-0001.jpeg", "kermany3", "0001-0001"),
        ("COVID/Covid (7).png", "folders", " (7)"),
        ("a/x_sick_1.png", r"_(?P<label>sick|well)_", "x__1"),
    ],
)
def test_what_the_label_was_read_from_is_taken_out_of_a_name(path, rule, expected):
    assert without_label(path, ("NORMAL", "COVID"), rule) == expected


def test_names_of_two_archives_are_told_apart_and_class_names_alone_are_not():
    generator = np.random.default_rng(1)
    labels = generator.integers(0, 2, 200)
    numbers = generator.integers(0, 10_000, 200)
    own = [f"{'xy'[label]}/{['scan', 'IM-'][label]}{n:05}.png" for label, n in zip(labels, numbers, strict=True)]
    assert _auroc(name_features(own, ("x", "y")), labels) == 1.0
    only_class = [
        f"{'xy'[label]}/{['well', 'sick'][label]}{n:05}.png" for label, n in zip(labels, numbers, strict=True)
    ]
    assert 0.35 < _auroc(name_features(only_class, ("well", "sick")), labels) < 0.65
