"""How far two engines differ on the same pictures, and how far they may."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hilum.inference.engine import Engine, Outputs, log_softmax

PROBABILITY = {"32": 1e-3, "bf16": 2e-2, "int8": 5e-2}
"""Largest difference in a probability, by the arithmetic."""

EMBEDDING = {"32": 1e-3, "bf16": 3e-2, "int8": 2e-1}
"""Largest distance of two embeddings of a picture, as a share of their length."""

NOISE = 0.4
"""Largest noise in embeddings that a head is trained on, as a share of how far those of different pictures lie apart.
A left-right flip moves MobileNetV2's by 0.6 of it, mild augmentation by 0.9 (docs/performance.md)."""


@dataclass(frozen=True)
class Parity:
    """What differs between an engine and torch.

    Args:
        probability: largest difference in any probability.
        embedding: largest distance between two embeddings of an image, as a share of their length.
        images: how many were compared.
        noise: root mean square of those distances, as a share of that of the distances of the embeddings from their
            mean; what does not tell pictures apart needs no digits.
    """

    probability: float
    embedding: float
    images: int
    noise: float

    def holds(self, precision: str) -> bool:
        """Whether the differences are within those that are allowed for this arithmetic."""
        return self.probability <= PROBABILITY[precision] and self.embedding <= EMBEDDING[precision]

    @property
    def trains(self) -> bool:
        """Whether a head may be trained on such embeddings that is asked about exact ones later."""
        return self.noise <= NOISE

    def __str__(self) -> str:
        return f"probabilities differ by up to {self.probability:.1e}, embeddings by {self.embedding:.1e}"


def compare(engine: Engine, canvases: np.ndarray, reference: Outputs) -> Parity:
    """An engine beside what torch said of the same canvases, uint8 `[B, S, S]`."""
    return difference(engine.both(canvases), reference)


def difference(found: Outputs, reference: Outputs) -> Parity:
    """Two answers to the same canvases; not a number counts as infinitely far."""
    probs = np.abs(np.exp(log_softmax(found.logits)) - np.exp(log_softmax(reference.logits)))
    length = np.maximum(np.linalg.norm(reference.embedding, axis=1), 1e-12)
    apart = np.linalg.norm(found.embedding - reference.embedding, axis=1) / length
    worst = [float(np.nan_to_num(each, nan=np.inf).max(initial=0.0)) for each in (probs, apart)]
    spread = np.sqrt(((reference.embedding - reference.embedding.mean(axis=0)) ** 2).mean())
    moved = np.sqrt(((found.embedding - reference.embedding) ** 2).mean())
    noise = float(np.nan_to_num(moved / max(spread, 1e-12), nan=np.inf))
    return Parity(worst[0], worst[1], len(found.logits), noise)
