"""Rows beside each other: equal to the digit, ranked without reason, far apart between samples."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations

from hilum.autopsy.granularity import Share, shares_of
from hilum.autopsy.values import Case, Figure, Finding, Report
from hilum.autopsy.wording import count, join, of
from hilum.evaluation.intervals import wilson_interval

MANY_VALUES = 1000
"""How many rows must be possible for two equal ones to be suspicious, of models that differ by 10 points at most."""

NEIGHBOURHOOD = 0.10
FAR, SIGNIFICANCE = 0.05, 0.05


def find_across(report: Report, cases: Sequence[Case]) -> Iterator[Finding]:
    """Everything of this module."""
    yield from _equal_rows(cases)
    yield from _ranking(cases)
    yield from _gaps(cases)
    samples = {each.sample for row in report.rows for each in row.figures if each.metric != "other"}
    if samples <= {"val", "train"} and "val" in samples:
        sentence = (
            "All figures are of training and validation images: what is chosen by them looks better on them than it is."
        )
        yield Finding("no-test", "note", "No test figures", sentence)


def _equal_rows(cases: Sequence[Case]) -> Iterator[Finding]:
    """`equal-rows` (suspicious): two rows that agree in every figure they share, and in more than chance explains."""
    for one, other in combinations(cases, 2):
        if one.row is other.row or one.sample_name != other.sample_name:
            continue
        if one.matrix is not None and one.matrix == other.matrix:
            sentence = (
                f"{one.title} and {other.title} have the same matrix in every cell, "
                f"{[list(row) for row in one.matrix]}."
            )
            yield Finding("equal-rows", "suspicious", "Two rows equal to the digit", sentence)
            continue
        shared = _shared(one, other)
        if not shared or any(a.printed.text != b.printed.text for a, b in shared):
            continue
        possible = _possible(one, [a for a, _ in shared])
        if len(shared) > 1 and possible >= MANY_VALUES:
            listed = join([a.said for a, _ in shared])
            sentence = (
                f"{one.title} and {other.title} are equal to the digit in {listed}; among models within "
                f"{100 * NEIGHBOURHOOD:.0f} points of each other that happens about once in "
                f"{_round(possible):,} times by chance."
            )
            yield Finding("equal-rows", "suspicious", "Two rows equal to the digit", sentence)


def _shared(one: Case, other: Case) -> list[tuple[Figure, Figure]]:
    def merit(case: Case) -> dict[tuple[str, str], Figure]:
        return {(each.metric, each.over): each for each in case.figures if each.metric != "other"}

    mine, theirs = merit(one), merit(other)
    return [(mine[key], theirs[key]) for key in mine if key in theirs]


def _possible(case: Case, figures: Sequence[Figure]) -> float:
    """How many rows models in a neighbourhood of 10 points could have.

    Counted are the recalls of the classes, or else the accuracy: the others follow from those so closely that all
    of them together count as five values.
    """
    steps = {share.figure: max(share.printed.step, 1 / share.n if share.n else 0.0) for share in shares_of(case)}
    recalls = [each for each in figures if each in steps and each.metric == "sensitivity"]
    own = recalls if len(recalls) > 1 else [each for each in figures if each in steps][:1]
    others = [each for each in figures if each not in own and not (own is recalls and each.metric == "accuracy")]
    return math.prod(max(1.0, NEIGHBOURHOOD / steps[each]) for each in own) * (5 if others else 1)


def _round(number: float) -> int:
    digits = int(math.log10(number))
    return int(round(number, -digits))


def _ranking(cases: Sequence[Case]) -> Iterator[Finding]:
    """`ranking` (note): the best row that cannot be told from another, however well the two agree image by image."""
    groups: dict[str, list[Share]] = defaultdict(list)
    for case in cases:
        for share in shares_of(case):
            if share.figure.metric != "accuracy" or case.sample_name == "train" or not share.printed.exact:
                continue
            if share.n and len(share.printed.whole(share.n, "rounded")):
                groups[case.sample_name].append(share)
    for members in groups.values():
        ranked = sorted(members, key=lambda each: -each.printed.value)
        if len(ranked) > 1 and ranked[0].case.row is not ranked[1].case.row:
            yield from _undecided(ranked)


def _undecided(ranked: Sequence[Share]) -> Iterator[Finding]:
    best = ranked[0]
    n = best.n or 0
    high = best.printed.whole(n, "rounded")[-1]
    never, maybe = [], []
    for other in ranked[1:]:
        if other.n != n or other.printed.text == best.printed.text:
            continue
        low = other.printed.whole(n, "rounded")[0]
        p = min(1.0, 2 * 0.5 ** (high - low))
        if p > SIGNIFICANCE:
            never.append(f"{_row_of(other)} ({other.printed.text}, {count(high - low, 'image')} fewer, p = {p:.2g})")
        elif wilson_interval(low / n, n).high > wilson_interval(best.printed.whole(n, "rounded")[0] / n, n).low:
            maybe.append(f"{_row_of(other)} ({other.printed.text})")
    if never:
        sentence = (
            f"{_row_of(best)} ({best.printed.text}, {of(high, n)}) is not shown to be better than "
            f"{join(never)}: McNemar's test "
            "at its most favourable, with every difference in favour of the first."
        )
        yield Finding("ranking", "note", "A best row that is not shown to be best", sentence)
    if maybe:
        sentence = (
            f"The 95 % intervals of {_row_of(best)} ({best.printed.text}) and {join(maybe)} on {n:,} "
            "images overlap: whether "
            "they differ only a comparison image by image can tell, and none is printed."
        )
        yield Finding("ranking", "note", "A best row that is not shown to be best", sentence)


def _row_of(share: Share) -> str:
    return share.case.row.name or share.figure.name


def _gaps(cases: Sequence[Case]) -> Iterator[Finding]:
    """`gap` (suspicious): validation and test further apart than chance and 5 points."""
    by_row: dict[str, dict[str, Share]] = defaultdict(dict)
    for case in cases:
        for share in shares_of(case):
            if share.figure.metric == "accuracy" and share.printed.vague not in ("above", "below"):
                by_row[case.row.name].setdefault(case.sample_name, share)
    wide = []
    for name, samples in by_row.items():
        val, test = samples.get("val"), samples.get("test")
        if val and test and (apart := _apart(val, test)):
            wide.append((name, apart))
    if wide:
        listed = join([f"{name}: {words}" if name else words for name, words in wide])
        sentence = (
            f"Validation and test disagree by more than chance allows ({listed}): the two are not images "
            "of one kind, or patients "
            "stand in training and validation."
        )
        yield Finding("gap", "suspicious", "Validation and test far apart", sentence)


def _apart(val: Share, test: Share) -> str:
    difference = val.printed.value - test.printed.value
    variance = [each.printed.value * (1 - each.printed.value) / each.n if each.n else 0.0 for each in (val, test)]
    error = math.sqrt(sum(variance))
    if not error or abs(difference) < FAR or abs(difference) < 2.6 * error:
        return ""
    return (
        f"{val.printed.text} against {test.printed.text}, {abs(100 * difference):.1f} points, "
        f"{abs(difference) / error:.0f} standard errors"
    )
