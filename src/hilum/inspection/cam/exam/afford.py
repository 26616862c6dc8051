"""How many images, and which methods, an exam can afford."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np

from hilum.inference.choose import choose_engine
from hilum.inspection.cam.exam.delete import FRACTIONS
from hilum.inspection.cam.exam.figures import ExamImages
from hilum.inspection.cam.exam.holes import KINDS, Holes
from hilum.inspection.cam.exam.randomise import DRAWS, MEASURED, STEP_IMAGES, STEPS
from hilum.inspection.cam.maps import compute_maps
from hilum.models.classifier import Classifier
from hilum.transforms.preprocessing import Preprocessing

FEWEST, ENOUGH, MOST = 24, 48, 96
"""Images of an exam: at least, for fewer settle nothing; before a second method is examined; at most."""

TRIED = 8
"""Images whose time tells what all would take."""

MEASURING = 2.0
"""Maps that measuring a random network's batch norm takes as long as, for each image."""

SPARE = 0.85
"""Of the time, so that a machine that becomes busier does not overrun it."""


def affordable(
    model: Classifier,
    images: ExamImages,
    preprocessing: Preprocessing,
    methods: Sequence[str],
    layer: str | None,
    seconds: float | None,
) -> tuple[ExamImages, tuple[str, ...]]:
    """As many images as the time allows, and as many methods as leave `ENOUGH` of them.

    Args:
        seconds: for the whole exam, this included; None = as long as it takes.
    """
    most = min(MOST, len(images.canvases))
    if seconds is None:
        return images.first(most), tuple(methods)
    began, few = time.monotonic(), images.first(min(TRIED, most)).canvases
    a_map = _fastest(lambda: compute_maps(model, few, preprocessing, methods=methods, layer=layer), len(few))
    a_picture = _seconds_a_picture(model, few, preprocessing, most)
    left = SPARE * seconds - (time.monotonic() - began)
    fixed = a_map * (STEPS + DRAWS - 1) * MEASURING * MEASURED + a_map * (STEPS - 1) * STEP_IMAGES
    for count in range(len(methods), 0, -1):
        # Beside each method the control; a map of every image, and one from each network that is random throughout.
        an_image = a_map * (1 + DRAWS) + a_picture * len(KINDS) * len(FRACTIONS) * (count + 1)
        fits = int((left - fixed) / an_image)
        if fits >= min(ENOUGH, most) or count == 1:
            return images.first(max(min(fits, most), min(FEWEST, most))), tuple(methods[:count])
    raise AssertionError


def _seconds_a_picture(model: Classifier, few: np.ndarray, preprocessing: Preprocessing, most: int) -> float:
    """Seconds to make a hole and to ask the network, by the engine that it will be asked with."""
    holes = Holes(few, [np.broadcast_to(np.linspace(0, 1, few.shape[-1], dtype=np.float32), few.shape)], 0)
    # The engine depends on how many pictures there are: as many passes as two maps of every image would take.
    passes = 2 * len(KINDS) * len(FRACTIONS) * most // len(few)
    engine = choose_engine(model, preprocessing, few, place=model.device, passes=passes).engine
    return _fastest(lambda: engine.logits(holes[: 2 * TRIED]), min(2 * TRIED, len(holes)))


def _fastest(work: Callable[[], object], count: int) -> float:
    """Seconds for one of `count`; the first call is slower than the others."""
    seconds = []
    for _ in range(2):
        began = time.monotonic()
        work()
        seconds.append(time.monotonic() - began)
    return max(min(seconds) / count, 1e-5)
