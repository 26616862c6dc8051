"""Questions about numbers of images and their answers, in plain sentences and as numbers."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from hilum.errors import UsageError
from hilum.evaluation.planning import areas, shares
from hilum.evaluation.planning.clustering import Clustering
from hilum.evaluation.power import LEVEL, POWER
from hilum.evaluation.values import without_nan

SCHEMA = "hilum.plan/1"
FIGURES = ("accuracy", "sensitivity", "specificity", "auroc")
ALIKE = (0.3, 0.5, 0.8)
"""Correlations of two models' scores within a class that are tried where none is given."""


@dataclass(frozen=True)
class Wish:
    """What is to be measured, and what is assumed.

    Args:
        figure: one of `FIGURES`.
        expect: its expected value, in (0, 1); an AUROC in (0.5, 1).
        within: half width that its interval may have, in (0, 0.5).
        against: value of another model that it is to be told apart from; None asks for no comparison.
        discordant: shares of the images on which just one of the two models is right; empty tries a range.
        score_correlation: of the two models' scores within a class, in [0, 1); empty tries `ALIKE`.
        prevalence: share of the class among all images, for sensitivity, specificity and AUROC; None counts images of
            the class only, and takes one half for an AUROC.
        clustering: how images hang together by patient.
        label: the class that a sensitivity, specificity or AUROC is about, where there is a name for it.
        images_per_patient: of the whole set, where the class's own (in `clustering`) is another.
    """

    figure: str = "accuracy"
    expect: float = 0.9
    within: float = 0.02
    against: float | None = None
    discordant: tuple[float, ...] = ()
    score_correlation: tuple[float, ...] = ()
    prevalence: float | None = None
    power: float = POWER
    level: float = LEVEL
    clustering: Clustering = field(default_factory=Clustering)
    label: str = ""
    images_per_patient: float | None = None

    def __post_init__(self) -> None:
        if self.figure not in FIGURES:
            raise UsageError("--figure", expected=", ".join(FIGURES), found=self.figure)
        lowest = 0.5 if self.figure == "auroc" else 0.0
        for name, value, low, high in (
            ("--expect", self.expect, lowest, 1.0),
            ("--against", self.expect if self.against is None else self.against, lowest, 1.0),
            ("--within", self.within, 0.0, 0.5),
            ("--power", self.power, 1 - self.level, 1.0),
            ("--level", self.level, 0.5, 1.0),
            ("--prevalence", 0.5 if self.prevalence is None else self.prevalence, 0.0, 1.0),
        ):
            if not low < value < high:
                raise UsageError(name, expected=f"a number between {low:g} and {high:g}", found=f"{value:g}")
        if self.against == self.expect:
            raise UsageError("--against", expected=f"another value than {self.expect:g}", found="the same")
        self._check_agreement()

    def _check_agreement(self) -> None:
        least = 0.0 if self.against is None else abs(self.against - self.expect)
        for share in self.discordant:
            if not (0 < share <= 1 and share >= least - 1e-12):
                expected = f"a share from {max(least, 0):g} to 1: models that differ by {least:g} disagree on as many"
                raise UsageError("--discordant", expected=expected, found=f"{share:g}")
        for correlation in self.score_correlation:
            if not 0 <= correlation < 1:
                raise UsageError("--score-correlation", expected="a number from 0 to below 1", found=f"{correlation:g}")

    @property
    def title(self) -> str:
        """The figure's name with what it is about: `sensitivity for bacteria`."""
        name = "AUROC" if self.figure == "auroc" else self.figure
        return f"{name} for {self.label}" if self.label else name

    @property
    def share_of_images(self) -> float | None:
        """Share of all images that the figure's denominator is of; None where that is not known."""
        if self.figure in ("accuracy", "auroc"):
            return 1.0
        if self.prevalence is None:
            return None
        return self.prevalence if self.figure == "sensitivity" else 1 - self.prevalence

    @property
    def unit(self) -> str:
        """What the denominator counts."""
        inside = f"images of {self.label or 'the class'}"
        outside = f"images of {f'what is not {self.label}' if self.label else 'the others'}"
        return {"sensitivity": inside, "specificity": outside}.get(self.figure, "images")

    def patients(self, images: float) -> int:
        """Patients who bring so many images in the figure's denominator."""
        share = self.share_of_images
        if share in (None, 1.0) or self.images_per_patient is None:
            return self.clustering.patients(images if share is None else images / share)
        return math.ceil(images / share / self.images_per_patient - 1e-9)


