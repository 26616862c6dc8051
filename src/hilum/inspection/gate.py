"""Is this a chest X-ray at all? A score of how unlike the training pictures a picture is; numpy is all it takes.

Several things are looked at, and the strangest counts: the embedding that the network makes of the picture (a Gaussian
on its principal components, and what they leave over), and the picture itself, as a thumbnail (the same, with the
thumbnails of the training pictures), in a few plain figures (grey levels, symmetry, detail), and whether it is the
right way up. The embedding of a network that was trained on drawn pictures, or hardly at all, tells little; the picture
still tells a lot.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from hilum.errors import DataError

SCHEMA = "hilum.gate/1"
REJECTION = 0.01
"""Share of the validation pictures, all of them chest X-rays, that may be refused."""
THUMBNAIL = 24
"""Side of the thumbnail, pixels."""
COMPONENTS = {"embedding": 48, "thumbnail": 48, "figures": 16}
LARGEST = 400_000
"""Numbers that one matrix may have: the gate has to fit into a model file's header."""
FEWEST = 8
"""Pictures that a gate can be fitted on."""


@dataclass(frozen=True)
class Look:
    """One way of looking at a picture: principal components of what training pictures gave, and the rest.

    Args:
        mean, scale: `[D]`; what is looked at is moved and divided by these.
        axes: float16 `[D, C]`, orthonormal columns.
        spread: `[C]`, standard deviation along each axis.
        rest: mean squared length of what the axes leave over, above 0.
        middle, end: median and 99th percentile of the raw score on validation pictures.
    """

    mean: np.ndarray
    scale: np.ndarray
    axes: np.ndarray
    spread: np.ndarray
    rest: float
    middle: float = 0.0
    end: float = 1.0

    def raw(self, values: np.ndarray) -> np.ndarray:
        """values `[B, D]` -> float64 `[B]`: logarithm of the distance, components and rest together."""
        moved = (np.asarray(values, np.float32) - self.mean) / self.scale
        along = moved @ self.axes.astype(np.float32)
        inside = np.square(along / self.spread).sum(axis=1, dtype=np.float64)
        left = np.maximum(np.square(moved).sum(axis=1, dtype=np.float64) - np.square(along).sum(axis=1), 0)
        return np.log1p(inside / len(self.spread) + left / self.rest)

    def score(self, values: np.ndarray) -> np.ndarray:
        """values `[B, D]` -> 0 at the median of validation, 1 at its 99th percentile."""
        return (self.raw(values) - self.middle) / (self.end - self.middle)


@dataclass(frozen=True)
class Direction:
    """One number that training pictures have large: what tells them from the same pictures turned over.

    Args:
        weights: `[D]`, Fisher's direction from the turned pictures to the others.
        middle, end: median and 99th percentile of the raw score on validation pictures.
    """

    weights: np.ndarray
    middle: float = 0.0
    end: float = 1.0

    @property
    def mean(self) -> np.ndarray:
        """As long as what is looked at."""
        return self.weights

    def raw(self, values: np.ndarray) -> np.ndarray:
        """values `[B, D]` -> float64 `[B]`, larger for what is turned over."""
        return -(np.asarray(values, np.float32) @ self.weights).astype(np.float64)

    def score(self, values: np.ndarray) -> np.ndarray:
        """values `[B, D]` -> 0 at the median of validation, 1 at its 99th percentile."""
        return (self.raw(values) - self.middle) / (self.end - self.middle)


