"""What was understood of a report, in lines: so that a misreading is seen."""

from __future__ import annotations

from collections.abc import Iterator

from hilum.autopsy.values import Autopsy, Figure, Report, Row, Sample
from hilum.autopsy.wording import count, join

METRICS = {"ppv": "precision (PPV)", "npv": "NPV", "f1": "F1", "auroc": "AUROC", "mcc": "Matthews correlation"}
SAMPLES = {"val": "validation", "": "images"}


def describe_autopsy(autopsy: Autopsy) -> str:
    """The result in one sentence."""
    counts = autopsy.counts()
    wrong, odd = (counts[severity] for severity in ("impossible", "suspicious"))
    parts = [count(number, noun) for number, noun in ((wrong, "contradiction"), (odd, "suspicious finding")) if number]
    if wrong:
        return f"These figures cannot all be true: {join(parts)}."
    return f"Nothing in these figures contradicts itself{f'; {parts[0]}' if parts else ''}."


def describe_report(report: Report) -> tuple[str, ...]:
    """One line for the classes, one for each sample, one for each row."""
    return tuple(_lines(report))


def _lines(report: Report) -> Iterator[str]:
    if report.classes:
        positive = f"; {report.positive} is positive" if report.positive else ""
        yield f"classes: {', '.join(report.classes)}{positive}"
    for name, sample in report.samples.items():
        yield f"{SAMPLES.get(name, name)}: {_size(sample, report.classes)}"
    for row in report.rows:
        yield f"{row.name}: {_row(row)}" if row.name else _row(row)


def _size(sample: Sample, classes: tuple[str, ...]) -> str:
    if sample.counts:
        named = classes if len(classes) == len(sample.counts) else ("",) * len(sample.counts)
        counts = [f"{count:,} {label}".strip() for count, label in zip(sample.counts, named, strict=True)]
        return f"{sum(sample.counts):,} ({join(counts)})"
    if sample.n:
        return f"{sample.n:,}"
    return f"between {sample.low or 1:,} and {sample.high:,}" if sample.high else "number unknown"


def _row(row: Row) -> str:
    parts = []
    if row.matrix is not None:
        rows = f", rows {row.rows_are}" if row.rows_are else ""
        parts.append(f"matrix {[list(each) for each in row.matrix]}{rows}")
    parts += [_figure(each) for each in row.figures]
    if row.averaged:
        parts.append("means over repetitions, so no shares of whole images")
    return "; ".join(parts) or "nothing"


def _figure(figure: Figure) -> str:
    sample = f"{SAMPLES.get(figure.sample, figure.sample)} " if figure.sample else ""
    metric = figure.name if figure.metric == "other" else METRICS.get(figure.metric, figure.metric.replace("_", " "))
    over = f", {figure.over}" if figure.over and figure.metric != "other" else ""
    number = figure.printed
    unit = " %" if number.percent and "%" not in number.text else ""
    ends = f" [{', '.join(each.text for each in figure.interval)}]" if figure.interval else ""
    return f"{sample}{metric}{over} = {number.text}{unit}{ends}"
