"""Seeded mutants: every one is read or rejected with a code, quickly and without a word on the terminal.

`benchmarks/fuzz_files.py` makes them, and tries as many as one likes.
"""

import importlib.util
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from hilum.images import Sandbox

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
MUTANTS, SEED, THROUGH_SANDBOX = 2000, 8, 53
LOUD = ("TIFF", "compressed DICOM")
"""Their libraries write to file descriptor 2 from C; only a process of their own could be kept quiet."""


@pytest.fixture(scope="module")
def fuzz():
    """The benchmark as a module; its files of every kind lie beside it."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        spec = importlib.util.spec_from_file_location("fuzz_files", BENCHMARKS / "fuzz_files.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(BENCHMARKS))
    return module


@pytest.fixture(scope="module")
def kinds(fuzz) -> dict[str, list[bytes]]:
    return fuzz.seeds()


def test_sound_files_are_read(fuzz, kinds):
    for kind, files in kinds.items():
        for number, data in enumerate(files):
            assert fuzz.judge(kind, data).startswith("ok"), (kind, number)


def test_mutants_end_as_read_or_rejected(fuzz, kinds, capfd):
    outcomes, slowest = {kind: Counter() for kind in kinds}, 0.0
    with Sandbox() as sandbox:
        for number in range(MUTANTS):
            kind, data = fuzz.numbered(number, SEED, kinds)
            start = time.perf_counter()
            code = fuzz.judge(kind, data)
            slowest = max(slowest, time.perf_counter() - start)
            outcomes[kind][code] += 1
            said = "".join(capfd.readouterr())
            assert not said or kind in LOUD, (number, said)
            if number % THROUGH_SANDBOX == 0:
                assert fuzz.judge(kind, data, sandbox.read) == code, number
    assert sum(map(Counter.total, outcomes.values())) == MUTANTS
    assert all(len(codes) >= 3 for codes in outcomes.values()), outcomes
    assert slowest < 10


def test_a_mutant_is_the_same_in_every_run(fuzz, kinds):
    again = fuzz.seeds()
    assert all(fuzz.numbered(number, 3, kinds) == fuzz.numbered(number, 3, again) for number in range(0, 200, 7))
    assert fuzz.numbered(5, 3, kinds) != fuzz.numbered(5, 4, kinds)


def test_the_judge_minds_what_the_contract_forbids(fuzz, kinds):
    class Odd:
        pixels, warnings = np.zeros((3, 3), np.float64), ()

    with pytest.raises(AssertionError, match="another kind"):
        fuzz.outcome(b"", lambda data, limits: Odd())
    with pytest.raises(ZeroDivisionError):
        fuzz.outcome(b"", lambda data, limits: 1 / 0)
