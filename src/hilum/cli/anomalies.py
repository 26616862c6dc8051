"""`hilum anomaly`: how well normal and abnormal images are told apart by scores that know only normal ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hilum.cli.terminal import Terminal, print_json, print_line, render_table

if TYPE_CHECKING:
    from hilum.recipes.schema import Recipe
    from hilum.workflow.anomaly import Detection
    from hilum.workflow.detect import DetectOptions

REJECTED = 3
WHERE = {"val": "validation", "test": "test"}


def run_anomaly_command(what: Sequence[str | Recipe], data: Path, options: DetectOptions, *, as_json: bool) -> int:
    """Detects and prints; returns the exit code."""
    from hilum.report.anomaly_page import write_anomaly_page
    from hilum.workflow.detect import detect

    detection, rejected = detect(what, data, options, Terminal(quiet=as_json))
    page = write_anomaly_page(detection.folder)
    if as_json:
        print_json({"out": str(detection.folder), "report": str(page), "rejected": rejected, **_document(detection)})
    else:
        print_detection(detection)
        print_line(str(page))
    return REJECTED if rejected else 0


def _document(detection: Detection) -> dict[str, Any]:
    from hilum.evaluation.values import without_nan

    return without_nan(detection.document)


def print_detection(detection: Detection) -> None:
    """A table for each split, and the headline."""
    titles = detection.document["titles"]
    for split in detection.assessments[0].splits:
        print_line()
        rows = []
        for each in detection.assessments:
            figures = each.splits[split]
            cells = [figures.auroc, figures.sensitivity, figures.false_alarms]
            rows.append((titles[each.name], *(_rounded(estimate) for estimate in cells)))
        print_line(render_table(rows, (WHERE.get(split, split), "AUROC", "sensitivity", "false alarms")))
    print_line()
    rate, normal = detection.document["rate"], detection.document["normal"]
    print_line(f"Thresholds: {normal} validation images alone, at {100 * rate:g} % false alarms.")
    print_line(detection.headline)


def _rounded(estimate: Any) -> str:
    if estimate.value != estimate.value:
        return "-"
    return f"{estimate.value:.2f} [{estimate.ci_low:.2f}, {estimate.ci_high:.2f}]"
