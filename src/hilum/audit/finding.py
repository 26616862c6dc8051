"""What an audit finds, as frozen values that save themselves."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from hilum.errors import DataError
from hilum.evaluation.values import Estimate

SCHEMA = "hilum.audit/1"
MOST_FILES = 200
"""How many files a finding names at most; `count` says how many there are."""

Severity = Literal["error", "warning", "note"]
"""`error`: figures made from these data mean something else than they say; `warning`: a person should look before they
are believed; `note`: worth knowing, and nothing is wrong."""
SEVERITIES: tuple[Severity, ...] = get_args(Severity)


@dataclass(frozen=True)
class Finding:
    """One thing that was found, with its evidence and what to do about it.

    Args:
        code: fixed kebab-case word, explained in `docs/audit.md`.
        severity: see `Severity`.
        title: a few words.
        sentence: one plain sentence with the figures.
        way_out: what to do about it, a sentence.
        files: `image_path` values, the most telling first, at most `MOST_FILES`.
        groups: pictures that belong together (copies of one picture, the images of a patient).
        figures: what was measured, by name.
        table: rows for the page, plain values that JSON can hold.
        count: how many images, groups or columns it is about, however many are named.
    """

    code: str
    severity: Severity
    title: str
    sentence: str
    way_out: str
    files: tuple[str, ...] = ()
    groups: tuple[tuple[str, ...], ...] = ()
    figures: Mapping[str, Estimate] = field(default_factory=dict)
    table: tuple[Mapping[str, Any], ...] = ()
    count: int = 0

    def __post_init__(self) -> None:
        if self.severity not in SEVERITIES:
            raise DataError(f"finding {self.code}", expected=", ".join(SEVERITIES), found=str(self.severity))
        object.__setattr__(self, "files", tuple(self.files)[:MOST_FILES])
        object.__setattr__(self, "groups", tuple(map(tuple, self.groups))[:MOST_FILES])
        object.__setattr__(self, "table", tuple(self.table)[:MOST_FILES])

    def to_json(self) -> dict[str, Any]:
        """A JSON document; NaN becomes null, numpy numbers become plain ones."""
        return {
            "code": self.code,
            "severity": self.severity,
            "title": self.title,
            "sentence": self.sentence,
            "way_out": self.way_out,
            "count": int(self.count),
            "files": list(self.files),
            "groups": [list(group) for group in self.groups],
            "figures": {name: _plain(vars(estimate)) for name, estimate in self.figures.items()},
            "table": [_plain(row) for row in self.table],
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Finding:
        """The way back from `to_json`."""
        fields = dict(document)
        figures = {name: _estimate(value) for name, value in fields.pop("figures").items()}
        groups = tuple(map(tuple, fields.pop("groups")))
        return cls(**fields, figures=figures, groups=groups)


@dataclass(frozen=True)
class Audit:
    """All that was found, and what was looked at.

    Args:
        findings: errors first, then warnings, then notes; within a severity in the order of the audit's parts.
        facts: plain values: `images`, `patients`, `splits`, `classes`, `manifest` (fingerprint), `seed`, `hilum`,
            `parts` (a row a part: `name`, `seconds`, `findings`, and `failed`, a reason, where it could not be done).
    """

    findings: tuple[Finding, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "findings", in_order(self.findings))

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(each for each in self.findings if each.severity == "error")

    def of(self, code: str) -> tuple[Finding, ...]:
        """The findings with a code."""
        return tuple(each for each in self.findings if each.code == code)

    def counts(self) -> dict[str, int]:
        """How many findings of each severity, zeros included."""
        return {severity: sum(each.severity == severity for each in self.findings) for severity in SEVERITIES}

    def to_json(self) -> dict[str, Any]:
        """A JSON document."""
        findings = [finding.to_json() for finding in self.findings]
        return {"schema": SCHEMA, "facts": _plain(self.facts), "findings": findings}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Audit:
        """The way back from `to_json`.

        Raises:
            DataError: another schema.
        """
        if document.get("schema") != SCHEMA:
            raise DataError("audit", expected=SCHEMA, found=str(document.get("schema")))
        return cls(tuple(Finding.from_json(each) for each in document["findings"]), document["facts"])

    def write(self, path: Path) -> None:
        """Writes `audit.json`, beside and renamed into place."""
        partial = path.with_name(path.name + ".partial")
        text = json.dumps(self.to_json(), indent=1, ensure_ascii=False, allow_nan=False)
        partial.write_bytes(f"{text}\n".encode(errors="backslashreplace"))
        partial.replace(path)


def read_audit(path: Path) -> Audit:
    """Reads what `Audit.write` wrote.

    Raises:
        DataError: no such file, or not an audit.
    """
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
        return Audit.from_json(document)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        way_out = "Run `hilum audit` again."
        raise DataError(str(path), expected=f"a file of schema {SCHEMA}", found=str(error), way_out=way_out) from None


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Errors first, then warnings, then notes, each in the order in which they came."""
    return tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)))


def _estimate(document: Mapping[str, Any]) -> Estimate:
    ends = {name: math.nan if document[name] is None else document[name] for name in ("value", "ci_low", "ci_high")}
    return Estimate(**ends, k=document["k"], n=document["n"])


def _plain(value: Any) -> Any:
    """Numbers of numpy become plain, what is not finite becomes null, tuples become lists."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
