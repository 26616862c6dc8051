"""From a data root to a manifest, a quarantine list and a cache, in one pass over the files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from hilum.data.cache import CanvasCache, CanvasWriter, cache_key, find_cache
from hilum.data.manifest import COLUMNS, Manifest
from hilum.data.patients import patient_keys
from hilum.data.scan import Progress, scan_images
from hilum.data.sources import Listing
from hilum.data.splits import SplitPlan, plan_splits
from hilum.errors import DataError
from hilum.labels import LabelSet
from hilum.transforms import Preprocessing

QUARANTINE = ["image_path", "code", "reason"]
KEPT_OUT = ("patient-in-test", "file-in-test")
"""Codes of images that are sound but were left out of training."""


@dataclass(frozen=True)
class Dataset:
    """A manifest, the files that are not in it with the reason, and the first cache."""

    manifest: Manifest
    quarantine: pd.DataFrame

    @property
    def rejected(self) -> int:
        """Files that could not be used at all; images kept out of training for the test's sake do not count."""
        return int((~self.quarantine["code"].isin(KEPT_OUT)).sum())


def build_dataset(
    listing: Listing,
    *,
    cache_dir: Path,
    preprocessings: Sequence[Preprocessing],
    patient_pattern: str | None = None,
    val_fraction: float = 0.2,
    test_fraction: float = 0.2,
    seed: int = 0,
    on_progress: Progress | None = None,
) -> Dataset:
    """Reads every file of a listing once and makes the manifest.

    Args:
        listing: from `list_images`.
        cache_dir: where the caches go.
        preprocessings: for each distinct canvas a cache is filled in the same pass.
        patient_pattern: regular expression on the path; None infers the rule.

    Raises:
        DataError: no file can be read, or what is left makes no study.
    """
    paths = [listing.root / name for name in listing.table["image_path"].tolist()]
    with ExitStack() as stack:
        writers = [stack.enter_context(CanvasWriter(cache_dir, len(paths), each)) for each in _distinct(preprocessings)]
        facts = scan_images(paths, writers, on_progress)
        for writer in writers:
            writer.settle()
        table = pd.concat([listing.table, facts], axis=1)
        quarantine = _quarantine(table, listing)
        sound = table[table["code"].isna()].drop(columns=["code", "reason"]).reset_index(drop=True)
        if sound.empty:
            first = quarantine["reason"].iloc[0]
            raise DataError(str(listing.root), expected="readable X-rays", found=f"none; the first: {first}")
        manifest, plan = _assemble(sound, listing, patient_pattern, val_fraction, test_fraction, seed)
        for writer in writers:
            writer.finish(facts["sha256"].where(facts["sha256"].notna(), None).tolist(), manifest.table["sha256"])
    left_out = [(sound["image_path"][row], code, _KEPT_OUT_REASON[code]) for row, code in plan.left_out.items()]
    quarantine = pd.concat([quarantine, pd.DataFrame(left_out, columns=QUARANTINE)], ignore_index=True)
    return Dataset(manifest, quarantine)


def open_cache(
    manifest: Manifest, preprocessing: Preprocessing, cache_dir: Path, on_progress: Progress | None = None
) -> CanvasCache:
    """The cache of a manifest's images for a preprocessing; filled now if it is not there yet.

    Raises:
        DataError: a file that was readable when the manifest was made is not any more, or has changed.
    """
    digests = manifest.table["sha256"]
    found = find_cache(cache_dir / cache_key(digests, preprocessing))
    if found is not None and set(digests) <= found.row_of.keys():
        return found
    once = manifest.table.drop_duplicates("sha256")
    paths = [manifest.path(name) for name in once["image_path"]]
    with CanvasWriter(cache_dir, len(paths), preprocessing) as writer:
        facts = scan_images(paths, [writer], on_progress)
        changed = facts["sha256"].to_numpy() != once["sha256"].to_numpy()
        if changed.any():
            name = str(once["image_path"].iloc[int(changed.argmax())])
            way_out = "Run `hilum study` on the data again."
            raise DataError(
                name, expected="the file that the manifest was made from", found="another or none", way_out=way_out
            )
        return writer.finish(facts["sha256"].tolist(), digests)


_KEPT_OUT_REASON = {
    "patient-in-test": "this patient is in the test split",
    "file-in-test": "the very same file is in the test split",
}


def _distinct(preprocessings: Iterable[Preprocessing]) -> list[Preprocessing]:
    return list({tuple(each.canvas.items()): each for each in preprocessings}.values())


def _quarantine(table: pd.DataFrame, listing: Listing) -> pd.DataFrame:
    rejected = table.loc[table["code"].notna(), QUARANTINE]
    unlabelled = [(path, "no-label", "the label rule names no class for this path") for path in listing.unlabelled]
    unlabelled += [(path, "file-name", "the name is not UTF-8; rename the file") for path in listing.unwritable]
    return pd.concat([rejected, pd.DataFrame(unlabelled, columns=QUARANTINE)], ignore_index=True)


def _assemble(
    sound: pd.DataFrame,
    listing: Listing,
    patient_pattern: str | None,
    val_fraction: float,
    test_fraction: float,
    seed: int,
) -> tuple[Manifest, SplitPlan]:
    if "patient_id" not in sound:
        sound["patient_id"] = None
    sound["patient_id"] = sound["patient_id"].where(sound["patient_id"].notna(), sound["header_patient_id"])
    sound["view"] = sound["view"].where(sound["view"].notna(), sound["header_view"])
    sound["patient_id"], patient_rule = patient_keys(sound, patient_pattern)
    plan = plan_splits(sound, val_fraction=val_fraction, test_fraction=test_fraction, seed=seed)
    sound["split"] = plan.split
    kept = sound[sound["split"].notna()].drop(columns=["header_patient_id", "header_view"])
    others = [name for name in kept.columns if name not in COLUMNS]
    facts = {
        "labels_rule": listing.labels_from,
        "patient_rule": patient_rule,
        "split_rule": plan.sentence,
        "listing_digest": listing.digest(),
        "warnings": [*listing.warnings, *_patient_warnings(patient_rule, sound["patient_id"]), *plan.warnings],
    }
    labels = LabelSet.of(kept["label"])
    return Manifest(kept[[*COLUMNS, *others]].reset_index(drop=True), labels, listing.root, facts), plan


CROWD = 0.2
"""Share of the images from which one patient id looks like a placeholder."""


def _patient_warnings(rule: dict, patients: pd.Series) -> list[str]:
    alone, images = rule["images_without_patient"], len(patients)
    most = patients.value_counts()
    crowd = []
    if most.iloc[0] >= max(20, CROWD * images):
        crowd = [
            f"{most.iloc[0]} of {images} images have the patient id {most.index[0]!r}. If that is a placeholder, "
            "leave it blank: as it is, all of them stay in one split."
        ]
    if not alone:
        return crowd
    share = "No image has a known patient" if alone == images else f"{alone} of {images} images have no known patient"
    return [
        f"{share}; each of them counts as a patient of its own. "
        "Give a `patient_id` column or --patient-pattern if you know more.",
        *crowd,
    ]
