"""The exam: every method by every test, each figure with its interval, as a JSON document."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from hilum.inspection.cam.exam.afford import affordable
from hilum.inspection.cam.exam.figures import (
    ExamImages,
    deletion_figures,
    place_figures,
    similarity_figures,
    truth_figures,
)
from hilum.inspection.cam.exam.holes import deletion_curves, probs_of
from hilum.inspection.cam.exam.randomise import DRAWS, STEP_IMAGES, STEPS, cascade, randomised, rank_correlations
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
    began, available = time.monotonic(), len(images.canvases)
    images, methods = affordable(model, images, preprocessing, methods, layer, seconds)
    maps = compute_maps(model, images.canvases, preprocessing, methods=methods, layer=layer)
    jobs = STEPS + DRAWS
    similarity = _similarities(
        model, images, preprocessing, maps, layer, seed, lambda done: on_step(done, jobs, "maps of random networks")
    )
    truth = images.find_truth(len(images.canvases))
    lungs = truth.lungs if truth is not None else find_lungs(images.canvases)
    found = _figures(model, images, preprocessing, maps, similarity, truth, lungs, healthy, seed)
    on_step(jobs, jobs, "pictures without what maps mark")
    return {
        "images": len(images.canvases),
        "of": available,
        "patients": len(set(images.patient_ids)),
        "layer": maps.layer,
        "cells": list(next(iter(maps.maps.values())).shape[1:]),
        "lungs": {"found": int(lungs.any(axis=(1, 2)).sum()), "known": truth is not None},
        "seconds": round(time.monotonic() - began, 2),
        "control": found.pop(CONTROL),
        "methods": found,
    }


def _figures(
    model: Classifier,
    images: ExamImages,
    preprocessing: Preprocessing,
    maps: HeatMaps,
    similarity: Mapping[str, list[dict[str, Any]]],
    truth: Truth | None,
    lungs: np.ndarray,
    healthy: int | None,
    seed: int,
) -> dict[str, Any]:
    """Of every method and of the control: figures and verdicts."""
    every = {**maps.maps, CONTROL: edges(images.canvases, next(iter(maps.maps.values())).shape[1:])}
    heats = {name: enlarge(each, preprocessing.image_size) for name, each in every.items()}
    curves = deletion_curves(model, images.canvases, heats, maps.target, preprocessing, seed)
    start = probs_of(maps.logits, maps.target)
    found = {}
    for name, heat in heats.items():
        figures = {
            "randomised": similarity_figures(similarity.get(name), images, seed),
            "deletion": deletion_figures(curves[name], start, images, seed),
            **place_figures(images, heat, lungs, seed),
            **truth_figures(images, truth, heat, maps, healthy, seed),
        }
        found[name] = {**figures, "verdicts": verdicts_of(figures)}
    return found


def edges(canvases: np.ndarray, cells: tuple[int, ...]) -> np.ndarray:
    """How steep the picture is in each cell of a map: float32 `[N, h, w]`."""
    import cv2

    found = []
    for canvas in canvases:
        across, down = (cv2.Sobel(canvas, cv2.CV_32F, *order) for order in ((1, 0), (0, 1)))
        found.append(cv2.resize(np.hypot(across, down), cells[::-1], interpolation=cv2.INTER_AREA))
    return np.stack(found)


def _similarities(
    model: Classifier,
    images: ExamImages,
    preprocessing: Preprocessing,
    maps: HeatMaps,
    layer: str | None,
    seed: int,
    on_draw: Callable[[int], None],
) -> dict[str, list[dict[str, Any]]]:
    """For each method, each step: the stages that were random, and the similarity of each image's map `[N]`."""
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in maps.maps}
    where = layer if layer is not None or maps.layer == "all blocks" else maps.layer
    where = None if set(maps.maps) == {ROLLOUT} else where
    steps, done = cascade(model, STEPS), 0
    for stages in steps:
        last = stages == steps[-1]
        draws, count = (DRAWS, len(images.canvases)) if last else (1, STEP_IMAGES)
        canvases, target = images.canvases[:count], maps.target[:count]
        similar: dict[str, list[np.ndarray]] = {name: [] for name in maps.maps}
        for draw in range(draws):
            other = randomised(model, stages, images.canvases, preprocessing, seed=1000 * seed + draw)
            changed = compute_maps(other, canvases, preprocessing, methods=tuple(maps.maps), target=target, layer=where)
            for name, each in changed.maps.items():
                similar[name].append(rank_correlations(maps.maps[name][:count], each))
            done += 1
            on_draw(done)
        for name, values in similar.items():
            found[name].append({"stages": list(stages), "values": np.mean(values, axis=0)})
    return found


def choose_method(methods: Mapping[str, Any]) -> str:
    """The first method that passed all tests; where none did, the first one with the fewest that it did not."""
    missed = {name: sum(verdict["state"] != "pass" for verdict in each["verdicts"]) for name, each in methods.items()}
    return min(missed, key=missed.__getitem__)
