"""Drawn X-rays in the shape of a system's data, for a replay without data."""

from __future__ import annotations

from pathlib import Path

from hilum.data.phantom import Faults, draw_dataset, write_dataset

SCARCE = "covid"
"""The class of which a set of three classes has few, as the report's had."""


def draw_task(folder: Path, classes: tuple[str, ...], images: int, *, splits: bool, seed: int) -> Path:
    """Draws a data set once; a patient may have several images, as in the sets of the reports.

    Args:
        classes: their names.
        splits: with a test split, else as class folders.

    Returns:
        The data root.
    """
    place = folder / f"{'-'.join(classes)}-{images}-seed-{seed}"
    if not place.exists():
        faults = Faults(scarce_class=0.7 if classes[-1] == SCARCE and len(classes) > 2 else 0.0)
        dataset = draw_dataset(images=images, classes=classes, images_per_patient=2.0, faults=faults, seed=seed)
        write_dataset(dataset, place, layout="splits" if splits else "folders")
    return place
