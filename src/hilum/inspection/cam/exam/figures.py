"""The figures of each test of the exam, as mappings of Estimates."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from hilum.evaluation.values import Estimate
from hilum.inspection.cam.exam import place
from hilum.inspection.cam.exam.delete import FRACTIONS, moved_elsewhere
from hilum.inspection.cam.exam.mean import estimate_mean, estimate_share
from hilum.inspection.cam.exam.truth import Truth
from hilum.inspection.cam.maps import HeatMaps


@dataclass(frozen=True)
class ExamImages:
    """What the exam is held on.

    Args:
        canvases: uint8 `[N, S, S]`.
        patient_ids: `[N]`.
        classes: int `[N]`, the true ones.
        find_truth: of drawn images, given how many of them, the first; drawing takes time, so only those are asked for.
    """

    canvases: np.ndarray
    patient_ids: Sequence
    classes: np.ndarray
    find_truth: Callable[[int], Truth | None] = lambda _count: None

    def first(self, count: int) -> ExamImages:
        """The first images only."""
        return ExamImages(self.canvases[:count], self.patient_ids[:count], self.classes[:count], self.find_truth)


def similarity_figures(steps: list[dict[str, Any]] | None, images: ExamImages, seed: int) -> dict[str, Any]:
    """Likeness at each step of the cascade and at its end; None stands for the control."""
    if steps is None:  # the control does not look at the network: its map stays the same
        same = estimate_mean(np.ones(len(images.canvases)), images.patient_ids, seed=seed)
        return {"steps": [], "all": asdict(same)}
    each = [
        {
            "stages": step["stages"],
            **asdict(estimate_mean(step["values"], images.patient_ids[: len(step["values"])], seed=seed)),
        }
        for step in steps
    ]
    return {"steps": each, "all": {name: each[-1][name] for name in asdict(Estimate(0, 0, 0))}}


def deletion_figures(
    curves: Mapping[str, np.ndarray], start: np.ndarray, images: ExamImages, seed: int
) -> dict[str, Any]:
    """Probability of the class, once what a map marks is deleted, and once the same shape elsewhere is.

    Args:
        curves: kind -> float `[N, fractions]`, as `hilum.inspection.cam.exam.holes.deletion_curves` gives them.
        start: on the whole picture, `[N]`.
    """
    gain = (curves["elsewhere"] - curves["map"]).mean(axis=1)
    return {
        "fractions": list(FRACTIONS),
        "start": asdict(estimate_share(start, images.patient_ids, seed=seed)),
        **{name: [asdict(estimate_share(at, images.patient_ids, seed=seed)) for at in curve.T]
           for name, curve in curves.items()},
        "gain": asdict(estimate_mean(gain, images.patient_ids, seed=seed)),
    }  # fmt: skip


def place_figures(images: ExamImages, heat: np.ndarray, lungs: np.ndarray, seed: int) -> dict[str, Any]:
    """How much of each map lies in the lungs and at the border."""
    borders = place.border_masks(images.canvases)
    return {
        "in_lungs": _share(images, heat, lungs, seed),
        "at_border": _share(images, heat, borders, seed),
    }


def truth_figures(
    images: ExamImages, truth: Truth | None, heat: np.ndarray, maps: HeatMaps, healthy: int | None, seed: int
) -> dict[str, dict[str, Any]]:
    """Of drawn images: against the true lesion where it was found, and against a planted marker."""
    if truth is None:
        return {}
    right = (maps.target == images.classes) & (maps.target != (-1 if healthy is None else healthy))
    lesions = truth.lesions & right[:, None, None]
    found = {}
    if lesions.any():
        found["lesion"] = _against(images, heat, lesions, place.widened(lesions), seed)
    if truth.markers.any():
        found["marker"] = _against(images, heat, truth.markers, truth.markers, seed)
    return found


def _against(images: ExamImages, heat: np.ndarray, masks: np.ndarray, around: np.ndarray, seed: int) -> dict[str, Any]:
    """Share and density inside some masks, peaks inside `around`, overlap; what chance would give beside them."""
    shown = masks.any(axis=(1, 2))
    chance = np.where(shown, place.areas(around, images.canvases), np.nan)
    ids = images.patient_ids
    rng = np.random.default_rng([seed, 11])
    moved = np.stack([moved_elsewhere(each, canvas, rng) for each, canvas in zip(heat, images.canvases, strict=True)])
    return {
        **_share(images, heat, masks, seed),
        "peak": asdict(estimate_share(place.peaks_inside(heat, around), ids, seed=seed)),
        "peak_by_chance": asdict(estimate_share(chance, ids, seed=seed)),
        "overlap": asdict(estimate_share(place.overlaps(heat, masks), ids, seed=seed)),
        "overlap_elsewhere": asdict(estimate_share(place.overlaps(moved, masks), ids, seed=seed)),
    }


def _share(images: ExamImages, heat: np.ndarray, masks: np.ndarray, seed: int) -> dict[str, Any]:
    """The share of a map inside masks, the share of the picture that these are, and their ratio."""
    inside = place.shares(heat, masks)
    area = np.where(np.isfinite(inside), place.areas(masks, images.canvases), np.nan)
    ids = images.patient_ids
    return {
        "share": asdict(estimate_share(inside, ids, seed=seed)),
        "area": asdict(estimate_share(area, ids, seed=seed)),
        "density": asdict(estimate_mean(inside / area, ids, seed=seed)),
    }
