"""`hilum draw`: a drawn data set on disk."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hilum.cli.terminal import Terminal, print_json, print_line
from hilum.errors import UsageError

if TYPE_CHECKING:
    from hilum.data.phantom import Faults


def run_draw_command(
    out: Path,
    *,
    images: int,
    size: int,
    file_format: Literal["jpeg", "png", "dicom"],
    classes: Sequence[str],
    layout: Literal["splits", "folders"],
    difficulty: float,
    independent: bool,
    faults: Sequence[str],
    seed: int,
    as_json: bool,
) -> int:
    """Draws and writes; returns the exit code."""
    from hilum.data.phantom import draw_dataset, write_dataset

    dataset = draw_dataset(
        images=images,
        classes=tuple(classes),
        size=size,
        difficulty=difficulty,
        independent=independent,
        faults=faults_of(faults),
        seed=seed,
    )
    with Terminal(quiet=as_json).stage("drawing X-rays") as bar:
        write_dataset(dataset, out, format=file_format, layout=layout, on_progress=bar)
    facts: dict[str, Any] = {"out": str(out), "images": len(dataset), "truth": str(out / "truth.csv")}
    if as_json:
        print_json(facts)
    else:
        print_line(f"{len(dataset):,} drawn X-rays in {out}; what is true of each stands in {out / 'truth.csv'}")
    return 0


def faults_of(texts: Sequence[str]) -> Faults:
    """Faults from `name=strength` texts; a name alone means full strength.

    Raises:
        UsageError: an unknown fault (with the nearest one), or a strength that is no number in [0, 1].
    """
    from hilum.data.phantom import Faults

    names = [field.name for field in fields(Faults)]
    strengths: dict[str, float] = {}
    for text in texts:
        name, _, strength = text.partition("=")
        name = name.strip().replace("-", "_")
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
            way_out = f"Did you mean `{near[0]}`?" if near else ""
            raise UsageError("--fault", expected=f"one of {', '.join(names)}", found=name, way_out=way_out)
        try:
            strengths[name] = float(strength) if strength else 1.0
        except ValueError:
            raise UsageError(f"--fault {name}", expected="a strength from 0 to 1", found=strength) from None
    return Faults(**strengths)
