"""The exam: every method by every test, each figure with its interval, as a JSON document."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from hilum.inference import predict_logits
from hilum.inspection.cam.exam.delete import FRACTIONS
from hilum.inspection.cam.exam.figures import (
    ExamImages,
    deletion_figures,
    place_figures,
    probs_of,
    similarity_figures,
    truth_figures,
)
from hilum.inspection.cam.exam.randomise import cascade, randomised, rank_correlations
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
    truth = images.find_truth(len(images.canvases))
    lungs = truth.lungs if truth is not None else find_lungs(images.canvases)
    similarity = _similarities(model, images, preprocessing, maps, layer, seed, tick)
    every = {**maps.maps, CONTROL: edges(images.canvases, next(iter(maps.maps.values())).shape[1:])}
    probs = probs_of(predict_logits(model, images.canvases, preprocessing), maps.target)
    found: dict[str, Any] = {}
    for name, each in every.items():
        heat = enlarge(each, side)
        figures = {
            "randomised": similarity_figures(similarity.get(name), images, seed),
            "deletion": deletion_figures(model, images, preprocessing, heat, maps.target, probs, seed),
            **place_figures(images, heat, lungs, seed),
            **truth_figures(images, truth, heat, maps, healthy, seed),
        }
        found[name] = {**figures, "verdicts": verdicts_of(figures)}
        tick("pictures without what maps mark")
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


def choose_method(methods: Mapping[str, Any]) -> str:
    """The first method that passed all tests; where none did, the first one with the fewest that it did not."""
    missed = {name: sum(verdict["state"] != "pass" for verdict in each["verdicts"]) for name, each in methods.items()}
    return min(missed, key=missed.__getitem__)
