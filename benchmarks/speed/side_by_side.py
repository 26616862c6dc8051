"""Two ways of the same work, timed in turns in one process, so that a noisy machine is noisy to both."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Iterator
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
        error: what went wrong, where the row could not be measured or the two ways differ.
        seconds: that measuring it took, preparation included.
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
    error: str = ""
    seconds: float = 0.0

    @property
    def ratios(self) -> list[float]:
        """Ours over the usual way, one a repeat."""
        return [ours / usual for ours, usual in zip(self.our_rate, self.usual_rate, strict=True)]

    def to_json(self) -> dict[str, Any]:
        """Everything, and the ratio's median and range, None without rates."""
        ratios = sorted(self.ratios)
        if not ratios:
            return {**asdict(self), "ratio": None, "ratio_range": None}
        return {**asdict(self), "ratio": statistics.median(ratios), "ratio_range": [ratios[0], ratios[-1]]}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Row:
        """The way back."""
        return cls(**{key: value for key, value in document.items() if key in cls.__dataclass_fields__})


Measure = Callable[[], "Row | list[Row]"]


def attempt(work: str, measure: Measure) -> list[Row]:
    """What `measure` gives, or a row that says why it gave nothing: the other rows go on."""
    began = time.perf_counter()
    try:
        found = measure()
    except Exception as error:  # whatever it is, it is a line of the table and the exit code
        return [failed(work, error, time.perf_counter() - began)]
    rows = found if isinstance(found, list) else [found]
    for row in rows:
        row.seconds = row.seconds or (time.perf_counter() - began) / len(rows)
    return rows


def failed(work: str, error: Exception, seconds: float = 0.0) -> Row:
    """A row of what went wrong: the error's first line, or the last of what a process said."""
    said = getattr(error, "stderr", None) or str(error) or type(error).__name__
    line = [each for each in str(said).splitlines() if each.strip()][-1].strip()
    return Row(work, "", "", error=f"{type(error).__name__}: {line}"[:300].replace("|", "/"), seconds=seconds)


def rows_of(name: str, group: Iterable[Row | Measure]) -> Iterator[Row]:
    """The rows of a group, each measured when it is asked for; an error ends its row and not the benchmark.

    Args:
        name: of the group.
        group: rows, or functions that give one or several. One that stops by itself with an error loses what would
            have come after.
    """
    items = iter(group)
    while True:
        began = time.perf_counter()
        try:
            item = next(items)
        except StopIteration:
            return
        except Exception as error:  # as in `attempt`
            yield failed(f"{name}, and what would have followed", error, time.perf_counter() - began)
            return
        if isinstance(item, Row):
            item.seconds = time.perf_counter() - began
            yield item
        else:
            yield from attempt(getattr(item, "work", name), item)


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


def time_all_in_turns(
    rows: dict[str, Row],
    usual: Callable[[], Any],
    ours: dict[str, Callable[[], Any]],
    *,
    count: float,
    repeats: int,
    inner: int = 1,
) -> None:
    """Fills in several rows that have the same usual way, which then takes one turn for all of them.

    Args:
        rows, ours: by the same names.
        count: units of one pass.
        inner: passes in a turn; what takes a millisecond is timed several times over.
    """
    for number in range(repeats + 1):  # the first turn warms up
        theirs = inner * count / _seconds(usual, inner)
        for name, row in rows.items():
            mine = inner * count / _seconds(ours[name], inner)
            if number:
                row.usual_rate.append(theirs)
                row.our_rate.append(mine)


def _seconds(work: Callable[[], Any], times: int = 1) -> float:
    began = time.perf_counter()
    for _ in range(times):
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
        if document["ratio"] is None:
            lines.append(f"| {row.work} | | | | | FAILED: {row.error} |")
            continue
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
