"""What a verification found: values, and the book that collects them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from hilum.errors import HilumError

SCHEMA = "hilum.verification/1"
LONGEST = 120
T = TypeVar("T")


@dataclass(frozen=True)
class Difference:
    """One thing that is not what it should be.

    Args:
        file: relative to the folder that was verified, or below the data root.
        where: the number, row, line or property.
        expected, found: in words.
    """

    file: str
    where: str
    expected: str
    found: str

    @property
    def sentence(self) -> str:
        """One line."""
        place = f"{self.file}: {self.where}" if self.where else self.file
        return f"{place}: expected {self.expected}, found {self.found}"


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Args:
        compared: numbers, texts and files that were compared with a second source.
        differences: how many were not what they should be.
    """

    name: str
    compared: int
    differences: int
    seconds: float


@dataclass(frozen=True)
class Verification:
    """What a folder came to.

    Args:
        folder: what was verified.
        kind: `study`, `runs` (of `hilum train`, `hilum tune`, an audit) or `evaluation`.
        differences: empty where all is well.
        unchecked: sentences on what could not be looked at, and why.
        notes: sentences on what is worth knowing and no fault.
        checks: what was looked at, in order.
    """

    folder: Path
    kind: str
    differences: tuple[Difference, ...] = ()
    unchecked: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether nothing differs; what could not be checked does not count against it."""
        return not self.differences

    @property
    def compared(self) -> int:
        """How many numbers, texts and files were compared."""
        return sum(check.compared for check in self.checks)

    @property
    def headline(self) -> str:
        """One sentence."""
        if self.passed:
            start = f"{self.folder.name}: {self.compared:,} numbers, texts and files are what they should be"
            return f"{start}; {len(self.unchecked)} things could not be checked." if self.unchecked else f"{start}."
        files = list(dict.fromkeys(each.file for each in self.differences))
        more = f" and {len(files) - 3} more" if len(files) > 3 else ""
        count = len(self.differences)
        things = "1 thing differs" if count == 1 else f"{count} things differ"
        return f"{self.folder.name}: {things}, in {', '.join(files[:3])}{more}."

    def to_json(self) -> dict[str, Any]:
        """A JSON document."""
        about = {"schema": SCHEMA, "folder": str(self.folder), "kind": self.kind, "passed": self.passed}
        lists = {name: list(getattr(self, name)) for name in ("unchecked", "notes")}
        values = {name: [asdict(each) for each in getattr(self, name)] for name in ("differences", "checks")}
        return {**about, "compared": self.compared, **values, **lists}

    def _repr_html_(self) -> str:
        import html

        rows = "".join(f"<li>{html.escape(each.sentence)}</li>" for each in self.differences[:20])
        return f"<p>{html.escape(self.headline)}</p><ul>{rows}</ul>"


@dataclass
class Book:
    """Collects what checks find.

    Args:
        same_build: the folder was written by these very sources; else words and drawings may differ without fault, and
            only numbers are held against it.
        memory: results by a digest of everything that they depend on; a caller that verifies many copies of one folder
            shares it between them.
        intact: files that are as they were sealed.
    """

    same_build: bool = True
    memory: MutableMapping[Any, Any] = field(default_factory=dict)
    intact: frozenset[str] = frozenset()
    differences: list[Difference] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    compared: int = 0
    last_digits: int = 0
    other_words: dict[str, int] = field(default_factory=dict)

    def differ(self, file: str, where: str, expected: Any, found: Any) -> None:
        """Something that is not what it should be."""
        self.differences.append(Difference(file, where, _shown(expected), _shown(found)))

    def expect(self, file: str, where: str, expected: Any, found: Any) -> bool:
        """Compares two values; returns whether they are the same."""
        self.compared += 1
        if expected != found:
            self.differ(file, where, expected, found)
        return bool(expected == found)

    def words_differ(self, file: str, where: str, expected: Any, found: Any) -> None:
        """A text, a drawing or the end of an interval, which another build may make in another way."""
        if self.same_build:
            self.differ(file, where, expected, found)
        else:
            self.other_words[file] = self.other_words.get(file, 0) + 1

    def skip(self, sentence: str) -> None:
        """Something that cannot be looked at."""
        if sentence not in self.unchecked:
            self.unchecked.append(sentence)

    def note(self, sentence: str) -> None:
        """Something worth knowing."""
        if sentence not in self.notes:
            self.notes.append(sentence)

    def recall(self, key: Any, compute: Callable[[], T]) -> T:
        """A result, made once for each key."""
        if key not in self.memory:
            self.memory[key] = compute()
        return self.memory[key]

    @contextmanager
    def check(self, name: str, file: str) -> Iterator[None]:
        """One check; whatever it stumbles over is a difference of `file`, and the next check goes on."""
        began, compared, found = time.monotonic(), self.compared, len(self.differences)
        try:
            yield
        except HilumError as error:
            self.differ(file, name, error.expected or "a file that can be read", error.found or str(error))
        except Exception as error:  # an altered file may break its reader in any way
            words = " ".join(str(error).split())[:LONGEST]
            self.differ(file, name, "what hilum wrote", f"what cannot be read: {type(error).__name__}: {words}")
        seconds = round(time.monotonic() - began, 2)
        self.checks.append(Check(name, self.compared - compared, len(self.differences) - found, seconds))

    def close(self, folder: Path, kind: str) -> Verification:
        """Everything as one value."""
        if self.last_digits:
            self.note(
                f"{self.last_digits} numbers differ after the ninth digit only, as another machine's arithmetic does."
            )
        if self.other_words:
            files = ", ".join(list(self.other_words)[:4]) + (" and others" if len(self.other_words) > 4 else "")
            self.skip(
                "Another build of hilum wrote this folder: numbers were compared; words, drawings and ends of "
                f"intervals that differ ({files}) were not."
            )
        unique = tuple(dict.fromkeys(self.differences))
        return Verification(folder, kind, unique, tuple(self.unchecked), tuple(self.notes), tuple(self.checks))


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    text = value if isinstance(value, str) else repr(value) if not isinstance(value, Mapping) else str(dict(value))
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
