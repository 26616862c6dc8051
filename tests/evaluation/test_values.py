from __future__ import annotations

import json

import pytest

from hilum.errors import DataError
from hilum.evaluation import Evaluation, evaluate, read_evaluations, write_evaluations


def test_another_schema_is_refused(draw) -> None:
    document = evaluate(draw(30), replicates=5).to_json()
    with pytest.raises(DataError, match=r"hilum\.evaluation/1"):
        Evaluation.from_json({**document, "schema": "hilum.evaluation/9"})


def test_values_cannot_be_changed_and_survive_the_file(draw, tmp_path) -> None:
    found = {split: evaluate(draw(40, split=split), replicates=10) for split in ("val", "test")}
    write_evaluations(tmp_path / "metrics.json", found)
    assert read_evaluations(tmp_path / "metrics.json") == found
    assert list(json.loads((tmp_path / "metrics.json").read_text())) == ["val", "test"]
    assert not list(tmp_path.glob("*.partial"))
    with pytest.raises(AttributeError):
        found["val"].images = 3
