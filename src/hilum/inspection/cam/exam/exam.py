"""The exam: every method by every test, each figure with its interval, as a JSON document."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from hilum.evaluation.values import Estimate
from hilum.inference import predict_logits
from hilum.inspection.cam.exam import place
from hilum.inspection.cam.exam.delete import FRACTIONS, delete, moved_elsewhere
from hilum.inspection.cam.exam.mean import estimate_mean
from hilum.inspection.cam.exam.randomise import cascade, randomised, rank_correlations
from hilum.inspection.cam.exam.truth import Truth
from hilum.inspection.cam.exam.verdict import verdicts_of
from hilum.inspection.cam.lungs import find_lungs
from hilum.inspection.cam.maps import HeatMaps, compute_maps
from hilum.inspection.cam.methods import ROLLOUT
from hilum.inspection.cam.overlay import enlarge
from hilum.models.classifier import Classifier
from hilum.transforms.preprocessing import Preprocessing

CONTROL = "edges"
"""A map of the edges in the picture, which knows nothing of the network: it has to fail."""

STEPS, DRAWS = 4, 3
"""Steps of the cascade; random networks whose weights are all shuffled."""

FEWEST, MOST = 8, 96
"""Images of an exam."""


@dataclass(frozen=True)
class ExamImages:
    """What the exam is held on.

    Args:
        canvases: uint8 `[N, S, S]`.
        patient_ids: `[N]`.
        classes: int `[N]`, the true ones.
        truth: of drawn images.
    """

    canvases: np.ndarray
    patient_ids: Sequence
    classes: np.ndarray
    truth: Truth | None = None

    def first(self, count: int) -> ExamImages:
        """The first images only."""
        truth = self.truth
        some = None if truth is None else Truth(truth.lungs[:count], truth.lesions[:count], truth.markers[:count])
        return ExamImages(self.canvases[:count], self.patient_ids[:count], self.classes[:count], some)


def examine(
    model: Classifier,
    images: ExamImages,
    preprocessing: Preprocessing,
    *,
    methods: Sequence[str],
    healthy: int | None = None,
    layer: str | None = None,
    seconds: float | None = None,
    seed: int = 0,
    on_step: Callable[[int, int, str], None] = lambda *_: None,
) -> dict[str, Any]:
    """Holds the exam; maps speak for the class that the network finds most probable.

    Args:
        images: of different patients, in random order: where time is short the first of them are taken.
        methods: names of `hilum.inspection.cam.methods`, the one to be shown by preference first.
        healthy: the class without lesions, where it is known.
        seconds: how long it may take; fewer images, then fewer methods, where it would take longer.

    Returns:
        `images`, `of`, `layer`, `methods`: method -> figures and `verdicts`; `control`: the same of the edges;
        `lungs`: how many masks were found. Figures are Estimates as mappings.
    """
    began = time.monotonic()
    available = len(images.canvases)
    images, methods = _affordable(model, images, preprocessing, methods, layer, seconds)
    maps = compute_maps(model, images.canvases, preprocessing, methods=methods, layer=layer)
    jobs, done = STEPS + DRAWS - 1 + len(methods) + 1, 0

    def tick(words: str) -> None:
        nonlocal done
        done += 1
        on_step(done, jobs, words)

    side = preprocessing.image_size
    lungs = images.truth.lungs if images.truth is not None else find_lungs(images.canvases)
    similarity = _similarities(model, images, preprocessing, maps, layer, seed, tick)
    every = {**maps.maps, CONTROL: edges(images.canvases, next(iter(maps.maps.values())).shape[1:])}
    probs = _probs(predict_logits(model, images.canvases, preprocessing), maps.target)
    found: dict[str, Any] = {}
    for name, each in every.items():
        heat = enlarge(each, side)
        figures = {
            "randomised": _similarity_figures(similarity.get(name), images, seed),
            "deletion": _deletion(model, images, preprocessing, heat, maps.target, probs, seed),
            **_places(images, heat, lungs, seed),
            **_truths(images, heat, maps, healthy, seed),
        }
        found[name] = {**figures, "verdicts": verdicts_of(figures)}
        tick("pictures without what maps mark")
    return {
        "images": len(images.canvases),
        "of": available,
        "patients": len(set(images.patient_ids)),
        "layer": maps.layer,
        "cells": list(next(iter(maps.maps.values())).shape[1:]),
        "lungs": {"found": int(lungs.any(axis=(1, 2)).sum()), "known": images.truth is not None},
        "seconds": round(time.monotonic() - began, 2),
        "control": found.pop(CONTROL),
        "methods": found,
    }


def edges(canvases: np.ndarray, cells: tuple[int, ...]) -> np.ndarray:
    """How steep the picture is in each cell of a map: float32 `[N, h, w]`."""
    import cv2

    found = []
    for canvas in canvases:
        across, down = (cv2.Sobel(canvas, cv2.CV_32F, *order) for order in ((1, 0), (0, 1)))
        found.append(cv2.resize(np.hypot(across, down), cells[::-1], interpolation=cv2.INTER_AREA))
    return np.stack(found)


def _affordable(
    model: Classifier,
    images: ExamImages,
    preprocessing: Preprocessing,
    methods: Sequence[str],
    layer: str | None,
    seconds: float | None,
) -> tuple[ExamImages, tuple[str, ...]]:
    """As many images, and methods, as the time allows, from the time of a first few."""
    most = min(MOST, len(images.canvases))
    if seconds is None:
        return images.first(most), tuple(methods)
    few = images.first(min(4, most)).canvases
    compute_maps(model, few, preprocessing, methods=methods, layer=layer)  # the first call is slower than the others
    began = time.monotonic()
    compute_maps(model, few, preprocessing, methods=methods, layer=layer)
    each = max((time.monotonic() - began) / len(few), 1e-4)
    for count in range(len(methods), 0, -1):
        passes = STEPS + DRAWS + 3 * len(FRACTIONS) * (count + 1)
        fits = int(0.8 * seconds / (each * passes))
        if fits >= 2 * FEWEST or count == 1:
            return images.first(max(min(fits, most), min(FEWEST, most))), tuple(methods[:count])
    raise AssertionError


def _similarities(
    model: Classifier,
    images: ExamImages,
    preprocessing: Preprocessing,
    maps: HeatMaps,
    layer: str | None,
    seed: int,
    tick: Callable[[str], None],
) -> dict[str, list[dict[str, Any]]]:
    """For each method, each step: the stages that were random, and the similarity of each image's map `[N]`."""
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in maps.maps}
    where = layer if layer is not None or maps.layer == "all blocks" else maps.layer
    where = None if set(maps.maps) == {ROLLOUT} else where
    steps = cascade(model, STEPS)
    for stages in steps:
        draws = DRAWS if stages == steps[-1] else 1
        similar: dict[str, list[np.ndarray]] = {name: [] for name in maps.maps}
        for draw in range(draws):
            other = randomised(model, stages, images.canvases, preprocessing, seed=1000 * seed + draw)
            changed = compute_maps(
                other, images.canvases, preprocessing, methods=tuple(maps.maps), target=maps.target, layer=where
            )
            for name, each in changed.maps.items():
                similar[name].append(rank_correlations(maps.maps[name], each))
            tick("maps of random networks")
        for name, values in similar.items():
            found[name].append({"stages": list(stages), "values": np.mean(values, axis=0)})
    return found


