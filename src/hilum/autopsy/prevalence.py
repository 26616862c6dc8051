"""Two classes without counts: is there any share of ill images at which the printed figures fit?

Sensitivity s, specificity c and prevalence p make everything else: accuracy sp + c(1 - p), PPV
sp / (sp + (1 - c)(1 - p)), NPV c(1 - p) / (c(1 - p) + (1 - s)p), F1 2sp / (sp + (1 - c)(1 - p) + p). Each printed
figure leaves a span of p; where they do not meet, not all can be true.
"""

from __future__ import annotations

from collections.abc import Iterator

from hilum.autopsy.averaged import fits_averaged
from hilum.autopsy.identities import Span, is_clinical
from hilum.autopsy.values import Case, Figure, Finding, Severity
from hilum.autopsy.wording import join


def find_no_prevalence(case: Case) -> Iterator[Finding]:
    """`no-prevalence` (impossible where there are two classes for certain, else suspicious)."""
    found = operating_point(case)
    if found is None or case.matrix is not None or case.sample.counts or case.row.averaged:
        return
    sensitivity, specificity = found
    yield from _find_no_mean(case, sensitivity, specificity)
    spans: dict[Figure, Span | None] = {}
    point = (_clipped(sensitivity), _clipped(specificity))
    for figure in case.figures:
        if figure.over in ("", case.report.positive) and figure.metric in ("accuracy", "ppv", "npv", "f1"):
            spans[figure] = _span(figure.metric, _clipped(figure), *point)
    mixed = not case.report.positive and is_clinical(sensitivity)
    if mixed and fits_averaged([(each.metric, _clipped(each)) for each in spans], *point):
        return
    severity: Severity = "impossible" if case.binary else "suspicious"
    of_two = "" if case.binary else "For two classes: "
    operating = f"{sensitivity.said} and {specificity.said}"
    for figure, span in spans.items():
        if span is None:
            reason = (
                "an accuracy lies between the two" if figure.metric == "accuracy" else "no share of ill images gives it"
            )
            sentence = f"{of_two}{figure.said} cannot stand beside {operating}: {reason}."
            yield Finding("no-prevalence", severity, "No share of ill images fits", sentence, case.title)
    ends = {figure: span for figure, span in spans.items() if span}
    if len(ends) > 1 and max(low for low, _ in ends.values()) > min(high for _, high in ends.values()):
        parts = [f"{figure.said} needs {100 * low:.1f} to {100 * high:.1f} %" for figure, (low, high) in ends.items()]
        sentence = f"{of_two}beside {operating}, {join(parts)} ill images: no one share fits."
        yield Finding("no-prevalence", severity, "No share of ill images fits", sentence, case.title)


def _find_no_mean(case: Case, sensitivity: Figure, specificity: Figure) -> Iterator[Finding]:
    """Of two classes the balanced accuracy is the mean of both, whatever the share of ill images."""
    ends = (sensitivity.printed.bounds(), specificity.printed.bounds())
    low, high = ((one + other) / 2 for one, other in zip(*ends, strict=True))
    for figure in case.find("balanced_accuracy"):
        own = figure.printed.bounds()
        if figure.over or (own[0] <= high and low <= own[1]):
            continue
        of_two = "" if case.binary else "For two classes: "
        middle = figure.printed.show((sensitivity.printed.value + specificity.printed.value) / 2)
        sentence = f"{of_two}{figure.said} is not the mean of {sensitivity.said} and {specificity.said}, {middle}."
        severity: Severity = "impossible" if case.binary else "suspicious"
        yield Finding("accuracy-from-recalls", severity, "Not the mean of the classes", sentence, case.title)


def operating_point(case: Case) -> tuple[Figure, Figure] | None:
    """Printed sensitivity and specificity of a task of two classes; None where they may be averages over classes."""
    if len(case.classes) > 2:
        return None
    positive = case.report.positive
    one, other = (
        next((each for each in case.find(metric) if each.over in ("", positive)), None)
        for metric in ("sensitivity", "specificity")
    )
    if one is None or other is None:
        return None
    averaged = one.printed.meets(other.printed) or any(
        one.printed.meets(each.printed) for each in case.find("accuracy")
    )
    averaged = averaged or _is_no_classes(one, case)
    return None if averaged and not positive else (one, other)


def _is_no_classes(sensitivity: Figure, case: Case) -> bool:
    """Another recall of the row says that this one is an average: one without a class that differs, or those of all
    classes, none of which it is.
    """
    printed = case.find("sensitivity")
    unlike = [each for each in printed if not each.printed.meets(sensitivity.printed)]
    classes = set(case.classes)
    return any(not each.over for each in unlike) or (bool(classes) and classes <= {each.over for each in unlike})


def _clipped(figure: Figure) -> Span:
    low, high = figure.printed.bounds()
    return max(0.0, low), min(1.0, high)


def _span(metric: str, figure: Span, s: Span, c: Span) -> Span | None:
    """Which shares p of ill images leave the figure possible."""
    if metric == "accuracy":
        return _of_accuracy(figure, s, c)
    if metric == "npv":  # that of the other class: PPV with everything exchanged
        other = _of_rising("ppv", figure, c, s)
        return other and (1 - other[1], 1 - other[0])
    return _of_rising(metric, figure, s, c)


def _of_rising(metric: str, figure: Span, s: Span, c: Span) -> Span | None:
    """PPV and F1 rise with p, s and c: p ends where the best, and the worst, s and c just reach the figure."""
    low, high = _where(metric, figure[0], s[1], c[1]), _where(metric, figure[1], s[0], c[0])
    return (low, high) if low <= high and _value(metric, low, s[1], c[1]) >= figure[0] - 1e-9 else None


def _where(metric: str, value: float, s: float, c: float) -> float:
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _value(metric, middle, s, c) < value else (low, middle)
    return high


def _value(metric: str, p: float, s: float, c: float) -> float:
    hits, false = s * p, (1 - c) * (1 - p)
    below = hits + false if metric == "ppv" else hits + false + p
    above = hits if metric == "ppv" else 2 * hits
    return above / below if below else 1.0


def _of_accuracy(figure: Span, s: Span, c: Span) -> Span | None:
    """p with c_low + p (s_low - c_low) <= accuracy_high and c_high + p (s_high - c_high) >= accuracy_low."""
    low, high = 0.0, 1.0
    for slope, bound in ((s[0] - c[0], figure[1] - c[0]), (c[1] - s[1], c[1] - figure[0])):
        if abs(slope) < 1e-15:
            if bound < 0:
                return None
        elif slope > 0:
            high = min(high, bound / slope)
        else:
            low = max(low, bound / slope)
    return (low, high) if low <= high else None
