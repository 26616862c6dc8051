"""Two ways of the same work, timed in turns in one process, so that a noisy machine is noisy to both."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class Row:
    """One line of the table.

    Args:
        work: what is done, in words.
        usual, ours: the two ways, in words.
        unit: what is counted a second, `images` unless said otherwise.
        usual_rate, our_rate: per second, one figure a repeat; both have as many.
        aim: the ratio that should be reached, None where there is none.
        same: how it was seen that both ways give the same, with the figure.
        note: what else must be known, such as that a part was timed and multiplied.
    """

    work: str
    usual: str
    ours: str
    unit: str = "images"
    usual_rate: list[float] = field(default_factory=list)
    our_rate: list[float] = field(default_factory=list)
    aim: float | None = None
    same: str = ""
    note: str = ""

    @property
    def ratios(self) -> list[float]:
        """Ours over the usual way, one a repeat."""
        return [ours / usual for ours, usual in zip(self.our_rate, self.usual_rate, strict=True)]

    def to_json(self) -> dict[str, Any]:
        """Everything, and the ratio's median and range."""
        ratios = sorted(self.ratios)
        return {**asdict(self), "ratio": statistics.median(ratios), "ratio_range": [ratios[0], ratios[-1]]}


def time_in_turns(
    row: Row,
    usual: Callable[[], Any],
    ours: Callable[[], Any],
    *,
    count: float,
    our_count: float | None = None,
    repeats: int = 3,
    warm_up: bool = True,
) -> Row:
    """Fills in both rates.

    Args:
        usual, ours: one pass each.
        count: units of a usual pass; of ours too unless `our_count` says otherwise.
        repeats: passes of each, in turns.
        warm_up: run each once before.
    """
    if warm_up:
        usual(), ours()
    for _ in range(repeats):
        row.usual_rate.append(count / _seconds(usual))
        row.our_rate.append((our_count or count) / _seconds(ours))
    return row


def _seconds(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def render_table(rows: list[Row]) -> str:
    """Markdown: work, both rates (medians), ratio with its range, aim."""
    lines = [
        "| work | the usual way | hilum | ratio (lowest to highest) | aim | equal? |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        document = row.to_json()
        low, high = document["ratio_range"]
        rates = [f"{_short(statistics.median(rate))} {row.unit}/s" for rate in (row.usual_rate, row.our_rate)]
        aim = "" if row.aim is None else f"{row.aim:g}"
        note = f" ({row.note})" if row.note else ""
        lines.append(
            f"| {row.work}{note} | {row.usual}: {rates[0]} | {row.ours}: {rates[1]} | "
            f"{document['ratio']:.1f} ({low:.1f} to {high:.1f}) | {aim} | {row.same} |"
        )
    return "\n".join(lines)


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