def _similarity_figures(steps: list[dict[str, Any]] | None, images: ExamImages, seed: int) -> dict[str, Any]:
    if steps is None:  # the control does not look at the network: its map stays the same
        same = estimate_mean(np.ones(len(images.canvases)), images.patient_ids, seed=seed)
        return {"steps": [], "all": asdict(same)}
    each = [
        {"stages": step["stages"], **asdict(estimate_mean(step["values"], images.patient_ids, seed=seed))}
        for step in steps
    ]
    return {"steps": each, "all": {name: each[-1][name] for name in asdict(Estimate(0, 0, 0))}}


def _deletion(
    model: Classifier,
    images: ExamImages,
    preprocessing: Preprocessing,
    heat: np.ndarray,
    target: np.ndarray,
    start: np.ndarray,
    seed: int,
) -> dict[str, Any]:
    """Probability of the class, once what a map marks is deleted, and once the same shape elsewhere is."""
    rng = np.random.default_rng([seed, 7])
    others = np.roll(heat, max(1, len(heat) // 2), axis=0)
    curves = {}
    for name in ("map", "elsewhere", "other"):
        left = []
        for position, canvas in enumerate(images.canvases):
            each = {"map": heat, "other": others}.get(name)
            marked = moved_elsewhere(heat[position], canvas, rng) if each is None else each[position]
            left += [delete(canvas, marked, fraction, rng) for fraction in FRACTIONS]
        logits = predict_logits(model, np.stack(left), preprocessing)
        curves[name] = _probs(logits, np.repeat(target, len(FRACTIONS))).reshape(-1, len(FRACTIONS))
    # A map that is 0 everywhere marks nothing; what would be deleted is chance.
    defined = np.where(heat.max(axis=(1, 2)) > 0, 1.0, np.nan)
    gains = {
        name: estimate_mean((curves[than] - curves["map"]).mean(axis=1) * defined, images.patient_ids, seed=seed)
        for name, than in (("gain", "elsewhere"), ("over_other", "other"))
    }
    return {
        "fractions": list(FRACTIONS),
        "start": asdict(estimate_mean(start, images.patient_ids, seed=seed)),
        **{name: [asdict(estimate_mean(at, images.patient_ids, seed=seed)) for at in curve.T]
           for name, curve in curves.items()},
        **{name: asdict(gain) for name, gain in gains.items()},
    }  # fmt: skip


def _places(images: ExamImages, heat: np.ndarray, lungs: np.ndarray, seed: int) -> dict[str, Any]:
    borders = place.border_masks(images.canvases)
    return {
        "in_lungs": _share(images, heat, lungs, seed),
        "at_border": _share(images, heat, borders, seed),
    }


def _truths(
    images: ExamImages, heat: np.ndarray, maps: HeatMaps, healthy: int | None, seed: int
) -> dict[str, dict[str, Any]]:
    """Of drawn images: against the true lesion where it was found, and against a planted marker."""
    truth = images.truth
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
        "peak": asdict(estimate_mean(place.peaks_inside(heat, around), ids, seed=seed)),
        "peak_by_chance": asdict(estimate_mean(chance, ids, seed=seed)),
        "overlap": asdict(estimate_mean(place.overlaps(heat, masks), ids, seed=seed)),
        "overlap_elsewhere": asdict(estimate_mean(place.overlaps(moved, masks), ids, seed=seed)),
    }


def _share(images: ExamImages, heat: np.ndarray, masks: np.ndarray, seed: int) -> dict[str, Any]:
    """The share of a map inside masks, the share of the picture that these are, and their ratio."""
    inside = place.shares(heat, masks)
    area = np.where(np.isfinite(inside), place.areas(masks, images.canvases), np.nan)
    ids = images.patient_ids
    return {
        "share": asdict(estimate_mean(inside, ids, seed=seed)),
        "area": asdict(estimate_mean(area, ids, seed=seed)),
        "density": asdict(estimate_mean(inside / area, ids, seed=seed)),
    }


def _probs(logits: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Probability of each image's own class, `[N]`."""
    exps = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return (exps / exps.sum(axis=1, keepdims=True))[np.arange(len(target)), target]


def choose_method(methods: Mapping[str, Any]) -> str:
    """The first method that passed all tests; where none did, the first one with the fewest that it did not."""
    missed = {name: sum(verdict["state"] != "pass" for verdict in each["verdicts"]) for name, each in methods.items()}
    return min(missed, key=missed.__getitem__)
