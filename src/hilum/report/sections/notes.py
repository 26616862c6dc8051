"""Footnotes: how each figure was averaged and what its interval rests on."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from hilum.evaluation.values import Evaluation
from hilum.report.sections.section import Section, evaluated, name_source, render
from hilum.report.study_folder import Study
from hilum.report.words import capitalise, end_sentence, join_words, render_metric

PER_CLASS = "per class"


@dataclass(frozen=True)
class Note:
    """One footnote and the figures that point to it."""

    number: int
    keys: tuple[str, ...]
    text: str


def collect_notes(evaluation: Evaluation) -> tuple[Note, ...]:
    """One note for each different text: first on single classes, then on the averages."""
    by_text: dict[str, list[str]] = {_about_classes(evaluation): [PER_CLASS]}
    for name, text in evaluation.averaging.items():
        by_text.setdefault(end_sentence(text), []).append(name)
    return tuple(Note(i, tuple(keys), text) for i, (text, keys) in enumerate(by_text.items(), start=1))


def refer(evaluation: Evaluation, key: str) -> Markup:
    """The small number that leads to a note; nothing where there is none."""
    for note in collect_notes(evaluation):
        if key in note.keys:
            link = Markup('<sup class="ref"><a href="#note-{0}" aria-label="Footnote {0}">{0}</a></sup>')
            return link.format(note.number)
    return Markup()


def make_notes(study: Study) -> Section | None:
    """The footnotes themselves."""
    evaluation = evaluated(study)
    if evaluation is None:
        return None
    notes = [(note, _title(note)) for note in collect_notes(evaluation)]
    return Section("Footnotes", render("notes.html", notes=notes, source=name_source(study)))


def _title(note: Note) -> str:
    if note.keys == (PER_CLASS,):
        return "Figures of one class"
    return capitalise(join_words([render_metric(key) for key in note.keys]))


def _about_classes(evaluation: Evaluation) -> str:
    intervals = end_sentence(str(evaluation.source.get("class_intervals", "")))
    return (
        "The answer of the network is the class that it holds most probable. Sensitivity: of the images of this class, "
        "the share that it found. Specificity: of all others, the share that it did not call by this name. PPV: of "
        f"those that it called so, the share that were. {intervals}"
    ).strip()
