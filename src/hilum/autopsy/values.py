"""What is taken apart, and what is found, as frozen values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from hilum.autopsy.printed import Printed
from hilum.evaluation.values import without_nan

SCHEMA = "hilum.autopsy/1"
MOST_IMAGES = 2000
"""Up to which size samples are searched for where a report gives no size."""

Severity = Literal["impossible", "suspicious", "note"]
"""`impossible`: these numbers cannot all be true; `suspicious`: they can, but something went wrong more probably;
`note`: what the reader should have been told."""
SEVERITIES: tuple[Severity, ...] = get_args(Severity)

Matrix = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Sample:
    """Images that figures are of.

    Args:
        low, high: between which numbers their count lies; None where the report says nothing.
        counts: images of each class, in the order of the report's classes; empty where unknown.
    """

    low: int | None = None
    high: int | None = None
    counts: tuple[int, ...] = ()

    @property
    def n(self) -> int | None:
        """Their number, where it is known."""
        if self.counts:
            return sum(self.counts)
        return self.low if self.low == self.high else None

    @property
    def sizes(self) -> range:
        """Which numbers of images are possible."""
        return range(max(1, self.low or 1), (self.high or MOST_IMAGES) + 1)


@dataclass(frozen=True)
class Figure:
    """A printed figure with what its name means.

    Args:
        name: as printed.
        metric, over, sample: see `hilum.autopsy.names.Name`.
        interval: the two ends printed with it, or empty.
    """

    name: str
    metric: str
    over: str
    sample: str
    printed: Printed
    interval: tuple[Printed, ...] = ()

    @property
    def said(self) -> str:
        """Name and number, as a sentence says them."""
        return f"{self.name} {self.printed.text}"


@dataclass(frozen=True)
class Row:
    """A model, or a line of a table.

    Args:
        matrix: images by class and call, or None.
        sample: what the matrix is of.
        rows_are: `true`, `predicted`, or empty where the report does not say.
        averaged: figures are means over folds or seeds, so no share of whole images.
    """

    name: str
    figures: tuple[Figure, ...] = ()
    matrix: Matrix | None = None
    sample: str = ""
    rows_are: str = ""
    averaged: bool = False


@dataclass(frozen=True)
class Report:
    """All that was given, as it was understood.

    Args:
        classes: names in the order of the matrices and counts; empty where unknown.
        positive: the class that sensitivity and precision are of where nothing else is said; empty where unknown.
        binary: there are two classes for certain.
        samples: by name; the empty name is what no name was given for.
        ignored: pieces that were not understood.
    """

    name: str
    classes: tuple[str, ...] = ()
    positive: str = ""
    binary: bool = False
    samples: Mapping[str, Sample] = field(default_factory=dict)
    rows: tuple[Row, ...] = ()
    ignored: tuple[str, ...] = ()

    def sample(self, name: str) -> Sample:
        """The named sample; figures without a sample's name are of the only one that is described."""
        if name in self.samples:
            return self.samples[name]
        if name in ("", "test") and "" in self.samples:
            return self.samples[""]
        only = list(self.samples.values())
        return only[0] if name == "" and len(only) == 1 else Sample()

    def cases(self) -> Iterator[Case]:
        """Every row once for each sample that it has figures of."""
        for row in self.rows:
            names = dict.fromkeys([*([row.sample] if row.matrix else []), *(each.sample for each in row.figures)])
            for name in names:
                figures = tuple(each for each in row.figures if each.sample == name)
                matrix = row.matrix if row.sample == name else None
                yield Case(self, row, name, self.sample(name), figures, matrix)


@dataclass(frozen=True)
class Case:
    """Figures of one row on one sample, with the matrix where it is of that sample."""

    report: Report
    row: Row
    sample_name: str
    sample: Sample
    figures: tuple[Figure, ...]
    matrix: Matrix | None

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes; `class 1` and so on where the report has none."""
        known = len(self.matrix) if self.matrix else len(self.sample.counts)
        if self.report.classes and (not known or known == len(self.report.classes)):
            return self.report.classes
        return tuple(f"class {i + 1}" for i in range(known))

    @property
    def binary(self) -> bool:
        """There are two classes for certain."""
        return self.report.binary or len(self.classes) == 2

    @property
    def size(self) -> int | None:
        """Number of images, of the sample or else of the matrix."""
        return self.sample.n or (sum(map(sum, self.matrix)) if self.matrix else None)

    @property
    def title(self) -> str:
        """What a sentence calls it."""
        parts = [self.row.name, {"val": "validation"}.get(self.sample_name, self.sample_name)]
        return ", ".join(part for part in parts if part)

    def find(self, metric: str) -> tuple[Figure, ...]:
        """The figures of a kind."""
        return tuple(each for each in self.figures if each.metric == metric)


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    Args:
        code: fixed kebab-case word, explained in `docs/autopsy.md`.
        severity: see `Severity`.
        title: a few words.
        sentence: one plain sentence with the arithmetic.
        where: row and sample, as printed; empty where it is about the whole report.
        table: rows for the page, plain values that JSON can hold.
    """

    code: str
    severity: Severity
    title: str
    sentence: str
    where: str = ""
    table: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class Autopsy:
    """All that was found in a report.

    Args:
        findings: the impossible first, then the suspicious, then notes.
        understood: what was read, a line each: echoed, so that a misreading is seen.
    """

    report: Report
    findings: tuple[Finding, ...] = ()
    understood: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "findings", in_order(self.findings))

    @property
    def impossible(self) -> tuple[Finding, ...]:
        """What cannot be true."""
        return tuple(each for each in self.findings if each.severity == "impossible")

    def of(self, code: str) -> tuple[Finding, ...]:
        """The findings with a code."""
        return tuple(each for each in self.findings if each.code == code)

    def counts(self) -> dict[str, int]:
        """How many findings of each severity, zeros included."""
        return {severity: sum(each.severity == severity for each in self.findings) for severity in SEVERITIES}

    def to_json(self) -> dict[str, Any]:
        """A JSON document."""
        return without_nan(
            {
                "schema": SCHEMA,
                "name": self.report.name,
                "can_be_true": not self.impossible,
                "counts": self.counts(),
                "understood": list(self.understood),
                "not_understood": list(self.report.ignored),
                "findings": [asdict(each) for each in self.findings],
            }
        )


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """By severity; within one in the order in which they came, and none twice."""
    unique: dict[tuple[str, str, str], Finding] = {}
    for each in findings:
        unique.setdefault((each.code, each.where, each.sentence), each)
    return tuple(sorted(unique.values(), key=lambda each: SEVERITIES.index(each.severity)))
