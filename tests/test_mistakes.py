"""The table of mistakes can fail: every row, file and test that it names exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
GUARDS = {"impossible", "finding", "mended", "not yet"}


def rows():
    lines = (ROOT / "docs/mistakes.md").read_text().splitlines()
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if re.match(r"\| \d+ \|", line)]


def test_every_mistake_has_its_row():
    assert [int(row[0].strip("| ")) for row in rows()] == list(range(1, 46))


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0].strip("| "))
def test_a_guard_has_a_test_that_exists_or_is_said_to_be_missing(row):
    guards, tests = set(row[2].split(", ")), re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row[-1])
    assert guards <= GUARDS
    assert bool(tests) != (guards == {"not yet"})
    for file, name in tests:
        assert re.search(rf"(?m)^def {name}\(", (ROOT / file).read_text()), f"{file}::{name}"
    for path in re.findall(r"`(src/[\w/.]+)`", row[3]):
        assert (ROOT / path).exists(), path
