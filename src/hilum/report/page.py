"""The page: chapters of sections, one file, nothing from outside."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from hilum.report.charts.palette import render_stylesheet, render_variables
from hilum.report.sections.anomaly import make_anomaly
from hilum.report.sections.audit import make_audit
from hilum.report.sections.augmented import make_augmented
from hilum.report.sections.banner import render_banner
from hilum.report.sections.cams import make_exam, make_mapped_mistakes
from hilum.report.sections.comparison import make_comparison
from hilum.report.sections.confusion import make_confusion
from hilum.report.sections.curves import make_precision_recall, make_reliability, make_roc
from hilum.report.sections.data import make_counts, make_left_out, make_patients, make_samples
from hilum.report.sections.gap import make_gap
from hilum.report.sections.headline import describe_result, render_headline
from hilum.report.sections.leaderboard import make_fruitless, make_leaderboard
from hilum.report.sections.ledger import make_ledger
from hilum.report.sections.making import make_recipe, make_repetition, make_stages
from hilum.report.sections.mistakes import make_mistakes, make_right
from hilum.report.sections.neighbors import make_neighbor_examples, make_neighbors
from hilum.report.sections.notes import make_notes
from hilum.report.sections.papers import make_papers
from hilum.report.sections.per_class import make_averages, make_per_class
from hilum.report.sections.points import make_points
from hilum.report.sections.projection import make_projection
from hilum.report.sections.section import TEMPLATES, Section, SectionMaker, render
from hilum.report.sections.shapes import make_shapes
from hilum.report.sections.training import make_training
from hilum.report.study_folder import Study, read_study
from hilum.report.writing import write_text

REPORT = "report.html"


@dataclass(frozen=True)
class Chapter:
    """Sections under one large heading; a new section is a module and an entry here."""

    anchor: str
    title: str
    makers: tuple[SectionMaker, ...]


CHAPTERS = (
    Chapter("audit", "The audit of the data", (make_audit,)),
    Chapter("data", "The data", (make_counts, make_samples, make_shapes, make_patients, make_left_out)),
    Chapter("runs", "The runs compared", (make_leaderboard, make_comparison, make_fruitless)),
    Chapter(
        "chosen",
        "The chosen run",
        (
            make_training,
            make_gap,
            make_confusion,
            make_per_class,
            make_roc,
            make_precision_recall,
            make_reliability,
            make_points,
            make_averages,
            make_mistakes,
            make_right,
        ),
    ),
    Chapter(
        "inspection",
        "What the model knows and looks at",
        (make_neighbors, make_neighbor_examples, make_projection, make_anomaly, make_mapped_mistakes, make_exam),
    ),
    Chapter("test", "How often the test split was opened", (make_ledger,)),
    Chapter("making", "How it was made", (make_papers, make_repetition, make_recipe, make_augmented, make_stages)),
    Chapter("notes", "How to read the figures", (make_notes,)),
)


def write_report(study_dir: Path) -> Path:
    """Reads a study folder and writes its `report.html`, beside and renamed into place.

    Args:
        study_dir: what `hilum study` wrote; the original pictures are shown where they are still to be found.

    Returns:
        The path of the page: one file that loads nothing from anywhere.

    Raises:
        DataError: no study there, or a file of it that is not what hilum wrote.
    """
    return write_text(Path(study_dir) / REPORT, render_page(read_study(Path(study_dir))))


def describe_study(study_dir: Path) -> str:
    """The result of a study in one sentence, as at the top of its page.

    Raises:
        DataError: no study there, or a file of it that is not what hilum wrote.
    """
    return str(describe_result(read_study(Path(study_dir))).striptags())


def render_page(study: Study) -> Markup:
    """The whole page of a study."""
    return render_document(
        study, describe_result(study).striptags(), render_headline(study) + render_banner(study), _chapters_of(study)
    )


def render_document(about: Any, title: str, head: Markup, chapters: list[tuple[Chapter, list[Section]]]) -> Markup:
    """A page in the report's style.

    Args:
        about: has `facts` with the `name`, time (`started`) and version (`hilum`) that frame the page.
        title: of the browser's tab.
        head: the first screen.
        chapters: each with its sections; a section without a title has its own heading.
    """
    style = render_variables() + (TEMPLATES / "style.css").read_text(encoding="utf-8") + render_stylesheet()
    scripts = list(dict.fromkeys(each.script for _, sections in chapters for each in sections if each.script))
    allowed = "".join(f" 'sha256-{_digest(script)}'" for script in scripts)
    return render(
        "page.html",
        study=about,
        title=title,
        style=Markup(style),
        policy=f"default-src 'none'; style-src 'sha256-{_digest(style)}'; img-src data:;"
        + (f" script-src{allowed};" if scripts else "")
        + " base-uri 'none'; form-action 'none'",
        scripts=[Markup(script) for script in scripts],
        head=head,
        chapters=chapters,
    )


def _chapters_of(study: Study) -> list[tuple[Chapter, list[Section]]]:
    return list(_fill_chapters(study))


def _fill_chapters(study: Study) -> Iterator[tuple[Chapter, list[Section]]]:
    for chapter in CHAPTERS:
        sections = [section for make in chapter.makers if (section := make(study))]
        if sections:
            yield chapter, sections


def _digest(content: str) -> str:
    return base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
