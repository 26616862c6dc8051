"""`hilum study`: call the workflow and print what came of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hilum.cli.auditing import check_audit
from hilum.cli.terminal import Terminal, print_json, print_line, render_table
from hilum.errors import CheckFailed
from hilum.workflow.options import Options
from hilum.workflow.several import refuse_several

if TYPE_CHECKING:
    from hilum.workflow.study import Study

REJECTED, INTERRUPTED = 3, 130


def run_study_command(data: Path | None, options: Options, *, strict: bool, as_json: bool) -> int:
    """Runs a study; returns the exit code."""
    from hilum.workflow.study import run_study

    refuse_several("hilum study")
    result = run_study(data, options, Terminal(quiet=as_json))
    if as_json:
        print_json(_document(result))
    else:
        _print(result)
    if strict:
        _check(result)
    if result.interrupted:
        return INTERRUPTED
    return REJECTED if result.rejected else 0


def _check(result: Study) -> None:
    check_audit(result.audit)
    verdicts = list(result.test.verdicts) if result.test else []
    errors = [verdict.sentence for verdict in verdicts if verdict.severity == "error"]
    about = ("", result.chosen_run)
    errors += [each["sentence"] for each in result.guards if each["severity"] == "error" and each["run"] in about]
    if result.test is None or errors:
        found = errors[0] if errors else "no usable run"
        raise CheckFailed("--strict", expected="figures that can be trusted", found=found)


def _print(result: Study) -> None:
    print_line()
    print_line(_leaderboard(result))
    print_line("* chosen, = cannot be told apart from it on validation")
    print_line()
    print_line(result.headline)
    print_line(str(result.report))


def _leaderboard(result: Study) -> str:
    rows, best = [], [row["group"] for row in result.leaderboard.to_dict("records") if row["chosen"]]
    for row in result.leaderboard.to_dict("records"):
        alike = row["group"] == row["group"] and [row["group"]] == best  # NA where nothing was compared
        mark = "*" if row["chosen"] else "=" if alike else " "
        figures = [_interval(row, name) for name in ("val_accuracy", "val_auroc")]
        rows.append((f"{mark} {row['run']}", str(row["status"]), *figures))
    return render_table(rows, ("  run", "status", "validation accuracy", "validation AUROC"))


def _interval(row: dict[str, Any], name: str) -> str:
    value = row[name]
    if value is None or value != value:
        return "-"
    return f"{value:.3f} [{row[f'{name}_low']:.3f}, {row[f'{name}_high']:.3f}]"


def _document(result: Study) -> dict[str, Any]:
    test = result.test.to_json() if result.test else None
    leaderboard = result.leaderboard.astype(object).where(result.leaderboard.notna(), None)
    return {
        "study": str(result.study_dir),
        "report": str(result.report),
        "headline": result.headline,
        "chosen_run": result.chosen_run,
        "rejected": result.rejected,
        "audit": result.audit.counts(),
        "leaderboard": leaderboard.to_dict("records"),
        "test": test,
    }