@dataclass(frozen=True)
class Answer:
    """One question answered.

    Args:
        kind: `interval`, `paired` (both models on the same images) or `unpaired` (each on images of its own).
        given: the number of images was given, and the answer is what it decides.
        question: a few words.
        images: in the figure's denominator; in each of the two sets where `unpaired`; None where no number suffices.
        total: all images that bring those, where the prevalence is known.
        patients: who bring `total`, or `images` where that is not known.
        reach: half the interval's width, or the difference that is told apart.
        power: with which a difference is seen; NaN for an interval.
        assumed: what the answer rests on, by name.
        sentence: all of it in words.
    """

    kind: str
    given: bool
    question: str
    images: int | None
    total: int | None
    patients: int | None
    reach: float
    power: float
    assumed: Mapping[str, float]
    sentence: str


@dataclass(frozen=True)
class Plan:
    """Answers, with what a pilot gave them.

    Args:
        answers: in the order of the questions.
        notes: sentences on where assumptions come from.
    """

    answers: tuple[Answer, ...]
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """A JSON document; NaN becomes null."""
        return without_nan({"schema": SCHEMA, "answers": [asdict(each) for each in self.answers], "notes": self.notes})

    def _repr_html_(self) -> str:
        lines = [*(each.sentence for each in self.answers), *self.notes]
        return "<ul>" + "".join(f"<li>{html.escape(line)}</li>" for line in lines) + "</ul>"


def plan_for(wish: Wish) -> tuple[Answer, ...]:
    """How many images the wish needs: for its interval, and for its comparison where there is one."""
    answers = [_width_needed(wish)]
    if wish.against is not None:
        answers += [_paired_needed(wish, assumed) for assumed in _agreements(wish)]
        answers.append(_unpaired_needed(wish))
    return tuple(answers)


def answer_with(wish: Wish, images: int, name: str = "") -> tuple[Answer, ...]:
    """What so many images can decide: the interval that they give, and the smallest difference that they show.

    Args:
        images: in the figure's denominator.
        name: of the set, such as `the validation set`.

    Raises:
        UsageError: no images.
    """
    if images < 1:
        raise UsageError("--images", expected="a number from 1", found=str(images))
    answers = [_width_given(wish, images, name)]
    answers += [_paired_given(wish, images, assumed, name) for assumed in _agreements(wish)]
    answers.append(_unpaired_given(wish, images, name))
    return tuple(answers)


def _agreements(wish: Wish) -> Sequence[float]:
    """What is assumed of two models on the same images: their discordance, or the correlation of their scores."""
    if wish.figure == "auroc":
        return wish.score_correlation or ALIKE
    if wish.discordant:
        return wish.discordant
    if wish.against is not None:
        return shares.likely_discordances(wish.expect, wish.against)
    apart = shares.independent_discordance(wish.expect, wish.expect)
    return apart / 4, apart / 2, apart


def _width_needed(wish: Wish) -> Answer:
    if wish.figure == "auroc":
        images = areas.images_for_width(wish.expect, wish.within, _prevalence(wish), wish.clustering, wish.level)
    else:
        images = shares.images_for_width(wish.expect, wish.within, wish.clustering, wish.level)
    question = f"±{_points(wish.within)} at {_value(wish, wish.expect)}"
    sentence = f"An interval of ±{_points(wish.within)} around {_an(wish)} {_of(wish)} needs {_many(wish, images)}."
    return _answer(wish, "interval", False, question, images, wish.within, math.nan, {}, sentence)


