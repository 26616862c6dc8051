"""Which pictures look unlike the others: inverted ones, lateral views, other body parts, exposures of another kind.

Every picture is compared with the typical one of its data set and of its class, at 14 x 14 pixels, by correlation. What
that can and cannot see is measured in `tests/audit/test_typical.py` and said in `docs/audit.md`.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from hilum.audit.finding import Finding
from hilum.audit.pictures import Pictures
from hilum.audit.wording import counted
from hilum.data.manifest import Manifest

GRID = 14
INVERTED, UNLIKE = -0.35, 0.25
"""Correlation with the typical picture below which a picture is taken for inverted, or for something else. Of 5,840
pictures of `chest_xray_224` the lowest has 0.22, one in a hundred is below 0.53; drawn ones stay above 0.58."""

FENCE = 3.2
"""And how many standard deviations below the median (on Fisher's scale, from the lower quartile) is far enough to be
something else, where that is more than `UNLIKE`: a set of pictures that are all alike has no room for a side view."""

ENOUGH = 20
"""Pictures that it takes to say what is typical."""

DRAWN = 24


def unlike(manifest: Manifest, pictures: Pictures) -> list[Finding]:
    """Findings `all-inverted`, `inverted`, `unlike-the-others`; nothing for fewer than `ENOUGH` pictures."""
    if len(manifest) < ENOUGH:
        return []
    grids = grids_of(pictures.small)
    typical = _typical(grids)
    if float(typical @ _drawn_chest()) < INVERTED:
        return [_all_inverted(manifest)]
    likeness = grids @ typical
    for label in manifest.labels:
        rows = np.flatnonzero(manifest.table["label"].to_numpy() == label)
        if len(rows) >= ENOUGH:
            likeness[rows] = np.maximum(likeness[rows], grids[rows] @ _upright(_typical(grids[rows]), typical))
    return [*_inverted(manifest, likeness), *_odd(manifest, likeness)]


def grids_of(small: np.ndarray) -> np.ndarray:
    """float32 `[N, GRID * GRID]` of mean 0 and length 1.

    Args:
        small: uint8 `[N, side, side]`, the side a multiple of `GRID`.
    """
    cell = small.shape[-1] // GRID
    means = np.stack([each.reshape(GRID, cell, GRID, cell).mean(axis=(1, 3)) for each in small]).astype(np.float32)
    rows = means.reshape(len(small), -1)
    rows = rows - rows.mean(axis=1, keepdims=True)
    return rows / (np.linalg.norm(rows, axis=1, keepdims=True) + 1e-3)


def _typical(grids: np.ndarray) -> np.ndarray:
    middle = np.median(grids, axis=0)
    return middle / (np.linalg.norm(middle) + 1e-6)


def _upright(of_class: np.ndarray, of_all: np.ndarray) -> np.ndarray:
    """A class that is inverted as a whole must not vouch for itself."""
    return of_class if float(of_class @ of_all) > 0 else of_all


@cache
def _drawn_chest() -> np.ndarray:
    """What a frontal chest X-ray with dark lungs looks like, from X-rays that hilum draws."""
    import cv2

    from hilum.data.phantom import draw_dataset

    drawn = draw_dataset(images=DRAWN, size=112, classes=("normal", "bacterial"), seed=7)
    small = [cv2.resize(each.pixels, (4 * GRID, 4 * GRID), interpolation=cv2.INTER_AREA) for each in drawn]
    return _typical(grids_of(np.stack(small)))


def _all_inverted(manifest: Manifest) -> Finding:
    return Finding(
        code="all-inverted",
        severity="error",
        title="All pictures seem to be inverted",
        sentence=f"The typical picture of these {len(manifest):,} is the negative of a chest X-ray: its lungs are "
        "bright. A model that is trained on them fails on X-rays as they are usually shown.",
        way_out="Invert the files, or export them again: MONOCHROME1 in DICOM means that 0 is white.",
        count=len(manifest),
    )


def _inverted(manifest: Manifest, likeness: np.ndarray) -> list[Finding]:
    chosen = likeness < INVERTED
    if not chosen.any():
        return []
    labels = manifest.table["label"].to_numpy()[chosen]
    one_class = len(set(labels)) == 1 and len(labels) > 2
    return [
        Finding(
            code="inverted",
            severity="error" if chosen.mean() > 0.05 or (one_class and chosen.mean() > 0.01) else "warning",
            title="Inverted pictures",
            sentence=f"{counted(int(chosen.sum()), 'picture')} of {len(manifest):,} seem inverted: the lungs are bright"
            + (f"; all of them are {labels[0]}." if one_class else "."),
            way_out="Invert them, or export them again: MONOCHROME1 in DICOM means that 0 is white.",
            files=_lowest(manifest, likeness, chosen),
            count=int(chosen.sum()),
        )
    ]


def _odd(manifest: Manifest, likeness: np.ndarray) -> list[Finding]:
    limit = _limit(likeness)
    chosen = (likeness < limit) & (likeness >= INVERTED)
    if not chosen.any():
        return []
    return [
        Finding(
            code="unlike-the-others",
            severity="warning" if chosen.mean() > 0.01 else "note",
            title="Pictures unlike the others",
            sentence=f"{counted(int(chosen.sum()), 'picture')} of {len(manifest):,} hardly resemble the typical one "
            f"(correlation below {limit:.2f}): lateral views, other body parts, turned pictures, wide frames, or "
            "another exposure.",
            way_out="Look at them; leave out what is no frontal chest X-ray.",
            files=_lowest(manifest, likeness, chosen),
            count=int(chosen.sum()),
        )
    ]


def _limit(likeness: np.ndarray) -> float:
    """The correlation below which a picture is unlike the others of this set, in [`UNLIKE`, 1)."""
    scale = np.arctanh(np.clip(likeness, -0.999, 0.999))
    lower, middle = np.quantile(scale, [0.25, 0.5])
    return max(UNLIKE, float(np.tanh(middle - FENCE * (middle - lower) / 0.6745)))


def _lowest(manifest: Manifest, likeness: np.ndarray, chosen: np.ndarray) -> tuple[str, ...]:
    rows = sorted(np.flatnonzero(chosen), key=lambda row: likeness[row])
    return tuple(str(name) for name in manifest.table["image_path"].to_numpy()[rows])
