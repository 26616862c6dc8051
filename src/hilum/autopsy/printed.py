"""A printed number: which true values it can stand for."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

Rule = Literal["rounded", "cut off", "rounded twice", "any"]

SINGLE: tuple[Rule, ...] = ("rounded", "cut off", "rounded twice")
"""Rules that a report may follow; with the first two alone it is as it should be."""

REACH: dict[Rule, tuple[float, float]] = {
    "rounded": (-0.5, 0.5),
    "cut off": (0.0, 1.0),
    "rounded twice": (-5 / 9, 5 / 9),
    "any": (-5 / 9, 1.0),
}
"""How far the true value may lie from the printed one, in units of its last digit. Both ends belong to it, so that half
up, half even and half down are all allowed. Rounded twice: 0.8445 from 0.84448, then 0.845."""

SLACK = 1e-9
"""For floating-point arithmetic, theirs and ours."""

_NUMBER = r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[-+]?\d+)?"
_EXACT = re.compile(rf"(?P<value>{_NUMBER})\s*(?P<percent>%)?", re.IGNORECASE)
_RANGE = re.compile(
    rf"(?P<low>{_NUMBER})\s*%?\s*(?:-|–|to|\.\.)\s*(?P<high>{_NUMBER})\s*(?P<percent>%)?", re.IGNORECASE
)
_VAGUE = re.compile(r"(about|around|roughly|approximately|approx\.?|ca\.?|circa|~|≈)\s*", re.IGNORECASE)
_BEYOND = {">": "above", ">=": "above", "≥": "above", "over": "above", "<": "below", "<=": "below", "≤": "below"}
_RELATION = re.compile(r"(>=|<=|>|<|≥|≤|over)\s*", re.IGNORECASE)
_FRACTION = re.compile(r"(\d{1,9})\s*/\s*(\d{1,9})")
FINE = 1e-6
"""Step of a share that is printed as k/n: it says its value exactly."""
_SPREAD = re.compile(rf"\s*(?:±|\+/-|\+-)\s*{_NUMBER}\s*%?", re.IGNORECASE)


@dataclass(frozen=True)
class Printed:
    """A number as a report prints it.

    Args:
        text: as it stands there.
        value: a share in [0, 1] where it is one, else the number itself.
        step: worth of one unit of its last digit, on the scale of `value`.
        percent: printed in per cent.
        last: upper end of a printed range (`80-82`), else None.
        vague: `about`, `above`, `below`, or empty.
        spread: a `±` stood behind it, so it is a mean over repetitions.
        fraction: k and n, where it is printed as `k/n`.
    """

    text: str
    value: float
    step: float
    percent: bool = False
    last: float | None = None
    vague: str = ""
    spread: bool = False
    fraction: tuple[int, int] | None = None

    @property
    def exact(self) -> bool:
        """A single number, printed without `about`, `>` or a range."""
        return self.last is None and not self.vague

    def bounds(self, rule: Rule = "any") -> tuple[float, float]:
        """Between which values the true one lies, ends included."""
        low, high = REACH[rule]
        if self.value < 0:  # cutting off goes towards zero
            low, high = -high, -low
        if self.vague == "about":
            low, high = -1.5, 1.5
        ends = self.value + low * self.step, (self.value if self.last is None else self.last) + high * self.step
        if self.vague == "above":
            return ends[0] - SLACK, max(1.0, ends[1])
        if self.vague == "below":
            return min(0.0, ends[0]), ends[1] + SLACK
        return ends[0] - SLACK, ends[1] + SLACK

    def holds(self, value: float, rule: Rule = "any") -> bool:
        """Whether a true value may be printed so."""
        low, high = self.bounds(rule)
        return low <= value <= high

    def meets(self, other: Printed, rule: Rule = "any") -> bool:
        """Whether both may stand for one value."""
        mine, theirs = self.bounds(rule), other.bounds(rule)
        return mine[0] <= theirs[1] and theirs[0] <= mine[1]

    def mirrored(self) -> Printed:
        """One minus it: an error rate as an accuracy."""
        last = None if self.last is None else 1 - self.value
        flipped = {"above": "below", "below": "above"}.get(self.vague, self.vague)
        return replace(self, value=1 - (self.value if self.last is None else self.last), last=last, vague=flipped)

    def whole(self, n: int, rule: Rule = "any") -> range:
        """Which k make k of n be printed so; k in [0, n]."""
        low, high = self.bounds(rule)
        return range(max(0, -int(-low * n // 1)), min(n, int(high * n // 1)) + 1)

    def show(self, share: float, *, more: int = 1) -> str:
        """A true value in the same unit, with `more` digits than are printed."""
        digits = max(0, self.decimals + more)
        return f"{100 * share:.{digits}f} %" if self.percent else f"{share:.{digits}f}"

    @property
    def decimals(self) -> int:
        """Digits behind the point, as printed."""
        step = self.step * (100 if self.percent else 1)
        return max(0, -Decimal(repr(step)).normalize().adjusted()) if step < 1 else 0


def read_printed(text: Any, *, share: bool = True) -> Printed | None:
    """A printed number from text or a JSON number; None where it is none.

    Args:
        text: `86.7`, `86.70 %`, `0.867`, `541/624`, `about 87 %`, `80-82 %`, `> 0.80`, `86.7 ± 1.2`; Decimal keeps
            trailing zeros.
        share: it is a share or a figure in [-1, 1]: per cent where it says so, or is larger than 1.
    """
    if isinstance(text, bool) or text is None:
        return None
    words = str(text).strip().replace("−", "-").replace("\u00a0", " ")
    if fraction := _FRACTION.fullmatch(words):
        return _read_fraction(words, int(fraction[1]), int(fraction[2]))
    bare, vague = _VAGUE.sub("", words), "about" if _VAGUE.match(words) else ""
    if relation := _RELATION.match(bare):
        vague, bare = _BEYOND[relation[1].lower()], bare[relation.end() :]
    without = _SPREAD.sub("", bare)
    if "%" in bare and "%" not in without:
        without += " %"
    found = _EXACT.fullmatch(without.strip()) or _RANGE.fullmatch(without.strip())
    if not found:
        return None
    parts = found.groupdict()
    try:
        numbers = [Decimal(parts[name]) for name in ("value", "low", "high") if parts.get(name)]
    except InvalidOperation:
        return None
    step = Decimal(1).scaleb(int(min(number.as_tuple().exponent for number in numbers)))
    percent = share and (bool(parts["percent"]) or max(map(abs, numbers)) > 1)
    scale = 100 if percent else 1
    last = float(numbers[1] / scale) if len(numbers) > 1 else None
    spread = without != bare
    return Printed(words, float(numbers[0] / scale), float(step / scale), percent, last, vague, spread)


def _read_fraction(text: str, k: int, n: int) -> Printed | None:
    return Printed(text, k / n, FINE, fraction=(k, n)) if 0 <= k <= n and n > 0 else None
