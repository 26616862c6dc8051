"""Numbers as the sentences of an autopsy say them."""

from __future__ import annotations

from collections.abc import Sequence


def of(k: int, n: int, digits: int = 2) -> str:
    """`349 of 624, 55.93 %`."""
    return f"{k:,} of {n:,}, {100 * k / n:.{digits}f} %" if n else f"{k:,} of none"


def join(words: Sequence[str], last: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    return f"{', '.join(words[:-1])} {last} {words[-1]}" if len(words) > 1 else "".join(words)


def count(number: int, noun: str) -> str:
    """`1 image`, `1,234 images`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def listed(numbers: Sequence[int], most: int = 5) -> str:
    """`253, 348 and 506`, or the first few and how many more."""
    if len(numbers) <= most:
        return join([f"{each:,}" for each in numbers])
    return f"{', '.join(f'{each:,}' for each in numbers[:most])} and {len(numbers) - most:,} more"
