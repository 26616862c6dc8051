"""Predictions -> numbers. Needs no torch and no model.

`evaluate` turns a predictions table into an `Evaluation`; `build_leaderboard` and `choose_run` compare runs on
validation; `compare` tests runs in pairs; `record_opening` is the one door to a test split.
"""

from hilum.evaluation.bootstrap import Patients
from hilum.evaluation.comparison import Comparison, Pair, compare
from hilum.evaluation.curves import pr_curve, reliability, roc_band, roc_curve
from hilum.evaluation.evaluate import evaluate
from hilum.evaluation.guards import find_verdicts
from hilum.evaluation.leaderboard import Entry, build_leaderboard, choose_run, write_leaderboard
from hilum.evaluation.ledger import Opening, find_broken_line, read_ledger, record_opening, record_predictions
from hilum.evaluation.values import (
    ClassMetrics,
    Estimate,
    Evaluation,
    Verdict,
    read_evaluations,
    write_evaluations,
)

__all__ = [
    "ClassMetrics",
    "Comparison",
    "Entry",
    "Estimate",
    "Evaluation",
    "Opening",
    "Pair",
    "Patients",
    "Verdict",
    "build_leaderboard",
    "choose_run",
    "compare",
    "evaluate",
    "find_broken_line",
    "find_verdicts",
    "pr_curve",
    "read_evaluations",
    "read_ledger",
    "record_opening",
    "record_predictions",
    "reliability",
    "roc_band",
    "roc_curve",
    "write_evaluations",
    "write_leaderboard",
]
