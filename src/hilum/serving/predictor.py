"""One image -> one Prediction, with the preprocessing and labels that the model file carries."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hilum.errors import ImageRejected
from hilum.images import Image, read_image
from hilum.images.subject import objection
from hilum.inference.engine import Engine, average_views, log_softmax
from hilum.models.modelfile import ModelHeader
from hilum.serving.opened import OpenedModel, open_model
from hilum.serving.prediction import NOT_FOR, Decision, Prediction, strange
from hilum.transforms import Preprocessing, look, make_views, to_canvas
from hilum.transforms.preprocessing import shorter_side_needed

if TYPE_CHECKING:
    from pydicom import Dataset

    from hilum.inspection.gate import Gate
    from hilum.serving.explanation import Explanation

__all__ = ["NOT_FOR", "Picture", "Prediction", "Predictor"]


class Picture:
    """A picture ready for the network.

    Args:
        name: of the image.
        canvas: uint8 `[S, S]`.
        warnings: codes of what was odd about it.
        objection: what its header says against it, None if nothing.
    """

    __slots__ = ("canvas", "name", "objection", "warnings")

    def __init__(
        self, name: str, canvas: np.ndarray, warnings: tuple[str, ...] = (), objection: ImageRejected | None = None
    ) -> None:
        self.name, self.canvas, self.warnings, self.objection = name, canvas, warnings, objection


class Predictor:
    """A model file, loaded.

    Args:
        opened: see `hilum.serving.opened.open_model`.

    Attributes:
        model: the network, None for an exported model.
        header: what the file says beside its weights.
        engine: what computes.
    """

    def __init__(self, opened: OpenedModel) -> None:
        self.opened, self.model, self.header, self.device = opened, opened.model, opened.header, opened.device
        self.engine: Engine = opened.engine
        self.preprocessing = Preprocessing(**self.header.preprocessing)
        extras = self.header.extras
        self.views = make_views(extras.get("tta", ("plain",)))
        self.view_seed = int(extras.get("tta_seed", 0))
        self.temperature = float(extras.get("temperature", 1.0))
        self.gate = _gate_of(self.header)

    @classmethod
    def load(cls, path: str | Path, *, device: str = "auto", engine: str = "auto") -> Predictor:
        """Reads a model file (`.safetensors`) or an exported model (`.onnx`, `.xml`; without torch).

        Raises:
            ModelFileError: no model file of hilum, or a damaged one.
            UsageError: a device or an engine that is not there.
        """
        return cls(open_model(Path(path), device=device, engine=engine))

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names in the order of the outputs."""
        return tuple(self.header.labels)

    def predict(self, image: str | Path | bytes | np.ndarray | Image | Dataset, *, force: bool = False) -> Prediction:
        """Predicts one image.

        Args:
            image: a path, a file's bytes, grey pixels `[H, W]` (uint8 or uint16 over the whole range, lungs dark), an
                Image, or a pydicom Dataset.
            force: also predict what its header or the gate of the model file speaks against; a warning says so.

        Raises:
            ImageRejected: a file that cannot be read, or no frontal chest X-ray.
            DataError: pixels of another type or shape.
        """
        result = self.predict_pictures([self.open(image)], force=force)[0]
        if isinstance(result, ImageRejected):
            raise result
        return result

    def open(self, image: Any, *, name: str = "") -> Picture:
        """Reads an image as `predict` takes it.

        Args:
            name: what messages call it; by default the file's name.

        Raises:
            ImageRejected: a file that cannot be read.
            DataError: pixels of another type or shape.
        """
        name = name or (Path(image).name if isinstance(image, (str, Path)) else "")
        if isinstance(image, np.ndarray):
            return Picture(name, to_canvas(image, self.preprocessing))
        if isinstance(image, Image):
            return self.picture_of(image, name)
        source = (
            Path(image) if isinstance(image, str) else image if isinstance(image, (Path, bytes)) else _file_of(image)
        )
        return self.picture_of(read_image(source, shorter_side=self.shorter_side), name)

    @property
    def shorter_side(self) -> int:
        """What a decoder may reduce pictures to, see `read_image`."""
        return shorter_side_needed(self.preprocessing)

    def picture_of(self, image: Image, name: str) -> Picture:
        """A decoded image, ready for the network."""
        canvas = to_canvas(image, self.preprocessing)
        return Picture(name, canvas, image.warnings, objection(image.acquisition, name or "picture"))

    def predict_pictures(self, pictures: Sequence[Picture], *, force: bool = False) -> list[Prediction | ImageRejected]:
        """Predicts a batch; for each picture a prediction or, where it is no frontal chest X-ray, the refusal."""
        if not pictures:
            return []
        canvases = np.stack([each.canvas for each in pictures])
        logits, scores = self._answers(canvases)
        probs = np.exp(log_softmax(logits.astype(np.float64) / self.temperature))
        return [
            self._result(picture, row, None if scores is None else float(scores[number]), force)
            for number, (picture, row) in enumerate(zip(pictures, probs, strict=True))
        ]

    def logits_of(self, pictures: Sequence[Picture]) -> np.ndarray:
        """Logits `[B, K]` of the views' mean, before the temperature."""
        return self._answers(np.stack([each.canvas for each in pictures]))[0]

    def _answers(self, canvases: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Logits `[B, K]` of the views' mean, and the gate's scores `[B]` where there is a gate."""
        plain = None if self.gate is None else self.engine.both(canvases)
        each = [
            plain.logits
            if plain is not None and not view.steps
            else self.engine.logits(look(canvases, view, seed=self.view_seed))
            for view in self.views
        ]
        logits = each[0] if len(each) == 1 else average_views(np.stack([log_softmax(one) for one in each]))
        if self.gate is None or plain is None:
            return logits, None
        return logits, self.gate.score(plain.embedding, canvases)

    def _result(
        self, picture: Picture, probs: np.ndarray, score: float | None, force: bool
    ) -> Prediction | ImageRejected:
        refusal, threshold = picture.objection, self.gate.threshold if self.gate is not None else None
        if refusal is None and score is not None and threshold is not None and not score <= threshold:
            refusal = strange(picture.name, score, threshold)
        if refusal is not None and not force:
            return refusal
        warnings = (*picture.warnings, refusal.code) if refusal is not None else picture.warnings
        named = dict(zip(self.labels, probs.tolist(), strict=True))
        decisions = tuple(
            Decision(
                point["name"], point["label"], float(point["threshold"]), named[point["label"]] >= point["threshold"]
            )
            for point in self.header.extras.get("operating_points", ())
        )
        best = max(named, key=named.__getitem__)
        return Prediction(picture.name, best, named, warnings, decisions, score, threshold)

    def explain(
        self,
        image: str | Path | bytes | np.ndarray | Image,
        *,
        method: str = "gradcam",
        target: str | None = None,
        against: str | None = None,
        layer: str | None = None,
    ) -> Explanation:
        """Where in one image an answer comes from.

        Args:
            image: as for `predict`.
            method: `gradcam`, `gradcam++`, `layercam`, or `rollout` for a ViT.
            target: the class that the map speaks for; None = the most probable one.
            against: a class whose score is taken off: what speaks for one rather than the other.
            layer: a stage or module of the network; None = what suits its family.

        Raises:
            ImageRejected: a file that cannot be read.
            DataError: pixels of another type or shape.
            UsageError: an unknown class, method or layer, or an exported model, which has no gradients.
        """
        from hilum.serving.explanation import explain_pictures, network_of, open_picture

        (found,) = explain_pictures(
            network_of(self.model),
            self.labels,
            self.preprocessing,
            [open_picture(image, self.preprocessing)],
            method=method,
            target=target,
            against=against,
            layer=layer,
            extras=self.header.extras,
            device=self.device,
        )
        return found

    def _repr_html_(self) -> str:
        import html

        about = f"{self.header.architecture['name']} for {', '.join(self.labels)}"
        return f"<p>{html.escape(about)}. {NOT_FOR}</p>"


def _gate_of(header: ModelHeader) -> Gate | None:
    document = header.extras.get("gate")
    if not document:
        return None
    from hilum.inspection.gate import Gate

    return Gate.from_json(document)


def _file_of(dataset: Any) -> bytes:
    """A pydicom Dataset as the bytes of a file, so that it goes through the one decoder."""
    from hilum.images.boundary import typed_errors

    with typed_errors("pydicom Dataset"):
        from pydicom import dcmwrite
        from pydicom.dataset import FileMetaDataset
        from pydicom.uid import ExplicitVRLittleEndian

        copy = dataset.copy()
        meta = FileMetaDataset(getattr(dataset, "file_meta", None) or FileMetaDataset())
        if "TransferSyntaxUID" not in meta:
            meta.TransferSyntaxUID = ExplicitVRLittleEndian
        copy.file_meta = meta
        buffer = BytesIO()
        dcmwrite(buffer, copy, enforce_file_format=False)
        return buffer.getvalue()
