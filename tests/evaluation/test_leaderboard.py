from __future__ import annotations

import csv
import math
from dataclasses import replace
from pathlib import Path

import pytest

from hilum.evaluation import Entry, Estimate, Evaluation, Verdict, build_leaderboard, choose_run, evaluate
from hilum.evaluation import write_leaderboard as write
from hilum.evaluation.leaderboard import rank


@pytest.fixture
def validation(draw) -> Evaluation:
    return evaluate(draw(60, split="val"), replicates=20)


def _entry(run: str, validation: Evaluation | None, auroc: float = 0.9, loss: float = 0.5, **changes) -> Entry:
    if validation is not None:
        figures = {"auroc": Estimate(auroc, auroc - 0.05, auroc + 0.05), "log_loss": Estimate(loss, loss, loss)}
        validation = replace(validation, overall={**validation.overall, **figures})
    facts = {"recipe": run, "model": "cnn-small", "weights": "none", "parameters": 1000, "status": "done"}
    return Entry(**{"run": run, **facts, "epochs": 3, "seconds": 1.5, "validation": validation, **changes})


def _collapsed(validation: Evaluation) -> Evaluation:
    return replace(validation, verdicts=(Verdict("one-class", "error", "All alike."),))


def test_order_is_done_then_auroc_then_log_loss(validation) -> None:
    entries = [
        _entry("failed", None, status="failed"),
        _entry("collapsed", _collapsed(validation), auroc=0.99),
        _entry("worse", validation, auroc=0.9),
        _entry("better", validation, auroc=0.95),
        _entry("same-but-unsure", validation, auroc=0.9502, loss=0.9),
        _entry("unknown", validation, auroc=math.nan),
    ]
    names = [entry.run for entry in rank(entries)]
    assert names == ["better", "same-but-unsure", "worse", "unknown", "collapsed", "failed"]
    assert choose_run(entries) == "better"
    table = build_leaderboard(entries)
    assert table["status"].tolist() == ["done", "done", "done", "done", "collapsed", "failed"]
    assert table["chosen"].tolist() == [1, 0, 0, 0, 0, 0]


def test_a_warning_is_no_collapse(validation) -> None:
    warned = replace(validation, verdicts=(Verdict("never-called", "warning", "None."),))
    assert _entry("a", warned).outcome == "done"


def test_a_collapsed_run_is_chosen_only_where_it_ranks_and_nothing_else_is_left(validation) -> None:
    blind = _entry("blind", _collapsed(validation), auroc=0.5)
    ranking = _entry("ranking", _collapsed(validation), auroc=0.8)
    assert choose_run([blind, ranking]) == "ranking"
    assert choose_run([blind, ranking, _entry("weak", validation, auroc=0.6)]) == "weak"
    assert choose_run([blind]) is None
    assert choose_run([_entry("failed", None, status="failed"), _entry("late", None, status="skipped")]) is None
    assert choose_run([]) is None


def test_the_file_has_the_columns_of_the_study_folder(validation, tmp_path: Path) -> None:
    write(tmp_path / "leaderboard.csv", [_entry("a", validation), _entry("b", None, status="failed", parameters=None)])
    with (tmp_path / "leaderboard.csv").open(newline="") as file:
        first, second = csv.DictReader(file)
    facts = ["run", "recipe", "model", "weights", "parameters", "status", "epochs", "seconds", "val_loss"]
    figures = [
        f"val_{name}{end}" for name in ("accuracy", "balanced_accuracy", "auroc") for end in ("", "_low", "_high")
    ]
    assert list(first) == [*facts, *figures, "chosen", "group"]
    assert (first["run"], first["chosen"], first["parameters"]) == ("a", "1", "1000")
    assert float(first["val_accuracy"]) == pytest.approx(validation.overall["accuracy"].value)
    assert float(first["val_auroc_low"]) == pytest.approx(0.85)
    assert (second["status"], second["val_auroc"], second["parameters"], second["chosen"]) == ("failed", "", "", "0")


def test_groups_of_runs_that_cannot_be_told_apart(validation) -> None:
    entries = [_entry("a", validation), _entry("b", validation, auroc=0.8), _entry("c", None, status="failed")]
    table = build_leaderboard(entries, {"a": 1, "b": 1})
    assert table["group"].tolist()[:2] == [1, 1] and table["group"].isna().tolist() == [False, False, True]
    assert build_leaderboard(entries)["group"].isna().all()
