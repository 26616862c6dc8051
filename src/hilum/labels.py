"""Class names and their order, keyed by name everywhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from hilum.errors import DataError

NORMAL_NAMES = frozenset({"normal", "healthy", "no finding", "no_finding", "nofinding", "negative", "none", "control"})


@dataclass(frozen=True)
class LabelSet:
    """The classes of a task, in the order of every probability vector.

    Args:
        names: distinct class names, at least two.

    Raises:
        DataError: fewer than two names, or a name twice.
    """

    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(set(self.names)) != len(self.names):
            raise DataError("class names", expected="every name once", found=", ".join(self.names))
        if len(self.names) < 2:
            raise DataError(
                "class names",
                expected="at least two classes",
                found=f"only {', '.join(self.names) or 'none'}",
                way_out="Give a folder with one sub-folder a class, or a manifest with a `label` column.",
            )

    @classmethod
    def of(cls, labels: Iterable[str]) -> LabelSet:
        """The label set of some labels: the normal class first, the others in alphabetical order."""
        return cls(tuple(sorted(set(labels), key=lambda name: (not is_normal(name), name.casefold(), name))))

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self):
        return iter(self.names)

    def index(self, name: str) -> int:
        """Position of a class in every probability vector."""
        try:
            return self.names.index(name)
        except ValueError:
            raise DataError(f"label {name!r}", expected=f"one of {', '.join(self.names)}") from None

    def encode(self, labels: Sequence[str]) -> np.ndarray:
        """Names -> int64 `[N]` positions."""
        positions = {name: position for position, name in enumerate(self.names)}
        try:
            return np.array([positions[label] for label in labels], dtype=np.int64)
        except KeyError as error:
            raise DataError(f"label {error.args[0]!r}", expected=f"one of {', '.join(self.names)}") from None

    @property
    def is_binary(self) -> bool:
        return len(self.names) == 2

    @property
    def positive(self) -> str:
        """The class whose probability a binary figure is about: the one that is not normal, else the second."""
        return next((name for name in reversed(self.names) if not is_normal(name)), self.names[-1])


def is_normal(name: str) -> bool:
    """Whether a class name says that nothing was found."""
    return name.strip().casefold() in NORMAL_NAMES
