"""Numbers and lists in the sentences of findings."""

from __future__ import annotations

import math
from collections.abc import Sequence

from hilum.evaluation.values import Estimate


def counted(count: int, noun: str, plural: str = "") -> str:
    """`1 image`, `1,234 images`, `no image`."""
    many = plural or f"{noun}s"
    return f"{count:,} {noun if count == 1 else many}" if count else f"no {noun}"


def listed(words: Sequence[str], last: str = "and", most: int = 6) -> str:
    """`a`, `a and b`, `a, b and c`; of many the first, and how many more."""
    if len(words) > most:
        return f"{', '.join(words[:most])} {last} {len(words) - most:,} more"
    return f"{', '.join(words[:-1])} {last} {words[-1]}" if len(words) > 1 else "".join(words)


def percent(share: float) -> str:
    """`12 %`, `0.4 %`."""
    if not math.isfinite(share):
        return "an unknown share"
    return f"{100 * share:.1f} %" if 0 < share < 0.0995 else f"{100 * share:.0f} %"


def interval(estimate: Estimate, decimals: int = 2) -> str:
    """`0.93 [0.91, 0.95]`."""
    if not math.isfinite(estimate.ci_low):
        return f"{estimate.value:.{decimals}f}"
    return f"{estimate.value:.{decimals}f} [{estimate.ci_low:.{decimals}f}, {estimate.ci_high:.{decimals}f}]"
