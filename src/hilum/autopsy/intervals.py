"""The intervals that a reader should have been shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from hilum.autopsy.against_matrix import turned
from hilum.autopsy.collapse import kappa_interval
from hilum.autopsy.granularity import Share, shares_of
from hilum.autopsy.values import Case, Finding
from hilum.evaluation import metrics
from hilum.evaluation.intervals import exact_interval, wilson_interval

WIDE = 0.05
"""Half-width from which an interval is worth a sentence: 5 points."""

TOO_NARROW = 0.7
"""A printed interval narrower than this share of Wilson's is not one of that many images."""


def find_intervals(case: Case, rows_are: tuple[str, ...], matrix: np.ndarray | None = None) -> Iterator[Finding]:
    """`intervals` (note), `narrow-interval` (suspicious).

    Args:
        matrix: one that was reconstructed, rows true.
    """
    rows = [row for share in shares_of(case) if (row := _of_share(share))]
    if case.matrix is not None or matrix is not None:
        confusion = turned(case, rows_are[0]) if matrix is None else matrix
        rows += [row for row in _of_matrix(case, confusion, matrix is not None) if row["figure"] not in _names(rows)]
    if rows:
        first = rows[0]
        wide = " and ".join(f"{row['figure']} lies between {row['low']} and {row['high']}" for row in rows[:1])
        sentence = (
            f"With 95 % confidence {wide} (Wilson; exact {first['exact_low']} to {first['exact_high']}): "
            f"{first['k']} of "
            f"{first['n']:,} images, taken as independent."
        )
        yield Finding(
            "intervals", "note", "Intervals that belong beside the figures", sentence, case.title, tuple(rows)
        )
    yield from _narrow(case)


def _names(rows: list[dict[str, Any]]) -> set[str]:
    return {row["figure"] for row in rows}


def _of_share(share: Share) -> dict[str, Any] | None:
    whole = share.printed.whole(share.n, "rounded") if share.n else range(0)
    if not share.n or not len(whole) or share.figure.interval:
        return None
    k = f"{whole[0]:,}" if len(whole) == 1 else f"{whole[0]:,} to {whole[-1]:,}"
    return _row(share.figure.said, whole[0], whole[-1], k, share.n)


def _of_matrix(case: Case, confusion: np.ndarray, reconstructed: bool) -> Iterator[dict[str, Any]]:
    source = "reconstructed matrix" if reconstructed else "matrix"
    hits, n = int(np.trace(confusion)), int(confusion.sum())
    if n:
        yield _row(f"accuracy of the {source}", hits, hits, f"{hits:,}", n)
    for i, label in enumerate(case.classes):
        total = int(confusion[i].sum())
        if total:
            k = int(confusion[i, i])
            yield _row(f"{label} called so, by the {source}", k, k, f"{k:,}", total)
    if n and np.isfinite(metrics.kappa(confusion)):
        low, high = kappa_interval(confusion)
        yield {
            "figure": f"kappa of the {source}", "k": "", "n": n, "value": float(metrics.kappa(confusion)),
            "ends": (low, high), "low": f"{low:.2f}", "high": f"{high:.2f}", "exact_low": "", "exact_high": "",
        }  # fmt: skip


def _row(name: str, lowest: int, highest: int, k: str, n: int) -> dict[str, Any]:
    low, high = wilson_interval(lowest / n, n).low, wilson_interval(highest / n, n).high
    exact = exact_interval(lowest, n).low, exact_interval(highest, n).high
    words = [f"{100 * end:.1f} %" for end in (max(0.0, low), min(1.0, high), *exact)]
    return {
        "figure": name,
        "k": k,
        "n": n,
        "value": (lowest + highest) / 2 / n,
        "ends": (max(0.0, low), min(1.0, high)),
        **dict(zip(("low", "high", "exact_low", "exact_high"), words, strict=True)),
    }


def _narrow(case: Case) -> Iterator[Finding]:
    for share in shares_of(case):
        if not share.n or not share.figure.interval:
            continue
        low, high = (end.value for end in share.figure.interval)
        wilson = wilson_interval(share.printed.value, share.n)
        step = sum(end.step for end in share.figure.interval)
        if high - low + step < TOO_NARROW * (wilson.high - wilson.low):
            sentence = (
                f"The interval of {share.figure.said}, {share.figure.interval[0].text} to "
                f"{share.figure.interval[1].text}, is "
                f"{(high - low) / (wilson.high - wilson.low):.2f} times as wide as that of {share.n:,} "
                "independent images, "
                f"{100 * wilson.low:.1f} to {100 * wilson.high:.1f} %; it would take about "
                f"{share.n * ((wilson.high - wilson.low) / max(high - low, 1e-6)) ** 2:,.0f} images."
            )
            yield Finding(
                "narrow-interval", "suspicious", "An interval too narrow for its images", sentence, case.title
            )


def interval_rows(findings: tuple[Finding, ...]) -> list[tuple[str, Mapping[str, Any]]]:
    """All rows of the `intervals` findings with the place they are of."""
    return [(each.where, row) for each in findings if each.code == "intervals" for row in each.table]
