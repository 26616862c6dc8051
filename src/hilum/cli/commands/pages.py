"""Commands that write pages: report, checklist, and the replay of five reports."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Literal

import tyro

from hilum.cli.types import Device, Duration, Folder, Names, names_of, seconds_of


def report(study: tyro.conf.Positional[Path], /) -> int:
    """Write the page of a study again, from its folder.

    Example: hilum report runs/chest_xray

    Args:
        study: the study's folder.
    """
    from hilum.cli.terminal import print_line
    from hilum.report import write_report
    from hilum.workflow.seal import extend_seal

    page = write_report(study)
    extend_seal(study, [page.name], "hilum report")
    print_line(str(page))
    return 0


def checklist(study: tyro.conf.Positional[Path], /, *, json: bool = False) -> int:
    """Fill in the reporting checklists CLAIM and TRIPOD+AI from a study, and write a form for what only people know.

    Example: hilum checklist runs/chest_xray

    Args:
        study: the study's folder; checklist.csv, .html, .md and answers.csv go there, and the model cards are renewed.
        json: print one JSON document.
    """
    from hilum.cli.checking import run_checklist_command

    return run_checklist_command(study, as_json=json)


def replay(
    system: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="SYSTEM")],
    data: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="DATA")] = (),
    /,
    *,
    only: Names = "",
    epochs: int | None = None,
    folds: int = 0,
    time_budget: Duration = "",
    weights_dir: Folder = None,
    weights: Literal["imagenet", "none"] = "imagenet",
    out: Folder = None,
    device: Device = "auto",
    seed: int = 0,
    json: bool = False,
) -> int:
    """Set a reference system's report beside what it gives here, with its mistakes and corrected.

    Example: hilum replay D covid_vs_normal --only d-mobilenetv2-frozen --weights-dir weights

    Args:
        system: A (or kermany-transfer), B (imbalance-tta), C (vgg-knn), D (covid-small), E (resnet-anomaly), or all.
        data: a folder or manifest for all systems, or A,C,E=PATH for some; X-rays are drawn when left out.
        only: recipes of the systems, all of them when left out.
        epochs: of each phase, instead of the recipe's; the page says so.
        folds: pool corrected figures over so many folds of whole patients, and leave the test split shut.
        time_budget: 90s, 14m or 1.5h for everything; no limit when left out.
        weights_dir: a folder of pre-trained weights, one folder a model (also HILUM_WEIGHTS).
        weights: none lets rows whose weights are nowhere start from random values, and says so; else they stay empty.
        out: the folder for runs, table and page; runs/replay-SYSTEM when left out.
        device: where to compute.
        seed: of everything that is drawn.
        json: print one JSON document.
    """
    from hilum.cli.replaying import run_replay_command, sources_of
    from hilum.replay.systems import find_rows, find_systems
    from hilum.replay.values import Settings

    systems = find_systems(system)
    settings = Settings(
        out=out or Path("runs") / f"replay-{system.casefold()}",
        rows=find_rows(systems, names_of(only)),
        sources=sources_of(data, systems),
        epochs=epochs,
        folds=folds,
        time_budget=seconds_of(time_budget) if time_budget else None,
        weights_dir=weights_dir,
        start_random=weights == "none",
        device=device,
        seed=seed,
        command=shlex.join(["hilum", *sys.argv[1:]]),
    )
    return run_replay_command(systems, settings, as_json=json)
