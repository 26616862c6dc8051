"""The figures of one run as SVG files, for slides and papers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hilum.evaluation.values import Evaluation
from hilum.report.charts.confusion import plot_confusion
from hilum.report.charts.history import plot_accuracy, plot_loss
from hilum.report.charts.intervals import plot_estimates
from hilum.report.charts.palette import class_colour
from hilum.report.charts.svg import Figure, side_by_side
from hilum.report.sections.curves import Answers, plot_confidence, plot_precision_recalls, plot_rocs
from hilum.report.sections.per_class import COLUMNS
from hilum.report.study_folder import Run, read_run
from hilum.report.words import render_metric
from hilum.report.writing import write_text


def write_figures(run_dir: Path) -> tuple[Path, ...]:
    """Writes `figures/*.svg` of a run folder, from its history, its metrics and its predictions.

    Returns:
        The files written, each complete in itself.

    Raises:
        DataError: no such folder, or a file of it that is not what hilum wrote.
    """
    run = read_run(Path(run_dir))
    folder = run.folder / "figures"
    folder.mkdir(exist_ok=True)
    return tuple(write_text(folder / f"{name}.svg", figure.standalone()) for name, figure in plot_run(run))


def plot_run(run: Run) -> Iterator[tuple[str, Figure]]:
    """Every figure that the files of a run give, with its name."""
    val = run.evaluations.get("val")
    training = [plot_loss(run.history), plot_accuracy(run.history, val.overall.get("accuracy") if val else None)]
    drawn = [figure for figure in training if figure is not None]
    if drawn:
        yield "training", side_by_side(drawn, f"Training of {run.name}")
    for split, evaluation in run.evaluations.items():
        yield f"confusion-{split}", plot_confusion(evaluation.confusion, evaluation.labels)
        yield f"classes-{split}", _plot_classes(evaluation, split)
        answers = Answers.on(run, split)
        if answers:
            yield from _plot_answers(answers, split)


def _plot_classes(evaluation: Evaluation, split: str) -> Figure:
    colours = [class_colour(i) for i in range(len(evaluation.labels))]
    panels = [
        plot_estimates(evaluation.labels, [get(entry) for entry in evaluation.per_class], colours, render_metric(name))
        for name, get in COLUMNS.items()
    ]
    return side_by_side(panels, f"Figures of each class, {split}", columns=2)


def _plot_answers(answers: Answers, split: str) -> Iterator[tuple[str, Figure]]:
    for name, panels in (("roc", plot_rocs(answers)), ("precision-recall", plot_precision_recalls(answers))):
        drawn = list(panels)
        if drawn:
            yield f"{name}-{split}", side_by_side(drawn, f"{name} of each class, {split}")
    yield f"reliability-{split}", plot_confidence(answers)
