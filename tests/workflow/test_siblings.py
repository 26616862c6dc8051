"""Looks of other studies at the same test images."""

from pathlib import Path

import pandas as pd
import pytest

from hilum.data.manifest import COLUMNS, Manifest
from hilum.evaluation import record_opening
from hilum.labels import LabelSet
from hilum.workflow.siblings import find_other_openings


def _manifest(first: int, test: int = 10) -> Manifest:
    rows = [dict.fromkeys(COLUMNS, "") | {"sha256": f"{first + i:064x}", "split": "test"} for i in range(test)]
    rows += [dict.fromkeys(COLUMNS, "") | {"sha256": f"{500 + i:064x}", "split": "train"} for i in range(5)]
    return Manifest(pd.DataFrame(rows), LabelSet(("a", "b")), Path())


@pytest.fixture
def make(tmp_path):
    def make(name: str, first: int, openings: int, split: str = "test") -> Path:
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        _manifest(first).write(folder / "manifest.parquet")
        for i in range(openings):
            facts = {"recipe": "r", "predictions": "p", "images": 10, "reason": "why", "split": split}
            record_opening(folder, run="r", model_sha256=f"{i // 2:064x}", **facts)
        return folder

    return make


def test_only_the_same_test_images_that_were_opened_count(make, tmp_path):
    own = make("own", 0, 1)
    make("same", 0, 3)
    make("half", 5, 1)
    make("others", 100, 4)
    make("never-opened", 0, 0)
    make("elsewhere", 0, 2, split="other")
    (tmp_path / "runs/broken").mkdir()
    (tmp_path / "runs/broken/ledger.jsonl").write_text("nonsense\n")
    assert find_other_openings(own, _manifest(0)) == [
        {"study": "half", "openings": 1, "models": 1, "shared": 5, "images": 10},
        {"study": "same", "openings": 3, "models": 2, "shared": 10, "images": 10},
    ]
