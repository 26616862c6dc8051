"""What an answer says of the model that gave it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hilum.version import __version__

if TYPE_CHECKING:
    from hilum.serving.predictor import Predictor

MAKER = "hilum"
NOTICE = "AI, research use, not verified"
"""Stands in the picture, in the tags and in the report of every answer."""


@dataclass(frozen=True)
class ModelFacts:
    """The model behind an answer.

    Args:
        name: of its architecture.
        sha256: of the model file, over header and weights.
        parameters: what else went into the numbers, a line each.
    """

    name: str
    sha256: str
    parameters: tuple[str, ...] = ()

    @classmethod
    def of(cls, predictor: Predictor) -> ModelFacts:
        """The facts of a loaded model."""
        header = predictor.header
        views = " ".join(str(each) for each in header.extras.get("tta", ("plain",)))
        parameters = (
            f"model sha256 {header.sha256}",
            f"training data {header.fingerprint[:64]}",
            f"classes {', '.join(predictor.labels)}",
            f"temperature {predictor.temperature:g}",
            f"views {views}",
        )
        return cls(str(header.architecture["name"]), header.sha256, parameters)

    @property
    def software(self) -> list[str]:
        """SoftwareVersions: hilum, and the model that it ran."""
        return [f"hilum {__version__}"[:64], self.sha256[:64]]

    @property
    def version(self) -> str:
        """The algorithm's version: that of hilum and the beginning of the model's SHA-256."""
        return f"hilum {__version__}, model {self.sha256[:12]}"
