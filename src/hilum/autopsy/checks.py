"""Every check on a report, in order."""

from __future__ import annotations

from collections.abc import Iterator

from hilum.autopsy.across import find_across
from hilum.autopsy.against_matrix import find_against_matrix, find_mixed_rule
from hilum.autopsy.auroc import find_impossible_auroc
from hilum.autopsy.collapse import find_collapse
from hilum.autopsy.columns import find_by_calls
from hilum.autopsy.describe import describe_report
from hilum.autopsy.granularity import Share, find_granularity, rules_of, shares_of
from hilum.autopsy.identities import find_broken_identities
from hilum.autopsy.intervals import find_intervals
from hilum.autopsy.margins import find_margins, rows_of
from hilum.autopsy.prevalence import find_no_prevalence
from hilum.autopsy.printed import Rule
from hilum.autopsy.search import find_by_search
from hilum.autopsy.values import Autopsy, Case, Finding, Report
from hilum.autopsy.wording import join


def take_apart(report: Report) -> Autopsy:
    """Looks for everything in a report that cannot be true, that is unlikely, and that should have been said."""
    return Autopsy(report, tuple(_findings(report)), describe_report(report))


def _findings(report: Report) -> Iterator[Finding]:
    cases = list(report.cases())
    counted = list(find_granularity(report, cases))
    yield from counted
    for case in cases:
        yield from _of_case(case, counted)
    yield from _mixed_rounding(cases)
    yield from find_across(report, cases)


def _of_case(case: Case, counted: list[Finding]) -> Iterator[Finding]:
    flagged = frozenset(
        figure.name
        for figure in case.figures
        for each in counted
        if each.code == "no-count" and each.where == case.title and each.sentence.startswith(figure.said)
    )
    rows_are = rows_of(case)
    yield from find_margins(case)
    yield from find_against_matrix(case, rows_are)
    yield from find_broken_identities(case)
    searched, matrix = find_by_search(case, flagged)
    yield from searched
    yield from find_by_calls(case)
    yield from find_no_prevalence(case)
    yield from find_impossible_auroc(case, rows_are)
    yield from find_collapse(case, rows_are, matrix)
    yield from find_intervals(case, rows_are, matrix)


def _mixed_rounding(cases: list[Case]) -> Iterator[Finding]:
    """`mixed-rounding` (suspicious), `cut-off`, (note): by which rule the figures of known counts are rounded."""
    exact = [share for case in cases for share in shares_of(case) if share.n and share.printed.exact]
    rules = rules_of(exact)
    for case in cases:
        rules &= find_mixed_rule(case, rows_of(case))
    if "rounded" in rules:
        return
    cut = [each.figure.said for each in exact if _only(each, "cut off")]
    rounded = [each.figure.said for each in exact if _only(each, "rounded")]
    if "cut off" in rules:
        sentence = "The figures are cut off behind their last digit, not rounded: they fit only so."
        yield Finding("cut-off", "note", "Figures that are cut off", sentence)
    elif rules:
        sentence = "The figures fit only if they were rounded twice, first to one digit more."
        yield Finding("mixed-rounding", "suspicious", "Figures that are rounded twice", sentence)
    elif cut and rounded:
        sentence = (
            f"{join(rounded)} fit only when rounded, {join(cut)} only when cut off: a table does one or the other."
        )
        yield Finding("mixed-rounding", "suspicious", "No one way of rounding fits", sentence)
    else:
        sentence = "No one rule, rounding or cutting off, gives all figures; each fits by a rule of its own."
        yield Finding("mixed-rounding", "suspicious", "No one way of rounding fits", sentence)


def _only(share: Share, rule: Rule) -> bool:
    other: Rule = "cut off" if rule == "rounded" else "rounded"
    n = share.n or 0
    return bool(share.printed.whole(n, rule)) and not share.printed.whole(n, other)
