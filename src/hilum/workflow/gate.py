"""The gate of a model file: fitted on training pictures, its threshold on validation pictures, of every class."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hilum.data.cache import CanvasCache, CanvasView
from hilum.data.manifest import Manifest
from hilum.errors import DataError
from hilum.evaluation.shift import spread_positions
from hilum.inspection.gate import Gate, fit_gate
from hilum.models.extras import add_extras
from hilum.transforms import Augmentation, Preprocessing, augment
from hilum.workflow.options import Options

if TYPE_CHECKING:
    from hilum.models import Classifier

GATE = "gate"
MOST, FEWEST, PROBE = 800, 300, 16
"""Pictures of a split that are looked at: at most, at least where there are as many, and to see how long one takes."""
SECONDS = 5.0
"""What a gate may cost a run, about; a fiftieth of a study's time budget where that is less."""


def fit_run_gate(run_dir: Path, manifest: Manifest, cache: CanvasCache, options: Options) -> str:
    """Adds a gate to a run's model file under `extras["gate"]`.

    To be called before anything is predicted with the file, for it changes the file's digest.

    Args:
        cache: canvases of the manifest for this model's preprocessing.

    Returns:
        A sentence where there is none, and why; else nothing.
    """
    from hilum.inference.device import choose_device
    from hilum.models import load_model

    path = run_dir / "model.safetensors"
    model, header = load_model(path)
    seconds = min(SECONDS, 0.02 * options.time_budget) if options.time_budget else SECONDS
    parts = [cache.of(manifest.split(split)) for split in ("train", "val")]
    try:
        gate = make_gate(
            model, parts[0], parts[1], Preprocessing(**header.preprocessing), device=str(choose_device(options.device)),
            seconds=seconds,
        )  # fmt: skip
    except DataError as error:
        return f"The model file has no gate against pictures that are no chest X-rays: {error}"
    add_extras(path, {GATE: gate.to_json()})
    return ""


def make_gate(
    model: Classifier,
    train: CanvasView,
    val: CanvasView,
    preprocessing: Preprocessing,
    *,
    device: str = "cpu",
    seconds: float = SECONDS,
) -> Gate:
    """A gate from as many pictures of both splits, evenly spread, as there is time for.

    Raises:
        DataError: too few pictures.
    """
    from hilum.inference import embed_images

    plain = train[np.arange(min(PROBE, len(train)))]
    probe = as_elsewhere(plain)[len(plain) :]  # changed: nobody remembers those
    began = time.monotonic()
    embed_images(model, probe, preprocessing, device=device)
    each = (time.monotonic() - began) / max(len(probe), 1)
    most = int(np.clip(seconds / 4 / max(each, 1e-6), FEWEST, MOST))
    pictures = [as_elsewhere(part[spread_positions(len(part), most)]) for part in (train, val)]
    embedded = [embed_images(model, some, preprocessing, device=device) for some in pictures]
    more = as_elsewhere(train[spread_positions(len(train), MOST)])  # to look at the pictures themselves costs little
    return fit_gate(embedded[0], more, embedded[1], pictures[1])


ELSEWHERE = Augmentation(
    rotation=6, shift=0.05, zoom=0.12, brightness=0.08, contrast=0.2, gamma=0.2, blur=1.0, noise=0.02, collimate=0.2
)
"""How an X-ray of the same kind may differ where another person takes it with another machine."""

NARROWEST = 0.75
"""Height of the flattest picture, or width of the narrowest one, that a square may hold; black lies beside it."""


def as_elsewhere(canvases: np.ndarray, seed: int = 0) -> np.ndarray:
    """The pictures as they are, and each once more as it might look where it was taken by somebody else.

    A gate that knows one hospital's pictures only takes those of every other one, and of adults where it has seen
    children, for something that is no chest X-ray.

    Args:
        canvases: uint8 `[B, S, S]`.

    Returns:
        uint8 `[2 B, S, S]`.
    """
    changed = augment(canvases, ELSEWHERE, [(seed, 0, row) for row in range(len(canvases))])
    shares = np.random.default_rng([seed, 5]).uniform(NARROWEST, 1.0, len(canvases))
    other = [
        _narrowed(each, share, tall=bool(row % 2))
        for row, (each, share) in enumerate(zip(changed, shares, strict=True))
    ]
    return np.concatenate([canvases, np.stack(other)]) if other else canvases


def _narrowed(canvas: np.ndarray, share: float, *, tall: bool) -> np.ndarray:
    import cv2

    side = len(canvas)
    short = round(side * share)
    first = (side - short) // 2
    framed = np.zeros_like(canvas)
    if tall:
        framed[:, first : first + short] = cv2.resize(canvas, (short, side), interpolation=cv2.INTER_AREA)
    else:
        framed[first : first + short] = cv2.resize(canvas, (side, short), interpolation=cv2.INTER_AREA)
    return framed
