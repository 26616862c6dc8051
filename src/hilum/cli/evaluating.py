"""`hilum evaluate`: a model on somebody else's data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hilum.cli.terminal import Terminal, print_json, print_line, render_table
from hilum.workflow.evaluate import Trial, TrialOptions, evaluate_on

REJECTED = 3


def run_evaluate_command(model: Path, data: Path, options: TrialOptions, *, as_json: bool) -> int:
    """Evaluates and prints; returns the exit code."""
    trial = evaluate_on(model, data, options, Terminal(quiet=as_json))
    if as_json:
        print_json(
            {"out": str(trial.folder), "report": str(trial.report), "rejected": trial.rejected, **_document(trial)}
        )
    else:
        _print(trial)
    return REJECTED if trial.rejected else 0


def _document(trial: Trial) -> dict[str, Any]:
    return {"evaluation": trial.evaluation.to_json(), **trial.document}


def _print(trial: Trial) -> None:
    from hilum.evaluation.values import estimate_of
    from hilum.report.evaluation_page import describe_shift, describe_trial

    rows = [(name, _interval(trial.evaluation.overall[name])) for name in ("accuracy", "balanced_accuracy", "auroc")]
    rows += [(f"{each.label}: sensitivity", _interval(each.sensitivity)) for each in trial.evaluation.per_class]
    if len(trial.evaluation.labels) == 2:
        rows += [
            (f"accuracy from {each['threshold']:.3f} ({each['name']})", _interval(estimate_of(each["accuracy"])))
            for each in trial.document["points"]
        ]
    print_line(render_table([(name.replace("_", " "), figure) for name, figure in rows], ("figure", "95 % interval")))
    if trial.document["points"]:
        print_line()
        print_line(render_table([_point(each) for each in trial.document["points"]], _header(trial)))
    print_line()
    print_line(describe_shift(trial.document["shift"]))
    for verdict in trial.evaluation.verdicts:
        print_line(verdict.sentence)
    print_line(describe_trial(trial.evaluation))
    print_line(str(trial.report))


def _header(trial: Trial) -> tuple[str, ...]:
    prevalence = trial.document["prevalence"]
    where = f" at {100 * prevalence:g} %" if prevalence else ""
    return ("threshold", "sensitivity", "specificity", f"PPV{where}", f"NPV{where}")


def _point(point: dict[str, Any]) -> tuple[str, ...]:
    source = point.get("at_prevalence", point)
    figures = [point["sensitivity"], point["specificity"], source["ppv"], source["npv"]]
    name = f"{point['label']} from {point['threshold']:.3f}"
    return (name, *(_rounded(each) for each in figures))


def _rounded(figure: dict[str, Any]) -> str:
    if figure["value"] is None:
        return "-"
    return f"{figure['value']:.2f} [{figure['ci_low']:.2f}, {figure['ci_high']:.2f}]"


def _interval(estimate: Any) -> str:
    if estimate.value != estimate.value:
        return "-"
    return f"{estimate.value:.3f} [{estimate.ci_low:.3f}, {estimate.ci_high:.3f}]"
