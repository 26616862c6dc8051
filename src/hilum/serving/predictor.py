"""One image -> one Prediction, with the preprocessing and labels that the model file carries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hilum.images import Image, read_image
from hilum.models import ModelHeader, load_model
from hilum.transforms import Preprocessing, to_canvas
from hilum.transforms.preprocessing import shorter_side_needed

if TYPE_CHECKING:
    from hilum.models import Classifier

NOT_FOR = "For research and teaching; not a medical device."


@dataclass(frozen=True)
class Prediction:
    """What a model says of one image.

    Args:
        name: of the image; empty for pictures from memory.
        label: the most probable class.
        probs: class name -> probability in [0, 1].
        warnings: codes of what was odd about the image, see `hilum.images.WARNINGS`.
    """

    name: str
    label: str
    probs: Mapping[str, float]
    warnings: tuple[str, ...] = ()

    def __str__(self) -> str:
        probs = ", ".join(f"{label} {prob:.3f}" for label, prob in self.probs.items())
        return f"{self.name + ': ' if self.name else ''}{self.label} ({probs})"

    def _repr_html_(self) -> str:
        import html

        rows = "".join(
            f"<tr><td>{html.escape(label)}</td><td>{prob:.3f}</td></tr>" for label, prob in self.probs.items()
        )
        return f"<table>{rows}</table><p>{html.escape(self.name)} {NOT_FOR}</p>"


class Predictor:
    """A model file, loaded.

    Args:
        model: the network.
        header: what the file says beside its weights.
        device: `auto`, `cpu`, `cuda` or `mps`.
    """

    def __init__(self, model: Classifier, header: ModelHeader, *, device: str = "auto") -> None:
        from hilum.inference.device import choose_device

        self.model, self.header, self.device = model, header, choose_device(device)
        self.preprocessing = Preprocessing(**header.preprocessing)

    @classmethod
    def load(cls, path: Path, *, device: str = "auto") -> Predictor:
        """Reads a model file.

        Raises:
            ModelFileError: no model file of hilum, or a damaged one.
        """
        return cls(*load_model(path), device=device)

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names in the order of the outputs."""
        return tuple(self.header.labels)

    def predict(self, image: str | Path | bytes | np.ndarray | Image) -> Prediction:
        """Predicts one image.

        Args:
            image: a path, a file's bytes, grey pixels `[H, W]` (uint8 or uint16 over the whole range, lungs dark), or
                an Image.

        Raises:
            ImageRejected: a file that cannot be read.
            DataError: pixels of another type or shape.
        """
        from hilum.inference.predict import predict_logits

        name = Path(image).name if isinstance(image, (str, Path)) else ""
        picture: Image | np.ndarray
        if isinstance(image, np.ndarray):
            picture, warnings = image, tuple[str, ...]()
        else:
            side = shorter_side_needed(self.preprocessing)
            source = Path(image) if isinstance(image, str) else image
            read = source if isinstance(source, Image) else read_image(source, shorter_side=side)
            picture, warnings = read, read.warnings
        canvas = to_canvas(picture, self.preprocessing)
        extras = self.header.extras
        views, seed = extras.get("tta", ("plain",)), extras.get("tta_seed", 0)
        logits = predict_logits(
            self.model, canvas[None], self.preprocessing, views=views, view_seed=seed, device=self.device
        )[0]
        logits = logits.astype(np.float64) / float(extras.get("temperature", 1.0))
        exps = np.exp(logits - logits.max())
        probs = dict(zip(self.labels, (exps / exps.sum()).tolist(), strict=True))
        return Prediction(name, max(probs, key=probs.__getitem__), probs, warnings)

    def _repr_html_(self) -> str:
        import html

        about = f"{self.header.architecture['name']} for {', '.join(self.labels)}"
        return f"<p>{html.escape(about)}. {NOT_FOR}</p>"
