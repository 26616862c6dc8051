"""Fifty seeded mutations of a small study, and none of them survives."""

import importlib.util
import shutil
from pathlib import Path

import pytest

from hilum.verify import verify_folder

PATH = Path(__file__).parents[2] / "benchmarks" / "verify_mutations.py"


@pytest.fixture(scope="module")
def benchmark():
    import sys

    spec = importlib.util.spec_from_file_location("verify_mutations", PATH)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_no_mutation_survives(benchmark, study, finished, tmp_path, memory):
    data = tmp_path / "data"
    shutil.copytree(finished[1], data)
    untouched = verify_folder(study, data=data, memory=memory)
    assert untouched.passed, [each.sentence for each in untouched.differences]  # else every mutation seems found
    rows = benchmark.run_mutations(study, data, 50, seed=3, seal=True, memory=memory)
    assert len(rows) == 50 and len({row["name"] for row in rows}) == len(benchmark.MUTATIONS)
    assert [row for row in rows if not row["found"]] == []
    assert sum(row["named"] for row in rows) >= 45
