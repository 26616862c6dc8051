"""A study folder as a pilot: what its predictions say about a bigger study."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from hilum.data.predictions import Predictions, read_predictions
from hilum.errors import DataError, UsageError
from hilum.evaluation.planning import Answer, Plan, Wish, answer_with, plan_for
from hilum.evaluation.planning.pilot import PairedPilot, Pilot, PilotFigure, compare_pilots, wish_of
from hilum.workflow.record import read_json

SETS = {"val": "the validation set", "test": "the test set"}


def make_plan(
    study_dir: Path | None,
    wish: Wish,
    *,
    figure: str | None = None,
    label: str = "",
    against: float | None = None,
    images: int | None = None,
    patients: int | None = None,
    given: frozenset[str] = frozenset(),
) -> Plan:
    """Answers of `plan_for`, of `answer_with` where images or patients are given, or from a study.

    Args:
        wish: with its own `against`, where there is no study.
        figure, label, against, given: as for `plan_from_study`.
        images: in the figure's denominator.
        patients: instead of images.

    Raises:
        HilumError: options that do not go together, or no study.
    """
    if images is not None and patients is not None:
        raise UsageError("--images, --patients", expected="one of the two", found="both")
    for name, number in (("--images", images), ("--patients", patients)):
        if number is not None and number < 1:
            raise UsageError(name, expected="a number from 1", found=str(number))
    if study_dir is not None:
        if images is not None or patients is not None:
            found, way_out = "numbers beside --study", "With --study the sets of the study answer the other way round."
            raise UsageError("--images, --patients", expected="none", found=found, way_out=way_out)
        return plan_from_study(study_dir, wish, figure=figure, label=label, against=against, given=given)
    if label:
        raise UsageError("--label", expected="--study STUDY beside it", found=label)
    if patients is not None:
        images = round(patients * wish.clustering.per_patient * (wish.share_of_images or 1.0))
    answers = plan_for(wish) if images is None else answer_with(wish, images)
    return Plan(answers, _assumptions(wish, given))


def _assumptions(wish: Wish, given: frozenset[str]) -> tuple[str, ...]:
    """What was assumed because nobody said otherwise."""
    notes = []
    clustering = wish.clustering
    if clustering.per_patient > 1 and "correlation" not in given:
        notes.append(
            "Assumed: the images of one patient stand and fall together (correlation 1), the most cautious case; "
            "--correlation says otherwise, and --study measures it."
        )
    if "per_patient" not in given:
        notes.append("Assumed: one image a patient; --per-patient says otherwise.")
    if wish.figure == "auroc" and wish.prevalence is None:
        notes.append("Assumed: half of the images are of the class; --prevalence says otherwise.")
    return tuple(notes)


def plan_from_study(
    study_dir: Path,
    wish: Wish,
    *,
    figure: str | None = None,
    label: str = "",
    against: float | None = None,
    given: frozenset[str] = frozenset(),
) -> Plan:
    """What a study's sets decide, and how many images a bigger one needs at the figures seen here.

    Args:
        wish: what is wanted; figures, prevalence, clustering and agreement come from the study, but for those in
            `given`.
        figure: only that one; None takes accuracy, the sensitivity of each class and, of two classes, the AUROC.
        label: only that class.
        against: a figure that the study's is to be told apart from.
        given: fields of the wish that the user named.

    Raises:
        DataError: no study there, no predictions, or no such figure.
    """
    study = read_json(study_dir / "study.json")
    if study is None:
        way_out = "Give the folder that hilum study wrote."
        raise DataError(str(study_dir), expected="a study with a study.json", found="none", way_out=way_out)
    chosen = study.get("chosen_run")
    pilots = [Pilot.of(each, split) for split in SETS if (each := _predictions(study_dir, chosen, split))]
    if not pilots:
        raise DataError(str(study_dir), expected="a chosen run with predictions", found="none")
    last = pilots[-1]
    figures = [last.find(figure, label)] if figure and (label or figure != "sensitivity") else list(last.figures)
    if figure == "sensitivity" and not label:
        figures = [each for each in last.figures if each.figure == "sensitivity"]
    elif figure is None and label:
        figures = [last.find("sensitivity", label)]
    answers = [answer for each in pilots for answer in _decided(each, figures, wish, given)]
    answers += [answer for each in figures for answer in _needed(each, wish, against, given)]
    notes = [
        f"Figures, clustering and proportions are those of {chosen} on {SETS[last.split]} "
        f"({last.images:,} images of {last.patients:,} patients)."
    ]
    paired = _runner_up(study_dir, str(chosen))
    if paired is not None:
        answers += [answer for answer in _paired(paired, wish, figure) if answer.kind == "paired"]
        notes.append(_describe(paired))
    return Plan(tuple(answers), tuple(notes))


def _decided(pilot: Pilot, figures: list[PilotFigure], wish: Wish, given: frozenset[str]) -> Iterator[Answer]:
    """What a set of the study can decide."""
    for each in figures:
        own = next((f for f in pilot.figures if (f.figure, f.label) == (each.figure, each.label)), None)
        if own is not None and own.is_plannable:
            fitted = _fitted(own, wish, given)
            answers = answer_with(replace(fitted, against=None), own.images, SETS[pilot.split])
            yield from answers if each.figure == "accuracy" else answers[:1]


def _needed(figure: PilotFigure, wish: Wish, against: float | None, given: frozenset[str]) -> Iterator[Answer]:
    if figure.is_plannable:
        yield from plan_for(replace(_fitted(figure, wish, given), against=against))


def _fitted(figure: PilotFigure, wish: Wish, given: frozenset[str]) -> Wish:
    """The wish with the pilot's values, but for those that the user named."""
    measured = wish_of(figure, replace(wish, against=None, discordant=()))
    kept = {name: getattr(wish, name) for name in given if name in ("expect", "prevalence", "clustering")}
    return replace(measured, **kept, discordant=wish.discordant)