def _width_given(wish: Wish, images: int, name: str) -> Answer:
    if wish.figure == "auroc":
        half = areas.half_width(wish.expect, images, _prevalence(wish), wish.clustering, wish.level)
    else:
        half = shares.half_width(wish.expect, images, wish.clustering, wish.level)
    sentence = f"{_set(wish, images, name)} give {_an(wish)} {_of(wish)} an interval of about ±{_points(half)}."
    return _answer(
        wish, "interval", True, f"interval at {_value(wish, wish.expect)}", images, half, math.nan, {}, sentence
    )


def _paired_needed(wish: Wish, assumed: float) -> Answer:
    other = _other(wish)
    if wish.figure == "auroc":
        images = areas.images_to_tell(
            wish.expect, other, _prevalence(wish), assumed, wish.clustering, wish.power, wish.level
        )
    else:
        images = shares.images_to_tell_paired(other - wish.expect, assumed, wish.clustering, wish.power, wish.level)
    question = f"{_value(wish, wish.expect)} from {_value(wish, other)}, same images, {_agreement(wish, assumed)}"
    sentence = (
        f"To tell {_an(wish)} {_of(wish)} from {_value(wish, other)} on the same images with "
        f"{100 * wish.power:.0f} % power takes {_many(wish, images)}, {_where(wish, assumed)}."
    )
    return _answer(
        wish, "paired", False, question, images, abs(other - wish.expect), wish.power, {_key(wish): assumed}, sentence
    )


def _paired_given(wish: Wish, images: int, assumed: float, name: str) -> Answer:
    settings = (wish.clustering, wish.power, wish.level)
    if wish.figure == "auroc":
        reach = areas.smallest_difference_of_areas(images, wish.expect, _prevalence(wish), assumed, *settings)
    else:
        reach = shares.smallest_paired(images, assumed, *settings)
    sentence = f"{_set(wish, images, name)} {_show(wish, reach)}, {_where(wish, assumed)}."
    question, power = f"difference, same images, {_agreement(wish, assumed)}", wish.power
    if wish.against is not None:
        power, reach = _power_paired(wish, images, assumed), abs(wish.against - wish.expect)
        pair = f"{_value(wish, wish.expect)} from {_value(wish, wish.against)}"
        question = f"power, {pair}, same images, {_agreement(wish, assumed)}"
        sentence += f" They tell {pair} in {100 * power:.0f} % of the cases."
    return _answer(wish, "paired", True, question, images, reach, power, {_key(wish): assumed}, sentence)


def _power_paired(wish: Wish, images: int, assumed: float) -> float:
    other = _other(wish)
    if wish.figure == "auroc":
        return areas.power_of_areas(images, wish.expect, other, _prevalence(wish), assumed, wish.clustering, wish.level)
    return shares.power_paired(images, assumed, other - wish.expect, wish.clustering, wish.level)


def _unpaired_needed(wish: Wish) -> Answer:
    other = _other(wish)
    if wish.figure == "auroc":
        images = areas.images_to_tell(
            wish.expect, other, _prevalence(wish), 0.0, wish.clustering, wish.power, wish.level
        )
    else:
        images = shares.images_to_tell_unpaired(
            wish.expect, other - wish.expect, wish.clustering, wish.power, wish.level
        )
    question = f"{_value(wish, wish.expect)} from {_value(wish, other)}, each on other images"
    sentence = f"With images of its own for each of the two, it takes {_many(wish, images)} each."
    return _answer(wish, "unpaired", False, question, images, abs(other - wish.expect), wish.power, {}, sentence)


def _unpaired_given(wish: Wish, images: int, name: str) -> Answer:
    settings = (wish.clustering, wish.power, wish.level)
    if wish.figure == "auroc":
        reach = areas.smallest_difference_of_areas(images, wish.expect, _prevalence(wish), 0.0, *settings)
    else:
        reach = shares.smallest_unpaired(images, wish.expect, *settings)
    start = f"Beside a second set of {_count(images)} other {wish.unit}, {_set(wish, images, name).lower()}"
    sentence = f"{start} {_show(wish, reach)}."
    question, power = "difference, each on other images", wish.power
    if wish.against is not None:
        power, reach = _power_unpaired(wish, images), abs(wish.against - wish.expect)
        pair = f"{_value(wish, wish.expect)} from {_value(wish, wish.against)}"
        question = f"power, {pair}, each on other images"
        sentence += f" They tell {pair} in {100 * power:.0f} % of the cases."
    return _answer(wish, "unpaired", True, question, images, reach, power, {}, sentence)


