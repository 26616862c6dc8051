"""`hilum anomaly`: how well normal and abnormal images are told apart by scores that know only normal ones."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from hilum.cli.terminal import Terminal, print_json, print_line, render_table
from hilum.cli.types import Device, Duration, Folder, Pattern, seconds_of

if TYPE_CHECKING:
    from hilum.recipes.schema import Recipe
    from hilum.workflow.anomaly import Detection
    from hilum.workflow.detect import DetectOptions

REJECTED = 3
WHERE = {"val": "validation", "test": "test"}


def anomaly(
    what: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="MODEL|RECIPE")],
    data: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="DATA")],
    /,
    *,
    beside: Annotated[str, tyro.conf.arg(metavar="MODEL|RECIPE")] = "",
    labels: str = "folders",
    normal: str = "",
    rate: float | None = None,
    test: bool = False,
    time_budget: Duration = "",
    patient_pattern: Pattern = None,
    replicates: int = 1000,
    out: Folder = None,
    device: Device = "auto",
    seed: int = 0,
    json: bool = False,
) -> int:
    """Find what is unlike the normal images: detectors that have seen nothing else, compared in one table.

    Example: hilum anomaly runs/chest_xray/frozen/model.safetensors chest_xray --beside e-anomaly

    Args:
        what: a model file, whose embeddings and patches count, or a recipe of an autoencoder, such as e-anomaly.
        data: a folder of class folders, of train/ and test/ folders of those, or a CSV or Parquet manifest.
        beside: the other of the two, for one table of both.
        labels: folders, kermany3, or a regular expression with a group named label.
        normal: the class that is normal; the one whose name says so when left out.
        rate: false alarms that each detector may raise among normal images, 0.05 when left out.
        test: also open the test split; the opening is written into the study's ledger.
        time_budget: 90s, 14m or 1.5h for the autoencoder; no limit when left out.
        patient_pattern: regular expression on the path; its groups make the patient key.
        replicates: of the bootstrap behind the intervals.
        out: the folder for manifest, cache and runs; that of the model's study, or runs/NAME, when left out.
        device: where to compute.
        seed: of everything that is drawn.
        json: print one JSON document.
    """
    from hilum.workflow.detect import DetectOptions
    from hilum.workflow.options import Options

    study = Options(
        labels=labels,
        out=out,
        time_budget=seconds_of(time_budget) if time_budget else None,
        patient_pattern=patient_pattern,
        replicates=replicates,
        device=device,
        seed=seed,
        command=shlex.join(["hilum", *sys.argv[1:]]),
    )
    options = DetectOptions(study, normal, rate, test)
    return run_anomaly_command([what, beside] if beside else [what], data, options, as_json=json)


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
