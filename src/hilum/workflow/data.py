"""The data of a study: taken as they were left by an earlier call, or read now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from hilum.data.build import QUARANTINE, Dataset, build_dataset
from hilum.data.cache import READER, remove_stale
from hilum.data.corrections import correct_labels, read_corrections
from hilum.data.manifest import Manifest, read_manifest
from hilum.data.scan import FACTS
from hilum.data.sources import Listing, list_images
from hilum.errors import DataError, UsageError
from hilum.transforms import Preprocessing
from hilum.workflow.options import Options
from hilum.workflow.record import digest_of, read_json, write_json
from hilum.workflow.seal import SEAL
from hilum.workflow.voice import Bar

DRAWN_IMAGES = 720


@dataclass(frozen=True)
class StudyData:
    """A manifest and what is not in it."""

    manifest: Manifest
    quarantine: pd.DataFrame
    rejected: int
    reused: bool


def study_data(
    data: Path, study_dir: Path, options: Options, preprocessings: Sequence[Preprocessing], bar: Bar
) -> StudyData:
    """Reads a data root, or takes the manifest of an earlier call when neither files nor options have changed.

    Raises:
        DataError: nothing usable.
    """
    listing = list_images(data, options.labels)
    identity = identity_of(listing, options)
    corrections = read_corrections(options.corrections) if options.corrections else None
    about = study_dir / "manifest.json"
    known = read_json(about)
    if known and known.get("identity") == identity:
        try:
            manifest = read_manifest(study_dir / "manifest.parquet")
            quarantine = pd.read_csv(study_dir / "quarantine.csv", dtype=str, keep_default_na=False)
            return StudyData(manifest, quarantine, Dataset(manifest, quarantine).rejected, True)
        except (DataError, OSError, ValueError):
            pass  # damaged: read again
    count, total = 0, len(listing.table)

    def on_progress(more: int) -> None:
        nonlocal count
        count += more
        bar(count, total, "images read")

    dataset = build_dataset(
        listing,
        cache_dir=study_dir / "cache",
        preprocessings=preprocessings,
        patient_pattern=options.patient_pattern,
        val_fraction=options.val_fraction,
        test_fraction=options.test_fraction,
        seed=options.seed,
        on_progress=on_progress,
    )
    if corrections:
        corrected = correct_labels(dataset.manifest, corrections, left_out=dataset.quarantine["image_path"])
        dataset = replace(dataset, manifest=corrected)
    remove_stale(study_dir / "cache", dataset.manifest.table["sha256"])
    dataset.manifest.write(study_dir / "manifest.parquet")
    write_csv(study_dir / "quarantine.csv", dataset.quarantine[QUARANTINE])
    write_json(about, {"identity": identity, "data": str(data), "seal": SEAL})
    return StudyData(dataset.manifest, dataset.quarantine, dataset.rejected, False)


def identity_of(listing: Listing, options: Options) -> str:
    """Changes with the files and with every option that a manifest depends on."""
    return digest_of(
        READER,
        FACTS,
        listing.digest(),
        options.patient_pattern,
        options.val_fraction,
        options.test_fraction,
        options.seed,
        *([read_corrections(options.corrections).sha256] if options.corrections else []),
    )


def refuse_other_data(study_dir: Path, identity: str) -> None:
    """Sees that a folder with runs in it keeps the images and the split that they were trained on.

    Raises:
        UsageError: it holds runs on others.
    """
    known = read_json(study_dir / "manifest.json")
    runs = sorted(each.parent.name for each in study_dir.glob("*/begun.json"))
    if known and runs and known.get("identity") != identity:
        raise UsageError(
            str(study_dir),
            expected="a folder for these files and this split",
            found=f"runs on others ({', '.join(runs[:3])})",
            way_out="Give another folder with --out.",
        )


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Writes beside and renames into place."""
    partial = path.with_name(path.name + ".partial")
    table.to_csv(partial, index=False)
    partial.replace(path)


def drawn_data(folder: Path, seed: int, bar: Bar) -> Path:
    """Draws the embedded default data set, once for each seed."""
    from hilum.data.phantom import draw_dataset, write_dataset

    place = folder / f"seed-{seed}"
    if not place.exists():
        write_dataset(draw_dataset(images=DRAWN_IMAGES, seed=seed), place, on_progress=bar)
    return place
