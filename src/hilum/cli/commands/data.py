"""Commands about data: what is wrong with it, what augmentation does to it, X-rays that are drawn."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Literal

import tyro

from hilum.cli.types import File, Folder, Names, Pattern, Settings, names_of


def audit(
    data: tyro.conf.Positional[Path],
    /,
    *,
    labels: str = "folders",
    out: Folder = None,
    strict: bool = False,
    patient_pattern: Pattern = None,
    corrections: File = None,
    val_fraction: float = 0.2,
    test_fraction: float = 0.2,
    seed: int = 0,
    json: bool = False,
) -> int:
    """Say what is wrong with a data set before anybody trains on it.

    Example: hilum audit chest_xray --strict

    Args:
        data: a folder of class folders, of train/ and test/ folders of those, or a CSV or Parquet manifest.
        labels: folders, kermany3, or a regular expression with a group named label.
        out: where audit.json and audit.html go; runs/NAME when left out, as for hilum study.
        strict: exit 5 when there is an error among the findings.
        patient_pattern: regular expression on the path; its groups make the patient key.
        corrections: a suspected-labels.csv in which you have filled in the column corrected.
        val_fraction: share of the training images that validates.
        test_fraction: share of all images that tests, where no test split is given.
        seed: of everything that is drawn.
        json: print one JSON document.
    """
    from hilum.cli.auditing import run_audit_command
    from hilum.workflow.options import Options

    options = Options(
        labels=labels,
        out=out,
        patient_pattern=patient_pattern,
        corrections=corrections,
        val_fraction=val_fraction,
        test_fraction=test_fraction,
        seed=seed,
        command=shlex.join(["hilum", *sys.argv[1:]]),
    )
    return run_audit_command(data, options, strict=strict, as_json=json)


def draw(
    out: tyro.conf.Positional[Path],
    /,
    *,
    images: int = 600,
    size: int = 224,
    format: Literal["jpeg", "png", "dicom"] = "jpeg",
    classes: Names = "normal,bacterial,viral",
    layout: Literal["splits", "folders"] = "splits",
    difficulty: float = 0.5,
    independent: bool = False,
    fault: Annotated[str, tyro.conf.arg(metavar="NAME=STRENGTH,...")] = "",
    seed: int = 0,
    json: bool = False,
) -> int:
    """Write a drawn data set with known truth.

    Example: hilum draw drawn --images 600 --fault marker=0.8,duplicates=0.1

    Args:
        out: a new folder.
        images: how many.
        size: side in pixels.
        format: of the files.
        classes: normal, bacterial, viral, covid.
        layout: splits writes train/ and test/ of class folders, folders only class folders.
        difficulty: 0 is easy, 1 hard.
        independent: draw every picture independently of its class.
        fault: what to plant, with a strength in [0, 1], such as marker=0.8.
        seed: of everything that is drawn.
        json: print one JSON document.
    """
    from hilum.cli.drawing import run_draw_command

    return run_draw_command(
        out,
        images=images,
        size=size,
        file_format=format,
        classes=names_of(classes),
        layout=layout,
        difficulty=difficulty,
        independent=independent,
        faults=names_of(fault),
        seed=seed,
        as_json=json,
    )


def augment(
    data: tyro.conf.Positional[Path],
    /,
    *,
    recipe: Annotated[str, tyro.conf.arg(metavar="NAME")],
    set: Settings = (),
    labels: str = "folders",
    images: int = 6,
    versions: int = 5,
    out: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None,
    seed: int = 0,
    json: bool = False,
) -> int:
    """Draw a sheet of originals beside their augmented versions.

    Example: hilum augment chest_xray --recipe b-simplecnn-augmented --out sheet.png

    Args:
        data: a folder of class folders, of train/ and test/ folders of those, or a CSV or Parquet manifest.
        recipe: a name from hilum recipes, or a file of your own.
        set: change one field, such as augmentation.rotation=20; may be given again.
        labels: folders, kermany3, or a regular expression with a group named label.
        images: rows of the sheet, the classes in turn.
        versions: augmented pictures in each row.
        out: the picture, .png, .jpg or .webp; augment-NAME.png when left out.
        seed: of the images that are shown and of the changes.
        json: print one JSON document.
    """
    from hilum.cli.augmenting import run_augment_command

    return run_augment_command(
        data,
        recipe,
        changes=set,
        labels=labels,
        images=images,
        versions=versions,
        out=out,
        seed=seed,
        as_json=json,
    )
