"""What must hold between printed figures, whatever the matrix behind them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import combinations

from hilum.autopsy.names import plain_words
from hilum.autopsy.printed import Printed
from hilum.autopsy.values import Case, Figure, Finding, Severity
from hilum.autopsy.wording import join

Span = tuple[float, float]
SIGNED = ("kappa", "mcc")


def find_broken_identities(case: Case) -> Iterator[Finding]:
    """`out-of-range`, `said-twice`, `f1`, `accuracy-from-recalls`, `same-figure`, `outside-interval` (impossible)."""
    yield from _out_of_range(case)
    yield from _said_twice(case)
    yield from _outside(case)
    if case.matrix is None:
        yield from _f1(case)
        yield from _from_recalls(case)
        yield from _same(case)


def _out_of_range(case: Case) -> Iterator[Finding]:
    for figure in case.figures:
        lowest = -1.0 if figure.metric in SIGNED else 0.0
        low, high = figure.printed.bounds()
        if figure.metric != "other" and (high < lowest or low > 1):
            ends = f"{'-1' if lowest else '0'} to 1 (100 %)"
            sentence = f"{figure.said} is outside {ends}."
            yield Finding("out-of-range", "impossible", "No such figure", sentence, case.title)


def _said_twice(case: Case) -> Iterator[Finding]:
    for one, other in combinations(case.figures, 2):
        same = (one.metric, one.over) == (other.metric, other.over) and plain_words(one.name) == plain_words(other.name)
        if same and not one.printed.meets(other.printed):
            sentence = (
                f"{one.name} is printed as {one.printed.text} and as {other.printed.text}: no one number "
                "is printed both ways."
            )
            yield Finding("said-twice", "impossible", "One figure, two values", sentence, case.title)


def _outside(case: Case) -> Iterator[Finding]:
    for figure in case.figures:
        if figure.interval:
            low, high = figure.interval[0].bounds()[0], figure.interval[1].bounds()[1]
            value = figure.printed.bounds()
            if value[1] < low or value[0] > high:
                ends = f"{figure.interval[0].text} to {figure.interval[1].text}"
                sentence = f"{figure.said} lies outside its own interval, {ends}."
                yield Finding("outside-interval", "impossible", "Outside its own interval", sentence, case.title)


def _f1(case: Case) -> Iterator[Finding]:
    for figure in case.find("f1"):
        precision, recall = (_of(case, metric, figure.over) for metric in ("ppv", "sensitivity"))
        if precision is None or recall is None:
            continue
        spans = [each.printed.bounds() for each in (precision, recall)]
        low, high = (harmonic(max(0.0, spans[0][i]), max(0.0, spans[1][i])) for i in (0, 1))
        own = figure.printed.bounds()
        exact = harmonic(precision.printed.value, recall.printed.value)
        sums = (
            f"2 x {precision.printed.text} x {recall.printed.text} / ({precision.printed.text} + "
            f"{recall.printed.text}) = "
            f"{figure.printed.show(exact)}"
        )
        one_class = (figure.over or (case.report.positive if case.binary else "")) in (*case.classes, "micro")
        if case.row.averaged:
            one_class = False
        if own[0] > high:
            sentence = (
                f"{figure.said} is above the harmonic mean of its precision and recall, {sums}, which no "
                "class and no average exceeds"
            )
            mixed = not figure.over and not case.report.positive and is_clinical(recall)
            sentence += "; so they are not averaged in one way." if mixed else "."
            severity: Severity = "suspicious" if mixed else "impossible"
            yield Finding("f1", severity, "F1 without its precision and recall", sentence, case.title)
        elif own[1] < low and one_class:
            sentence = f"{figure.said} is not the harmonic mean of its precision and recall: {sums}."
            yield Finding("f1", "impossible", "F1 without its precision and recall", sentence, case.title)
        elif own[1] < low and not figure.over and not case.row.averaged:
            sentence = (
                f"{figure.said} is below the harmonic mean of precision and recall, {sums}: so it is an "
                "average over classes "
                "or folds, which the report does not say."
            )
            yield Finding("f1-averaged", "note", "An F1 that must be an average", sentence, case.title)


def is_clinical(recall: Figure) -> bool:
    """A `sensitivity` is that of the ill; precision and F1 beside it may be averages over the classes."""
    return re.search(r"recall|\brec\b", plain_words(recall.name)) is None


def harmonic(precision: float, recall: float) -> float:
    """2PR / (P + R); 0 where both are 0."""
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _of(case: Case, metric: str, over: str) -> Figure | None:
    return next((each for each in case.find(metric) if each.over == over), None)


def recalls_of(case: Case) -> list[Figure]:
    """The printed recall of every class, in their order; empty where one is missing. With two classes specificity is
    one.
    """
    by: dict[str, Figure] = {each.over: each for each in case.find("sensitivity") if each.over in case.classes}
    if len(case.classes) == 2 and case.report.positive in case.classes:
        (other,) = [each for each in case.classes if each != case.report.positive]
        for metric, name in (("sensitivity", case.report.positive), ("specificity", other)):
            if found := _of(case, metric, ""):
                by.setdefault(name, found)
    return [by[name] for name in case.classes] if case.classes and all(name in by for name in case.classes) else []


def _from_recalls(case: Case) -> Iterator[Finding]:
    recalls = recalls_of(case)
    if not recalls or case.row.averaged:
        return
    spans = [each.printed.bounds() for each in recalls]
    listing = join([each.said for each in recalls])
    for figure in (
        *case.find("balanced_accuracy"),
        *(each for each in case.find("sensitivity") if each.over == "macro"),
    ):
        mean = sum(low for low, _ in spans) / len(spans), sum(high for _, high in spans) / len(spans)
        if not _meet(figure.printed.bounds(), mean):
            middle = figure.printed.show(sum(each.printed.value for each in recalls) / len(recalls))
            sentence = f"{figure.said} is not the mean of {listing}, which is {middle}."
            yield Finding("accuracy-from-recalls", "impossible", "Not the mean of the classes", sentence, case.title)
    for figure in case.find("accuracy"):
        if found := _accuracy_misfit(case, figure.printed, recalls, spans):
            yield Finding(
                "accuracy-from-recalls",
                "impossible",
                "Accuracy and classes disagree",
                f"{figure.said} cannot stand beside {listing}: {found}.",
                case.title,
            )


def _accuracy_misfit(case: Case, accuracy: Printed, recalls: list[Figure], spans: list[Span]) -> str:
    """Why an accuracy cannot come from these recalls; empty where it can."""
    counts = case.sample.counts
    if not counts or len(counts) != len(recalls):
        if _meet(accuracy.bounds(), (min(low for low, _ in spans), max(high for _, high in spans))):
            return ""
        return "an accuracy lies between the smallest and the largest share of the classes"
    whole = [each.printed.whole(count) for each, count in zip(recalls, counts, strict=True)]
    n = sum(counts)
    if all(len(each) for each in whole):
        low, high = sum(each[0] for each in whole), sum(each[-1] for each in whole)
        if not _meet(accuracy.bounds(), (low / n, high / n)):
            right = [str(each[0]) if len(each) == 1 else f"{each[0]} to {each[-1]}" for each in whole]
            total = f"{low:,}" if low == high else f"{low:,} to {high:,}"
            share = accuracy.show(low / n) + ("" if low == high else f" to {accuracy.show(high / n)}")
            return (
                f"of {join([f'{count:,}' for count in counts])} images {join(right)} are right, {total} of "
                f"{n:,} in all, which is {share}"
            )
        return ""
    real = (
        sum(c * s[0] for c, s in zip(counts, spans, strict=True)) / n,
        sum(c * s[1] for c, s in zip(counts, spans, strict=True)) / n,
    )
    if _meet(accuracy.bounds(), real):
        return ""
    return (
        f"with {join([f'{count:,}' for count in counts])} images they make {accuracy.show(real[0])} to "
        f"{accuracy.show(real[1])}"
    )


def _same(case: Case) -> Iterator[Finding]:
    """Weighted recall, and everything micro, is the accuracy by another name; macro recall the balanced accuracy; and
    the error rate is what is left of the accuracy.
    """
    yield from _left_over(case)
    yield from _other_counts(case)
    for balanced in case.find("balanced_accuracy"):
        for figure in (each for each in case.find("sensitivity") if each.over == "macro"):
            if not figure.printed.meets(balanced.printed):
                sentence = f"{figure.said} and {balanced.said} differ, but the mean of the classes' recalls is both."
                yield Finding("same-figure", "impossible", "One figure under two names", sentence, case.title)
    for accuracy in case.find("accuracy"):
        for figure in case.figures:
            micro = figure.over == "micro" and figure.metric in ("sensitivity", "ppv", "f1")
            if not micro and (figure.metric, figure.over) != ("sensitivity", "weighted"):
                continue
            if not figure.printed.meets(accuracy.printed):
                sentence = (
                    f"{figure.said} and {accuracy.said} differ, but a {figure.over} average of this figure "
                    "is the accuracy."
                )
                yield Finding("same-figure", "impossible", "One figure under two names", sentence, case.title)


def _left_over(case: Case) -> Iterator[Finding]:
    for accuracy in case.find("accuracy"):
        for error in (each for each in case.find("error") if each.over == accuracy.over):
            if not error.printed.mirrored().meets(accuracy.printed):
                whole = accuracy.printed.show(accuracy.printed.value + error.printed.value, more=0)
                sentence = f"{accuracy.said} and {error.said} make {whole}, and not all images."
                yield Finding("same-figure", "impossible", "Accuracy and error rate disagree", sentence, case.title)


def _other_counts(case: Case) -> Iterator[Finding]:
    """Figures printed as k/n: right calls of both kinds add up to those of the accuracy, and stand in PPV and NPV."""
    own = [each for each in case.figures if each.printed.fraction and each.over in ("", case.report.positive)]
    said = {each.metric: (each.said, *(each.printed.fraction or (0, 0))) for each in reversed(own)}
    if {"sensitivity", "specificity", "accuracy"} <= said.keys():
        (one, k, n), (other, m, size), (whole, right, of) = (
            said[x] for x in ("sensitivity", "specificity", "accuracy")
        )
        if n + size == of and k + m != right:
            sentence = f"{one} and {other} make {k + m}/{of} right, and not {whole}."
            yield Finding("accuracy-from-recalls", "impossible", "Accuracy and classes disagree", sentence, case.title)
    for metric, called in (("sensitivity", "ppv"), ("specificity", "npv")):
        if metric in said and called in said and said[metric][1] != said[called][1]:
            sentence = f"{said[metric][0]} and {said[called][0]} count the same right calls, but not as many."
            yield Finding("same-figure", "impossible", "One count, two values", sentence, case.title)


def _meet(one: Span, other: Span) -> bool:
    return one[0] <= other[1] and other[0] <= one[1]
