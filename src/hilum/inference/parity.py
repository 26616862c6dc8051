"""How far two engines differ on the same pictures, and how far they may."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hilum.inference.engine import Engine, Outputs, log_softmax

PROBABILITY = {"32": 1e-3, "bf16": 2e-2, "int8": 5e-2}
"""Largest difference in a probability, by the arithmetic."""

EMBEDDING = {"32": 1e-3, "bf16": 3e-2, "int8": 2e-1}
"""Largest distance of two embeddings of a picture, as a share of their length."""


@dataclass(frozen=True)
class Parity:
    """What differs between an engine and torch.

    Args:
        probability: largest difference in any probability.
        embedding: largest distance between two embeddings of an image, as a share of their length.
        images: how many were compared.
    """

    probability: float
    embedding: float
    images: int

    def holds(self, precision: str) -> bool:
        """Whether the differences are within those that are allowed for this arithmetic."""
        return self.probability <= PROBABILITY[precision] and self.embedding <= EMBEDDING[precision]

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
    return Parity(worst[0], worst[1], len(found.logits))
