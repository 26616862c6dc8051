"""What a model says of one image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hilum.errors import ImageRejected

NOT_FOR = "For research and teaching; not a medical device."
STRANGE = "not-a-chest-xray"
"""Code of pictures that the gate of the model file refuses."""


@dataclass(frozen=True)
class Decision:
    """An operating point applied to one image.

    Args:
        point: name of the rule that found the threshold.
        label: the class.
        threshold: of its probability, in [0, 1].
        called: whether the probability reaches it.
    """

    point: str
    label: str
    threshold: float
    called: bool


@dataclass(frozen=True)
class Prediction:
    """What a model says of one image.

    Args:
        name: of the image; empty for pictures from memory.
        label: the most probable class.
        probs: class name -> probability in [0, 1].
        warnings: codes of what was odd about the image, see `hilum.images.WARNINGS`; of a prediction that was forced,
            also the code that it would have been refused with.
        decisions: one for each operating point of the model file.
        gate_score: how unlike the training pictures it is, larger is stranger; None where the model file has no gate.
        gate_threshold: above it pictures are refused.
    """

    name: str
    label: str
    probs: Mapping[str, float]
    warnings: tuple[str, ...] = ()
    decisions: tuple[Decision, ...] = ()
    gate_score: float | None = None
    gate_threshold: float | None = None

    def to_json(self) -> dict[str, Any]:
        """JSON values."""
        decisions = [{**vars(each)} for each in self.decisions]
        return {
            "label": self.label,
            "probs": dict(self.probs),
            "decisions": decisions,
            "gate_score": self.gate_score,
            "gate_threshold": self.gate_threshold,
            "warnings": list(self.warnings),
        }

    def __str__(self) -> str:
        probs = ", ".join(f"{label} {prob:.3f}" for label, prob in self.probs.items())
        odd = f" [{', '.join(self.warnings)}]" if self.warnings else ""
        return f"{self.name + ': ' if self.name else ''}{self.label} ({probs}){odd}"

    def _repr_html_(self) -> str:
        import html

        rows = "".join(
            f"<tr><td>{html.escape(label)}</td><td>{prob:.3f}</td></tr>" for label, prob in self.probs.items()
        )
        points = "".join(
            f"<li>{html.escape(each.point)}: {'' if each.called else 'not '}called {html.escape(each.label)} "
            f"(from {each.threshold:.3f})</li>"
            for each in self.decisions
        )
        odd = f"<p>Warnings: {html.escape(', '.join(self.warnings))}</p>" if self.warnings else ""
        strange = "" if self.gate_score is None else f"<p>{_gate_words(self.gate_score, self.gate_threshold)}</p>"
        lists = f"<ul>{points}</ul>" if points else ""
        return f"<table>{rows}</table>{lists}{strange}{odd}<p>{html.escape(self.name)} {NOT_FOR}</p>"


def _gate_words(score: float, threshold: float | None) -> str:
    limit = "" if threshold is None else f", refused above {threshold:.2f}"
    return f"How unlike the training pictures: {score:.2f}{limit}"


@dataclass(frozen=True)
class Outcome:
    """How one input of many ended: a prediction, or the reason why there is none.

    Args:
        name: as the user named it: a path, or archive and entry.
        content: what was read: a path, or an archive's bytes.
    """

    name: str
    prediction: Prediction | None = None
    rejected: ImageRejected | None = None
    content: Path | bytes = field(default=b"", repr=False, compare=False)

    def to_json(self) -> dict[str, Any]:
        """One line of `hilum predict --json`."""
        if self.prediction is not None:
            return {"image": self.name, "status": "ok", **self.prediction.to_json(), "code": None, "reason": None}
        code, reason = (self.rejected.code, str(self.rejected)) if self.rejected else ("crash", "")
        empty: dict[str, Any] = {
            "label": None,
            "probs": None,
            "decisions": [],
            "gate_score": None,
            "gate_threshold": None,
        }
        return {"image": self.name, "status": "rejected", **empty, "warnings": [], "code": code, "reason": reason}


def strange(name: str, score: float, threshold: float) -> ImageRejected:
    """The rejection of a picture that the gate refuses."""
    return ImageRejected(
        STRANGE,
        name or "picture",
        expected="a frontal chest X-ray like those of training",
        found=f"a picture unlike them (score {score:.2f}, refused above {threshold:.2f})",
        way_out="Use --force (in Python force=True) to see the probabilities all the same.",
    )
