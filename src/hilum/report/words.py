"""Numbers and names as a person reads them: rounded to what their interval supports, units in words."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from datetime import datetime, timedelta

from hilum.evaluation.values import Estimate

NO_BREAK = "\u00a0"
NOT_DEFINED = "not defined"
DECIMALS_OF_A_SHARE = (2, 4)
SHARES = frozenset(
    {
        "accuracy",
        "balanced_accuracy",
        "sensitivity",
        "specificity",
        "ppv",
        "npv",
        "sensitivity_macro",
        "specificity_macro",
    }
)
"""Figures that are shares of images or means of such, and read best in per cent."""
DIRECTION_MARKS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def supported_decimals(low: float, high: float, bounds: tuple[int, int] = DECIMALS_OF_A_SHARE) -> int:
    """Decimals after which a figure with this interval says nothing: the first digit of half the interval's width.

    Args:
        low, high: ends of the interval; with NaN ends or no width the fewest decimals are given.
        bounds: fewest and most decimals.
    """
    half = (high - low) / 2
    if not math.isfinite(half) or half <= 0:
        return bounds[0]
    return min(max(math.ceil(-math.log10(half) - 1e-9), bounds[0]), bounds[1])


def render_estimate(estimate: Estimate, *, percent: bool = False) -> str:
    """`0.93 [0.91, 0.95]`, or with `percent` `93 % [91, 95]`; `not defined` for NaN."""
    return " ".join(
        part for part in (render_value(estimate, percent=percent), render_interval(estimate, percent=percent)) if part
    )


def render_value(estimate: Estimate, *, percent: bool = False) -> str:
    """The figure alone, rounded to what its interval supports."""
    if not math.isfinite(estimate.value):
        return NOT_DEFINED
    decimals = supported_decimals(estimate.ci_low, estimate.ci_high)
    if percent:
        return f"{100 * estimate.value:.{decimals - 2}f}{NO_BREAK}%"
    return f"{estimate.value:.{decimals}f}"


def render_interval(estimate: Estimate, *, percent: bool = False) -> str:
    """`[0.91, 0.95]`, or with `percent` `[91, 95]`; nothing where there is no interval."""
    if not all(map(math.isfinite, (estimate.value, estimate.ci_low, estimate.ci_high))):
        return ""
    decimals = supported_decimals(estimate.ci_low, estimate.ci_high) - (2 if percent else 0)
    scale = 100 if percent else 1
    return f"[{scale * estimate.ci_low:.{decimals}f},{NO_BREAK}{scale * estimate.ci_high:.{decimals}f}]"


def render_difference(estimate: Estimate, *, points: bool = False) -> str:
    """`+0.012 [-0.003, 0.027]`, or with `points` percentage points, `+1.2 [-0.3, 2.7]`."""
    if not math.isfinite(estimate.value):
        return NOT_DEFINED
    decimals = supported_decimals(estimate.ci_low, estimate.ci_high, (2, 4)) + 1 - (2 if points else 0)
    scale = 100 if points else 1
    low, high = (f"{scale * end:.{decimals}f}".replace("-", "\u2212") for end in (estimate.ci_low, estimate.ci_high))
    value = f"{scale * estimate.value:+.{decimals}f}".replace("-", "\u2212")
    return f"{value} [{low},{NO_BREAK}{high}]"


def render_p(p: float) -> str:
    """A p-value: two digits, `< 0.001` below that."""
    if not math.isfinite(p):
        return NOT_DEFINED
    return "< 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def render_percent(share: float, *, of: int | None = None) -> str:
    """`88 %`; one decimal only when it is a share of 1,000 or more.

    Args:
        share: in [0, 1].
        of: the denominator, where known.
    """
    if not math.isfinite(share):
        return NOT_DEFINED
    decimals = 1 if of is not None and of >= 1000 else 0
    return f"{100 * share:.{decimals}f}{NO_BREAK}%"


def render_count(count: int, noun: str = "", plural: str = "") -> str:
    """`1,234 images`, `1 image`, `no images`."""
    if not noun:
        return f"{count:,}"
    many = plural or (noun[:-1] + "ies" if noun.endswith("y") else noun + ("es" if noun.endswith(("s", "ss")) else "s"))
    return f"{f'{count:,}' if count else 'no'}{NO_BREAK}{noun if count == 1 else many}"


def render_duration(seconds: float) -> str:
    """`0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`."""
    if not math.isfinite(seconds):
        return NOT_DEFINED
    if seconds < 9.95:
        return f"{seconds:.1f}{NO_BREAK}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}{NO_BREAK}s"
    if whole < 3600:
        return _two_units(whole, 60, "min", "s")
    return _two_units(round(whole / 60), 60, "h", "min")


def _two_units(amount: int, base: int, large: str, small: str) -> str:
    rest = f" {amount % base}{NO_BREAK}{small}" if amount % base else ""
    return f"{amount // base}{NO_BREAK}{large}{rest}"


def render_time(iso: str) -> str:
    """An ISO time as `20 November 2025, 18:11`; what is no ISO time stays as it is."""
    try:
        moment = datetime.fromisoformat(iso)
    except ValueError:
        return iso
    zone = " UTC" if moment.utcoffset() == timedelta(0) else ""
    return f"{moment.day} {moment:%B %Y, %H:%M}{zone}"


def render_times(count: int) -> str:
    """`never`, `once`, `twice`, `3 times`."""
    return {0: "never", 1: "once", 2: "twice"}.get(count, f"{count:,} times")


def render_metric(name: str) -> str:
    """The name of a metric as it is printed: `AUROC`, `balanced accuracy`."""
    capitals = {"auroc": "AUROC", "auprc": "AUPRC", "ppv": "PPV", "npv": "NPV", "f1": "F1", "ece": "ECE"}
    others = {"brier": "Brier score", "kappa": "Cohen's kappa"}
    stem = name.removesuffix("_macro")
    return capitals.get(stem) or others.get(stem) or stem.replace("_", " ")


def join_words(words: Sequence[str], last: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def capitalise(sentence: str) -> str:
    """The first letter large, the others as they are."""
    return sentence[:1].upper() + sentence[1:]


def end_sentence(text: str) -> str:
    """A text that surely ends with a full stop, and starts with a large letter."""
    text = capitalise(text.strip())
    return text if not text or text.endswith((".", "!", "?")) else text + "."


def make_visible(text: str) -> str:
    """A name without characters that break or reorder it: controls, direction marks, lone surrogates are escaped."""
    if text.isprintable():
        return text
    return "".join(f"\\u{ord(each):04x}" if _misleads(each) else each for each in text)


def _misleads(character: str) -> bool:
    if character in "\n\t":
        return False
    return unicodedata.category(character) in {"Cc", "Cs"} or character in DIRECTION_MARKS


def shorten(text: str, length: int) -> str:
    """At most `length` characters, the middle left out: names differ at their ends."""
    if len(text) <= length:
        return text
    tail = (length - 1) // 2
    return f"{text[: length - 1 - tail]}…{text[-tail:] if tail else ''}"