def _paired(pilot: PairedPilot, wish: Wish, figure: str | None) -> Iterator[Answer]:
    """Images that would tell the two best runs apart, were they as far apart as they seem."""
    first, second = pilot.accuracies
    if figure in (None, "accuracy") and first != second and min(first, second) > 0 and max(first, second) < 1:
        base = replace(wish, figure="accuracy", expect=first, against=second, prevalence=None)
        yield from plan_for(replace(base, discordant=(pilot.discordant,), clustering=pilot.clustering))
    one, other = pilot.areas
    if (
        figure in (None, "auroc")
        and math.isfinite(one)
        and one != other
        and 0.5 < min(one, other) < max(one, other) < 1
    ):
        base = replace(wish, figure="auroc", expect=one, against=other, prevalence=pilot.prevalence)
        agreement = (pilot.score_correlation,)
        yield from plan_for(replace(base, discordant=(), score_correlation=agreement, clustering=pilot.area_clustering))


def _describe(pilot: PairedPilot) -> str:
    first, second = (100 * each for each in pilot.accuracies)
    return (
        f"{pilot.first} and {pilot.second} were right on {first:.1f} % and {second:.1f} % of the {pilot.images:,} "
        f"validation images, and just one of the two on {100 * pilot.discordant:.1f} % of them. That they are as far "
        "apart as they seem is an assumption: a difference seen in a small set is mostly chance."
    )


def _runner_up(study_dir: Path, chosen: str) -> PairedPilot | None:
    """The chosen run beside the best of the others, on validation."""
    compared = read_json(study_dir / "comparison.json") or {}
    for other in compared.get("runs", ()):
        both = [_predictions(study_dir, run, "val") for run in (chosen, other)]
        if other != chosen and both[0] is not None and both[1] is not None:
            return compare_pilots((chosen, both[0]), (other, both[1]))
    return None


def _predictions(study_dir: Path, run: str | None, split: str) -> Predictions | None:
    path = study_dir / run / f"predictions-{split}.parquet" if run else None
    return read_predictions(path) if path is not None and path.exists() else None
