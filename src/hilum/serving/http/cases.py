"""The nearest training cases of a picture, from an index of neighbours."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hilum.errors import DataError, ImageRejected
from hilum.images.sandbox import Sandbox
from hilum.models.modelfile import weights_sha256
from hilum.serving.http.pictures import picture_json
from hilum.serving.predictor import Picture, Predictor

if TYPE_CHECKING:
    from hilum.inspection.index import NeighborIndex

SIDE = 256
"""Longer side of a case's picture, pixels."""


class Cases:
    """An index beside the model that made it.

    Args:
        path: what `NeighborIndex.write` wrote.
        predictor: the model.

    Raises:
        DataError: no index, or one of another model.
    """

    def __init__(self, path: Path, predictor: Predictor) -> None:
        from hilum.inspection.index import read_index

        self.index: NeighborIndex = read_index(path)
        self.predictor = predictor
        self.layer = str(self.index.about.get("layer", "embedding"))
        if tuple(self.index.labels) != predictor.labels or self.layer not in ("embedding", "hidden"):
            found = f"{', '.join(self.index.labels)} by {self.layer}"
            raise DataError(str(path), expected=f"an index for {', '.join(predictor.labels)}", found=found)
        if self.layer == "hidden" and predictor.model is None:
            raise DataError(str(path), expected="an index by embedding for an exported model", found=self.layer)
        self._check_model(path)
        self._check_width(path)

    def _check_model(self, path: Path) -> None:
        known, model = self.index.about.get("weights_sha256"), self.predictor.opened.path
        if known and self.predictor.model is not None and weights_sha256(model) != known:
            raise DataError(str(path), expected=f"an index of {model.name}", found="one of another model's embeddings")

    def _check_width(self, path: Path) -> None:
        import numpy as np

        side = self.predictor.preprocessing.image_size
        width = self.embedding(np.zeros((1, side, side), np.uint8)).shape[1]
        if width != self.index.matrix.shape[1]:
            found = f"an index of width {self.index.matrix.shape[1]}"
            raise DataError(str(path), expected=f"embeddings of width {width}", found=found)

    def embedding(self, canvases: Any) -> Any:
        """float32 `[B, D]` of canvases uint8 `[B, S, S]`."""
        embedding = self.predictor.engine.embed(canvases)
        if self.layer == "embedding":
            return embedding
        from hilum.inspection.embed import last_hidden

        assert self.predictor.model is not None
        return last_hidden(self.predictor.model, embedding)

    def nearest(self, picture: Picture, k: int, sha256: str) -> dict[str, Any]:
        """The k nearest training cases: position in the index, label, distance; no paths, which may name people."""
        found = self.index.search(self.embedding(picture.canvas[None]), k)
        labels = self.index.table["label"]
        cases = [
            {"case": int(row), "label": str(labels.iloc[int(row)]), "distance": float(distance)}
            for row, distance in zip(found.positions[0], found.distances[0], strict=True)
        ]
        (leak,) = self.index.seen.reasons([sha256], [""], [""])
        return {"cases": cases, "metric": self.index.settings.metric, "seen_in_training": bool(leak)}

    def picture(self, case: int, sandbox: Sandbox) -> dict[str, Any] | None:
        """The picture of a case, None where its file is not there any more."""
        root = str(self.index.about.get("root", ""))
        try:
            path = Path(root) / str(self.index.table["image_path"].iloc[case])
            return picture_json(sandbox.read(path, shorter_side=SIDE, name="training case").pixels, SIDE)
        except (ImageRejected, OSError):
            return None