def _power_unpaired(wish: Wish, images: int) -> float:
    other = _other(wish)
    if wish.figure == "auroc":
        return areas.power_of_areas(images, wish.expect, other, _prevalence(wish), 0.0, wish.clustering, wish.level)
    return shares.power_unpaired(images, wish.expect, other - wish.expect, wish.clustering, wish.level)


def _answer(
    wish: Wish,
    kind: str,
    given: bool,
    question: str,
    images: int | None,
    reach: float,
    power: float,
    assumed: Mapping[str, float],
    sentence: str,
) -> Answer:
    share, clustering = wish.share_of_images, wish.clustering
    total = None if images is None or share is None else math.ceil(images / share - 1e-9)
    everything = {
        wish.figure: wish.expect,
        "level": wish.level,
        "images_per_patient": clustering.per_patient,
        "design_effect": clustering.effect,
        **({} if wish.prevalence is None and wish.figure != "auroc" else {"prevalence": _prevalence(wish)}),
        **assumed,
    }
    patients = None if images is None else wish.patients(images)
    full = f"{wish.title}: {question}"
    return Answer(kind, given, full, images, total, patients, reach, power, everything, _capital(sentence))


def _prevalence(wish: Wish) -> float:
    return 0.5 if wish.prevalence is None else wish.prevalence


def _other(wish: Wish) -> float:
    return wish.expect if wish.against is None else wish.against


def _key(wish: Wish) -> str:
    return "score_correlation" if wish.figure == "auroc" else "discordant"


def _agreement(wish: Wish, assumed: float) -> str:
    return f"scores correlate {assumed:.2g}" if wish.figure == "auroc" else f"{100 * assumed:.3g} % discordant"


def _where(wish: Wish, assumed: float) -> str:
    if wish.figure == "auroc":
        return f"where the two models' scores correlate by {assumed:.2g} within a class"
    return f"where just one of the two is right on {100 * assumed:.3g} % of them"


def _value(wish: Wish, value: float) -> str:
    return f"{value:.3g}" if wish.figure == "auroc" else f"{100 * value:.3g} %"


def _points(difference: float) -> str:
    return f"{100 * difference:.2g} points" if abs(difference) < 0.0995 else f"{100 * difference:.3g} points"


def _an(wish: Wish) -> str:
    return f"{'a' if wish.figure in ('sensitivity', 'specificity') else 'an'} {wish.title}"


def _of(wish: Wish) -> str:
    return f"of {_value(wish, wish.expect)}"


def _many(wish: Wish, images: int | None) -> str:
    if images is None:
        return f"more than {shares.MOST:,} {wish.unit}"
    words, share = f"{_count(images)} {wish.unit}", wish.share_of_images
    if share is not None and share < 1:
        words += f", hence about {_count(math.ceil(images / share - 1e-9))} images"
    if max(wish.clustering.per_patient, wish.images_per_patient or 1) > 1:
        words += f" of {_count(wish.patients(images))} patients"
    return words


def _set(wish: Wish, images: int, name: str) -> str:
    worth = wish.clustering.worth(images)
    words = f"{_count(images)} {wish.unit}" + (f" of {name}" if name else "")
    return words if worth > images - 0.5 else f"{words}, worth {_count(round(worth))} independent ones,"


def _show(wish: Wish, reach: float) -> str:
    if not math.isfinite(reach):
        return f"show no difference between two models with {100 * wish.power:.0f} % power"
    return f"show a difference of {_points(reach)} between two models with {100 * wish.power:.0f} % power"


def _count(number: float) -> str:
    return f"{number:,.0f}"


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