@dataclass(frozen=True)
class Gate:
    """What the training pictures look like, and how strange a picture may be.

    Args:
        looks: name of `SEES` -> how it is looked at.
        threshold: pictures that score above it are refused.
        rejection: share of validation pictures that the threshold was meant to refuse.
        fitted_on, tried_on: training and validation pictures.
        refused: validation pictures above the threshold.
    """

    looks: Mapping[str, Look | Direction]
    threshold: float
    rejection: float
    fitted_on: int
    tried_on: int
    refused: int

    def score(self, embedding: np.ndarray, canvas: np.ndarray) -> np.ndarray:
        """How strange pictures are.

        Args:
            embedding: `[B, D]`, as the model makes it of the plain picture.
            canvas: uint8 `[B, S, S]`, the same pictures.

        Returns:
            float64 `[B]`, larger is stranger; see `threshold`.

        Raises:
            DataError: an embedding of another length than the gate was fitted on.
        """
        return self.parts(embedding, canvas).max(axis=1, initial=-np.inf)

    def parts(self, embedding: np.ndarray, canvas: np.ndarray) -> np.ndarray:
        """The score of each look, float64 `[B, L]`, in the order of `looks`."""
        seen = {name: SEES[name](embedding, canvas) for name in self.looks}
        for name, values in seen.items():
            if values.shape[1] != len(self.looks[name].mean):
                expected = f"{len(self.looks[name].mean)} numbers"
                raise DataError(f"gate: {name}", expected=expected, found=str(values.shape[1]))
        return np.stack([self.looks[name].score(values) for name, values in seen.items()], axis=1)

    def to_json(self) -> dict[str, Any]:
        """JSON values for a model file's header; arrays as base64."""
        return {
            "schema": SCHEMA,
            "looks": {name: _look_to_json(look) for name, look in self.looks.items()},
            "threshold": self.threshold,
            "rejection": self.rejection,
            "fitted_on": self.fitted_on,
            "tried_on": self.tried_on,
            "refused": self.refused,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Gate:
        """The way back from `to_json`.

        Raises:
            DataError: another schema.
        """
        if document.get("schema") != SCHEMA:
            raise DataError("gate", expected=SCHEMA, found=str(document.get("schema")))
        fields = {name: value for name, value in document.items() if name != "schema"}
        return cls(**{**fields, "looks": {name: _look_from_json(each) for name, each in fields["looks"].items()}})


def fit_gate(
    train_embeddings: np.ndarray,
    train_canvases: np.ndarray,
    val_embeddings: np.ndarray,
    val_canvases: np.ndarray,
    *,
    rejection: float = REJECTION,
) -> Gate:
    """Learns what the training pictures look like; the threshold refuses a stated share of validation.

    The threshold is the k-th smallest of n validation scores, k = ceil((1 - rejection) (n + 1)), and the largest where
    n is too small for that: a new picture of the same kind is refused with a probability of at most `rejection`.

    Args:
        train_embeddings: `[N, D]`, of all or of some of the training pictures.
        train_canvases: uint8 `[P, S, S]`, of every class.
        val_embeddings, val_canvases: `[M, D]` and uint8 `[M, S, S]`, of the same pictures.
        rejection: in (0, 1).

    Raises:
        DataError: too few pictures.
    """
    for name, pictures in (("training", train_canvases), ("validation", val_canvases)):
        if len(pictures) < FEWEST:
            raise DataError(f"gate: {name} pictures", expected=f"at least {FEWEST}", found=str(len(pictures)))
    looks: dict[str, Look | Direction] = {}
    for name, sees in SEES.items():
        values, tried = sees(train_embeddings, train_canvases), sees(val_embeddings, val_canvases)
        fit = _fit_look(values, COMPONENTS[name]) if name in COMPONENTS else _fit_direction(values)
        looks[name] = _calibrated(fit, tried)
    fitted = Gate(looks, math.inf, rejection, len(train_canvases), len(val_canvases), 0)
    scores = np.sort(fitted.score(val_embeddings, val_canvases))
    position = min(math.ceil((1 - rejection) * (len(scores) + 1) - 1e-9), len(scores)) - 1
    threshold = float(scores[position])
    refused = int((scores > threshold).sum())
    return Gate(looks, threshold, rejection, len(train_canvases), len(val_canvases), refused)


def thumbnails(canvas: np.ndarray, side: int = THUMBNAIL) -> np.ndarray:
    """uint8 `[B, S, S]` -> float32 `[B, side^2]` in [0, 1]: the mean of each field."""
    edges = np.linspace(0, canvas.shape[1], side + 1).round().astype(int)[:-1]
    sums = np.add.reduceat(np.add.reduceat(canvas.astype(np.float32), edges, axis=1), edges, axis=2)
    sizes = np.diff(np.append(edges, canvas.shape[1])).astype(np.float32)
    return (sums / np.outer(sizes, sizes) / 255).reshape(len(canvas), -1)


def picture_looks(canvas: np.ndarray) -> np.ndarray:
    """Plain figures of each picture, float32 `[B, F]`.

    Mean, spread and deciles of the grey levels; share of pure black and white; detail (mean difference of neighbouring
    pixels) along rows and columns and its share that survives a reduction to a half; how alike the left and right
    halves, and the upper and lower ones, are; how bright middle, top, bottom and sides are.
    """
    grey = thumbnails(canvas, min(canvas.shape[1], 64)).reshape(len(canvas), min(canvas.shape[1], 64), -1)
    flat = grey.reshape(len(grey), -1)
    across, down = np.abs(np.diff(grey, axis=2)).mean(axis=(1, 2)), np.abs(np.diff(grey, axis=1)).mean(axis=(1, 2))
    full = canvas.astype(np.float32) / 255
    fine = [np.abs(np.diff(full, axis=axis)).mean(axis=(1, 2)) for axis in (1, 2)]
    third = grey.shape[1] // 3
    fields = [grey[:, i * third : (i + 1) * third, j * third : (j + 1) * third] for i in range(3) for j in range(3)]
    values = [
        flat.mean(axis=1),
        flat.std(axis=1),
        *np.quantile(flat, np.linspace(0.05, 0.95, 7), axis=1),
        (canvas <= 2).mean(axis=(1, 2)),
        (canvas >= 253).mean(axis=(1, 2)),
        np.log(1e-4 + across),
        np.log(1e-4 + down),
        *(np.log(1e-4 + each) for each in fine),
        _likeness(grey, grey[:, :, ::-1]),
        _likeness(grey, grey[:, ::-1]),
        *(field.mean(axis=(1, 2)) for field in fields),
    ]
    return np.stack(values, axis=1).astype(np.float32)


def upside_down(canvas: np.ndarray) -> np.ndarray:
    """The thumbnail less itself turned upside down, each picture at one brightness and contrast, float32 `[B, D]`.

    The same picture upside down gives the same numbers with the other sign.
    """
    flat = thumbnails(canvas)
    flat = (flat - flat.mean(axis=1, keepdims=True)) / np.maximum(flat.std(axis=1, keepdims=True), 1e-3)
    square = flat.reshape(len(flat), THUMBNAIL, THUMBNAIL)
    return (square - square[:, ::-1])[:, : THUMBNAIL // 2].reshape(len(flat), -1)


def _likeness(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Correlation of two pictures `[B, H, W]`, `[B]` in [-1, 1]; 0 where one has no contrast."""
    a, b = ((x - x.mean(axis=(1, 2), keepdims=True)).reshape(len(x), -1) for x in (first, second))
    lengths = np.sqrt(np.square(a).sum(axis=1) * np.square(b).sum(axis=1))
    return np.divide((a * b).sum(axis=1), lengths, out=np.zeros(len(a), np.float32), where=lengths > 1e-9)


def _embedding(embedding: np.ndarray, canvas: np.ndarray) -> np.ndarray:
    """The embedding; a very long one folded to `LARGEST / components` numbers, each with a sign of its own."""
    values = np.asarray(embedding, np.float32)
    most = LARGEST // COMPONENTS["embedding"]
    if values.shape[1] <= most:
        return values
    places = np.arange(values.shape[1], dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)  # Knuth's multiplicative hash
    order = (places >> np.uint64(32)) % np.uint64(most)
    signs = np.where((places >> np.uint64(31)) & np.uint64(1), 1, -1).astype(np.float32)
    folded = np.zeros((most, len(values)), np.float32)
    np.add.at(folded, order.astype(np.int64), (values * signs).T)
    return folded.T


SEES: Mapping[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "embedding": _embedding,
    "thumbnail": lambda embedding, canvas: thumbnails(canvas),
    "figures": lambda embedding, canvas: picture_looks(canvas),
    "upright": lambda embedding, canvas: upside_down(canvas),
}
"""Name -> (embedding, canvas) -> what is looked at, `[B, D]`."""


def _fit_look(values: np.ndarray, components: int) -> Look:
    """Principal components of training pictures `[N, D]`; as many as there are pictures for."""
    mean = values.mean(axis=0, dtype=np.float64)
    spread = values.std(axis=0, dtype=np.float64)
    scale = np.maximum(spread, 0.05 * max(float(np.median(spread)), 1e-6))
    moved = (values - mean) / scale
    kept = max(1, min(components, len(values) // 4, values.shape[1] - 1))
    axes = _axes(moved, kept).astype(np.float16)
    along = moved @ axes.astype(np.float64)
    left = np.square(moved).sum(axis=1) - np.square(along).sum(axis=1)
    deviation = np.maximum(along.std(axis=0), 1e-3)
    return Look(
        mean.astype(np.float32), scale.astype(np.float32), axes, deviation.astype(np.float32),
        float(max(left.mean(), 1e-3)),
    )  # fmt: skip


def _fit_direction(values: np.ndarray) -> Direction:
    """Fisher's direction between values `[N, D]` and their negatives, the covariance shrunk by a tenth."""
    mean = values.mean(axis=0, dtype=np.float64)
    covariance = np.cov(values, rowvar=False, dtype=np.float64)
    size = max(float(np.trace(covariance)) / len(covariance), 1e-9)
    weights = np.linalg.solve(0.9 * covariance + 0.1 * size * np.eye(len(covariance)), mean)
    return Direction((weights / max(float(np.linalg.norm(weights)), 1e-12)).astype(np.float32))


def _axes(moved: np.ndarray, count: int) -> np.ndarray:
    """The first principal axes of centred values `[N, D]`, as columns `[D, count]`."""
    if len(moved) < moved.shape[1]:
        values, left = np.linalg.eigh(moved @ moved.T)
        strongest = np.argsort(values)[::-1][:count]
        return moved.T @ left[:, strongest] / np.sqrt(np.maximum(values[strongest], 1e-12))
    values, axes = np.linalg.eigh(moved.T @ moved)
    return axes[:, np.argsort(values)[::-1][:count]]


def _calibrated(look: Look | Direction, values: np.ndarray) -> Look | Direction:
    raw = look.raw(values)
    middle, end = (float(each) for each in np.quantile(raw, [0.5, 0.99]))
    return replace(look, middle=middle, end=max(end, middle + 1e-3))


def _look_to_json(look: Look | Direction) -> dict[str, Any]:
    return {field.name: _encode(getattr(look, field.name)) for field in fields(look)}


def _look_from_json(document: Mapping[str, Any]) -> Look | Direction:
    values = {name: _decode(each) for name, each in document.items()}
    return Direction(**values) if "weights" in values else Look(**values)


def _encode(values: np.ndarray | float) -> Any:
    if not isinstance(values, np.ndarray):
        return values
    little = values.astype(values.dtype.newbyteorder("<"))
    content = base64.b64encode(little.tobytes()).decode()
    return {"type": values.dtype.name, "shape": list(values.shape), "base64": content}


def _decode(document: Any) -> Any:
    if not isinstance(document, Mapping):
        return document
    kind = np.dtype(document["type"]).newbyteorder("<")
    values = np.frombuffer(base64.b64decode(document["base64"]), kind).reshape(document["shape"])
    return values.astype(document["type"])
