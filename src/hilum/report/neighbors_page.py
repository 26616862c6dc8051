"""What `hilum neighbors` found, as a page and as a piece of a notebook."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from markupsafe import Markup, escape

from hilum.report.page import Chapter, render_document
from hilum.report.pictures import thumbnail_of
from hilum.report.sections.headline import NOT_FOR
from hilum.report.sections.neighbors import SPLITS, describe_neighbors, render_examples, render_figures
from hilum.report.sections.section import Section
from hilum.report.words import end_sentence, render_count, render_percent
from hilum.report.writing import write_text
from hilum.version import __version__


def write_neighbors_page(result: Any, path: Path) -> Path:
    """Writes a page that loads nothing, beside and renamed into place.

    Args:
        result: a `hilum.workflow.neighbors.NeighborsResult`.
    """
    sections = []
    if result.evaluations:
        figures = render_figures(
            result.evaluations, result.settings, result.index_images, "neighbors", result.remarks, chosen=result.chosen
        )
        sections.append(Section("The figures", figures))
    if result.answers:
        sections.append(Section("Neighbours as pictures", render_examples(result.answers, labels_of(result))))
    sentence = describe_result(result)
    head = Markup(
        '<section class="first"><h1>{}</h1><p class="not-for"><strong>Not for patients.</strong> {}</p></section>'
    )
    now = datetime.now(UTC).isoformat(timespec="seconds")
    about = SimpleNamespace(facts=SimpleNamespace(name="neighbours", started=now, hilum=__version__))
    chapters = [(Chapter("neighbours", "The nearest training pictures", ()), sections)]
    page = render_document(about, sentence, head.format(sentence, NOT_FOR), chapters)
    return write_text(path, page)


def labels_of(result: Any) -> list[str]:
    """The classes, in the order of the votes."""
    named = [list(each.votes) for each in result.answers if each.votes]
    return named[0] if named else []


def describe_result(result: Any) -> str:
    """What came out, in a sentence or two."""
    main = next((name for name in SPLITS if name in result.evaluations), None)
    if main:
        return describe_neighbors(
            result.evaluations[main], SPLITS[main], result.settings, result.index_images, chosen=result.chosen
        )
    if len(result.answers) == 1 and not result.answers[0].leak:
        only = result.answers[0]
        votes = f"{render_percent(only.votes[only.label])} of the votes of the nearest training pictures"
        return end_sentence(f"{only.name}: {only.label}, by {votes}: {result.settings}")
    refused = f", {render_count(len(result.refused), 'picture')} refused" if result.refused else ""
    answered = len(result.answers) - len(result.refused)
    return end_sentence(
        f"{render_count(answered, 'picture')} called by the nearest training pictures{refused}: {result.settings}"
    )


def render_result(result: Any) -> Markup:
    """For a notebook: the sentence, and each answer with its pictures."""
    return Markup("<p>{}</p>").format(describe_result(result)) + Markup("").join(map(render_answer, result.answers))


def render_answer(answer: Any) -> Markup:
    """For a notebook: one image, what it was called, and its neighbours as pictures in a row."""
    said = (
        f"refused: {answer.leak}"
        if not answer.label
        else f"{answer.label} ({answer.votes[answer.label]:.0%} of the votes)"
    )
    cells = [_cell(answer.path, answer.name, "asked")]
    cells += [
        _cell(Path(answer.root) / each["image_path"], each["image_path"], f"{each['label']}, {each['distance']:.3g}")
        for each in answer.neighbors[:5]
    ]
    row = Markup("").join(cells)
    warning = f" Allowed although {answer.leak}." if answer.leak and answer.label else ""
    return Markup("<p><b>{}</b>: {}.{}</p><table><tr>{}</tr></table><p>{}</p>").format(
        answer.name, said, warning, row, "For research and teaching; not a medical device."
    )


def _cell(path: Path, name: str, words: str) -> Markup:
    picture = thumbnail_of(path, name)
    image = (
        Markup('<img src="{}" width="110" alt="{}">').format(picture.uri, name)
        if picture.uri
        else escape(picture.sentence)
    )
    return Markup("<td>{}<br>{}</td>").format(image, words)
