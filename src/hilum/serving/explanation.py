"""Images -> Explanations: what a model says of each and where in the picture that comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hilum.errors import UsageError
from hilum.images import Image, read_image
from hilum.transforms import Preprocessing, to_canvas
from hilum.transforms.preprocessing import shorter_side_needed

if TYPE_CHECKING:
    from hilum.models import Classifier

LONGEST = 1024
"""Longer side of the picture that an explanation carries, pixels."""


@dataclass(frozen=True)
class Explanation:
    """Where an answer comes from; it shows itself in a notebook.

    Args:
        name: of the image; empty for pictures from memory.
        label: the class that the map speaks for.
        against: the class that it speaks against; empty unless a difference was asked for.
        said: the most probable class.
        probs: class name -> probability in [0, 1].
        method: `gradcam`, `gradcam++`, `layercam` or `rollout`.
        layer: where in the network the map was taken.
        cam: the raw map, float32 `[h, w]`, at least 0, over the network's square.
        heat: the map over the picture, float32 `[H, W]` in [0, 1]; 0 everywhere where nothing speaks for the class.
        picture: the X-ray, uint8 `[H, W]`, at most 1,024 pixels on its longer side.
        warnings: codes of what was odd about the image.
    """

    name: str
    label: str
    against: str
    said: str
    probs: Mapping[str, float]
    method: str
    layer: str
    cam: np.ndarray
    heat: np.ndarray
    picture: np.ndarray
    warnings: tuple[str, ...] = ()

    @property
    def overlay(self) -> np.ndarray:
        """The X-ray with its map, RGB uint8 `[H, W, 3]`."""
        from hilum.inspection.cam.overlay import draw_overlay

        return draw_overlay(self.picture, self.heat)

    def __str__(self) -> str:
        return f"{self.name + ': ' if self.name else ''}{self.said} ({self.probs[self.said]:.3f}); {self.question}"

    @property
    def question(self) -> str:
        """What the map answers, in words."""
        return f"what speaks for {self.label}" + (f" against {self.against}" if self.against else "")

    def save(self, path: str | Path) -> Path:
        """Writes the overlay as a PNG, renamed into place."""
        import cv2

        path = Path(path)
        done, data = cv2.imencode(".png", self.overlay[..., ::-1])
        if not done:
            raise UsageError(str(path), expected="a picture that can be written", found="none")
        partial = path.with_name(f".{path.name}.partial")
        partial.write_bytes(data.tobytes())
        partial.replace(path)
        return path

    def _repr_html_(self) -> str:
        import base64
        import html

        import cv2

        data = cv2.imencode(".png", self.overlay[..., ::-1])[1].tobytes()
        uri = f"data:image/png;base64,{base64.b64encode(data).decode()}"
        return f'<figure><img src="{uri}" width="384"><figcaption>{html.escape(str(self))}</figcaption></figure>'


@dataclass(frozen=True)
class Opened:
    """A picture ready for the network."""

    name: str
    pixels: np.ndarray
    canvas: np.ndarray
    warnings: tuple[str, ...]


def open_picture(image: str | Path | bytes | np.ndarray | Image, preprocessing: Preprocessing) -> Opened:
    """Reads an image, large enough to be looked at, and makes the network's square of it.

    Args:
        image: a path, a file's bytes, grey pixels `[H, W]`, or an Image.

    Raises:
        ImageRejected: a file that cannot be read.
        DataError: pixels of another type or shape.
    """
    from hilum.inspection.cam.overlay import reduced

    name = Path(image).name if isinstance(image, (str, Path)) else ""
    if isinstance(image, np.ndarray):
        return Opened(name, reduced(image, LONGEST), to_canvas(image, preprocessing), ())
    source = Path(image) if isinstance(image, str) else image
    # The canvas is that of a prediction: decoded at the size that the preprocessing asks for, not at the picture's.
    needed = shorter_side_needed(preprocessing)
    read = source if isinstance(source, Image) else read_image(source, shorter_side=needed)
    shown = read if isinstance(source, Image) else read_image(source, shorter_side=LONGEST)
    return Opened(name, reduced(shown.pixels, LONGEST), to_canvas(read, preprocessing), read.warnings)


def explain_pictures(
    model: Classifier,
    labels: Sequence[str],
    preprocessing: Preprocessing,
    pictures: Sequence[Opened],
    *,
    method: str = "gradcam",
    target: str | None = None,
    against: str | None = None,
    layer: str | None = None,
    extras: Mapping[str, Any] | None = None,
    device: Any = None,
) -> list[Explanation]:
    """Heat maps of some pictures in one batch; probabilities are those of a prediction.

    Args:
        target: a class; None = the most probable one of each picture.
        against: a class whose score is taken off.
        extras: of the model file: views, their seed and the temperature.

    Raises:
        UsageError: an unknown class, or the same one twice.
        RecipeError: a method or layer that the network does not have.
    """
    from hilum.inference.predict import predict_logits
    from hilum.inspection.cam.maps import compute_maps
    from hilum.inspection.cam.overlay import enlarge, onto_picture

    if not pictures:
        return []
    extras = extras or {}
    wanted, other = class_number(labels, target, "the class"), class_number(labels, against, "the class against it")
    canvases = np.stack([each.canvas for each in pictures])
    views, seed = extras.get("tta", ("plain",)), extras.get("tta_seed", 0)
    logits = predict_logits(model, canvases, preprocessing, views=views, view_seed=seed, device=device)
    probs = _probs(logits, float(extras.get("temperature", 1.0)))
    said = probs.argmax(axis=1)
    spoken_for = said if wanted is None else np.full(len(said), wanted)
    if other is not None and (spoken_for == other).any():
        found = f"{labels[other]} against itself"
        way_out = "" if wanted is not None else "Name the other class too: --target."
        raise UsageError("a difference of classes", expected="two of them", found=found, way_out=way_out)
    found_maps = compute_maps(
        model, canvases, preprocessing, methods=(method,), target=spoken_for, against=other, layer=layer, device=device
    )
    maps = found_maps.maps[method]
    heats = enlarge(maps, preprocessing.image_size)
    return [
        Explanation(
            name=each.name,
            label=labels[spoken_for[at]],
            against="" if other is None else labels[other],
            said=labels[said[at]],
            probs=dict(zip(labels, probs[at].tolist(), strict=True)),
            method=method,
            layer=found_maps.layer,
            cam=maps[at],
            heat=onto_picture(heats[at], preprocessing, *each.pixels.shape),
            picture=each.pixels,
            warnings=each.warnings,
        )
        for at, each in enumerate(pictures)
    ]


def network_of(model: Classifier | None) -> Classifier:
    """The network behind a predictor.

    Raises:
        UsageError: there is none: an exported model only runs forwards.
    """
    if model is None:
        way_out = "Take the .safetensors that it was exported from."
        raise UsageError("a heat map", expected="a model file with weights", found="an exported one", way_out=way_out)
    return model


def class_number(labels: Sequence[str], name: str | None, what: str) -> int | None:
    """Position of a class, None for None.

    Raises:
        UsageError: the model does not know it.
    """
    if name is None:
        return None
    if name not in labels:
        raise UsageError(what, expected=f"one of {', '.join(labels)}", found=name)
    return list(labels).index(name)


def _probs(logits: np.ndarray, temperature: float) -> np.ndarray:
    scaled = logits.astype(np.float64) / temperature
    exps = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return exps / exps.sum(axis=1, keepdims=True)
