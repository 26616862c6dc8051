"""The reported figures: all of them, and none mistyped."""

import re

import pytest

from hilum.recipes.registry import RECIPES, header_of
from hilum.replay.mistakes import MISTAKES
from hilum.replay.reported import FIGURES
from hilum.replay.systems import SYSTEMS, TASKS

COUNTS = {"A": 26, "B": 47, "C": 15, "D": 29, "E": 9}
"""Counted by hand in the reports' tables."""


@pytest.mark.parametrize("letter", COUNTS)
def test_every_figure_of_the_report_is_there_once(letter):
    figures = SYSTEMS[letter].figures
    assert len(figures) == COUNTS[letter]
    assert len({(each.row, each.figure) for each in figures}) == len(figures)


@pytest.mark.parametrize("figure", FIGURES, ids=lambda each: f"{each.row} {each.figure}")
def test_a_figure_stands_in_the_header_of_its_recipe(figure):
    """The headers were typed from the reports by another hand."""
    if figure.figure in ("dropout", "learning rate", "time of an epoch, s", "parameters"):
        pytest.skip("settings and counts stand in the recipe or elsewhere")
    header = " ".join(header_of(figure.row).split())
    number = re.search(r"\d+\.?\d*", figure.text)
    assert (number.group() if number else figure.text.split()[0]) in header


@pytest.mark.parametrize("figure", FIGURES, ids=lambda each: f"{each.row} {each.figure}")
def test_a_figure_names_what_there_is(figure):
    assert figure.row in RECIPES and set(figure.mistakes) <= set(MISTAKES)
    assert SYSTEMS[figure.system].task(figure.row) in TASKS
    if figure.value is not None and figure.metric == "accuracy":
        assert 0 <= figure.value <= 1


def test_every_mistake_is_behind_some_figure_and_is_one_sentence():
    assert {name for figure in FIGURES for name in figure.mistakes} == set(MISTAKES)
    for mistake in MISTAKES.values():
        assert mistake.sentence.endswith(".") and mistake.sentence.count(". ") == 0


def test_matrices_of_the_report_contradict_the_accuracies_beside_them():
    """What makes them worth a replay: 349 of 624 is not 86.70 %."""
    texts = [figure.text for figure in FIGURES if figure.metric == "confusion"]
    rows = [[int(cell) for cell in re.findall(r"\d+", text)] for text in texts]
    assert [sum(row) for row in rows] == [624, 624, 624]
    assert rows[1][0] + rows[1][3] == 349 and rows[2][0] + rows[2][4] + rows[2][8] == 227
