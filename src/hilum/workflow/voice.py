"""How a study speaks while it works: a line a stage, a bar for what takes long. Silent unless told otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Bar(Protocol):
    """Progress of one stage."""

    def __call__(self, done: int, total: int, words: str = "") -> None:
        """Shows that `done` of `total` are done."""


class Voice(Protocol):
    """What a study tells its user."""

    def say(self, line: str) -> None:
        """One line that stays."""

    def warn(self, sentence: str) -> None:
        """One sentence that the user should read."""

    def stage(self, name: str) -> AbstractContextManager[Bar]:
        """A context manager around a stage; gives a Bar."""


class Silent:
    """Says nothing."""

    def say(self, line: str) -> None:
        pass

    def warn(self, sentence: str) -> None:
        pass

    @contextmanager
    def stage(self, name: str) -> Iterator[Bar]:
        yield lambda done, total, words="": None
