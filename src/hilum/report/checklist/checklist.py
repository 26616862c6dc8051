"""The checklists of a study, filled in: as a table for a supplement, as Markdown and as a page."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from hilum.report.answers import read_answers, write_answers
from hilum.report.checklist.facts import ANSWERED, FACTS, NOT_DONE, PARTLY, REPORTED, YOURS
from hilum.report.checklist.items import GUIDELINES, ITEMS, Item
from hilum.report.markdown import plain, prose, table
from hilum.report.page import CHAPTERS, REPORT, Chapter, render_document
from hilum.report.sections.section import Section, render
from hilum.report.study_folder import Study, read_study
from hilum.report.words import NO_BREAK, join_words, make_visible
from hilum.report.writing import write_text

FILES = {"csv": "checklist.csv", "html": "checklist.html", "md": "checklist.md"}
STATUSES = (REPORTED, ANSWERED, PARTLY, NOT_DONE, YOURS)
TITLES = {chapter.anchor: chapter.title for chapter in CHAPTERS}
COLUMNS = ("list", "item", "section", "asks", "status", "answer", "evidence")
NOTE = (
    "Our own short wording; the papers have the items themselves. “Reported” says that the study holds it, not that it "
    "is good. Nothing here was judged by a person."
)


@dataclass(frozen=True)
class Entry:
    """One item with what is known about it; `evidence` are links relative to the study's folder."""

    item: Item
    status: str
    answer: str
    evidence: tuple[str, ...]

    def row(self) -> dict[str, str]:
        """A line of the table."""
        cells = (
            self.item.guideline, self.item.number, self.item.section, self.item.asks, self.status, self.answer,
            "; ".join(self.evidence),
        )  # fmt: skip
        return dict(zip(COLUMNS, cells, strict=True))


@dataclass(frozen=True)
class Checklist:
    """Both guidelines, filled in."""

    study: Study
    entries: tuple[Entry, ...]

    def of(self, guideline: str) -> tuple[Entry, ...]:
        """The entries of one guideline."""
        return tuple(entry for entry in self.entries if entry.item.guideline == guideline)

    @property
    def open(self) -> tuple[Entry, ...]:
        """What a person still has to answer or add to."""
        return tuple(entry for entry in self.entries if entry.status not in (REPORTED, ANSWERED))

    def to_json(self) -> dict[str, Any]:
        """A JSON document."""
        counts = {each.key: count_statuses(self.of(each.key)) for each in GUIDELINES}
        guidelines = [asdict(each) for each in GUIDELINES]
        rows = [{**entry.row(), "evidence": list(entry.evidence)} for entry in self.entries]
        return {"schema": "hilum.checklist/1", "guidelines": guidelines, "counts": counts, "items": rows}


def read_checklist(folder: Path, *, openings: int | None = None) -> Checklist:
    """Fills in both guidelines from a study folder and its `answers.csv`.

    Args:
        openings: as if the ledger had only so many openings; None takes all.

    Raises:
        DataError: no study there, or a file of it that is not what hilum wrote.
    """
    study = read_study(Path(folder))
    if openings is not None:
        study = replace(study, ledger=study.ledger[:openings])
    facts = {name: make(study) for name, make in FACTS.items()}
    answers = read_answers(study.folder)
    entries = []
    for item in ITEMS:
        known, said = facts[item.fact], answers.get((item.guideline, item.number), "")
        text = known.text.replace(NO_BREAK, " ")
        if said:
            answer = said if known.status == YOURS else f"{text} {said}"
            entries.append(Entry(item, ANSWERED, answer, known.evidence))
        else:
            entries.append(Entry(item, known.status, text, known.evidence))
    return Checklist(study, tuple(entries))


def render_checklist(folder: Path, kind: str = "md", *, openings: int | None = None) -> str:
    """The checklists of a study as `csv`, `html` or `md`; the same files give the same text.

    Raises:
        KeyError: another kind.
        DataError: see `read_checklist`.
    """
    return RENDERERS[kind](read_checklist(folder, openings=openings))


def write_checklist(folder: Path) -> tuple[Path, ...]:
    """Writes `checklist.csv`, `checklist.html` and `checklist.md` into a study folder, each renamed into place."""
    checklist = read_checklist(Path(folder))
    return tuple(write_text(Path(folder) / name, RENDERERS[kind](checklist)) for kind, name in FILES.items())


def write_form(checklist: Checklist) -> Path:
    """Writes `answers.csv`, a line an item that a person can add to; answers that are there stay."""
    asked = [(each.item.guideline, each.item.number, each.item.asks) for each in checklist.entries if _is_open(each)]
    return write_answers(checklist.study.folder, asked)


def count_statuses(entries: Sequence[Entry]) -> dict[str, int]:
    """How many entries have each status, zeros included."""
    counts = Counter(entry.status for entry in entries)
    return {status: counts[status] for status in STATUSES}


def describe_counts(entries: Sequence[Entry]) -> str:
    """`44 items: 20 reported, 12 partly, ...`."""
    counts = [f"{count} {status}" for status, count in count_statuses(entries).items() if count]
    return f"{len(entries)} entries: {join_words(counts)}."


def _is_open(entry: Entry) -> bool:
    return entry.status != REPORTED


def _render_csv(checklist: Checklist) -> str:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in entry.row().items()} for entry in checklist.entries)
    return text.getvalue()


def _cell(text: str) -> str:
    """One line that no spreadsheet takes for a formula."""
    line = " ".join(make_visible(text).split())
    return f"'{line}" if line[:1] in "=+-@" and line else line


def _render_markdown(checklist: Checklist) -> str:
    parts = [f"# Reporting checklists: {plain(checklist.study.facts.name)}", prose(NOTE)]
    for guideline in GUIDELINES:
        entries = checklist.of(guideline.key)
        rows = [
            [plain(e.item.number), plain(e.item.asks), f"**{e.status}**", prose(e.answer), _links(e.evidence)]
            for e in entries
        ]
        parts += [
            f"## {guideline.title}",
            f"{plain(describe_counts(entries))} {plain(guideline.cite)} <https://doi.org/{guideline.doi}>",
            table(["item", "what it asks, in our words", "", "answer", "evidence"], rows),
        ]
    return "\n\n".join(parts) + "\n"


def _links(evidence: Sequence[str]) -> str:
    return ", ".join(f"[{plain(_name(target))}](<{target}>)" for target in evidence)


def _name(target: str) -> str:
    """What a link is called: the chapter's title, or the file."""
    name, _, anchor = target.partition("#")
    if name != REPORT:
        return target
    return f"report: {TITLES[anchor]}" if anchor in TITLES else "report: the finding"


def _render_page(checklist: Checklist) -> str:
    study = checklist.study
    counts = [(each, describe_counts(checklist.of(each.key))) for each in GUIDELINES]
    head = render("checklist_head.html", name=study.facts.name, counts=counts, note=NOTE)
    chapters = []
    for guideline in GUIDELINES:
        entries = checklist.of(guideline.key)
        sections = []
        for title in dict.fromkeys(entry.item.section for entry in entries):
            rows = [
                (entry, [(_name(target), target) for target in entry.evidence])
                for entry in entries
                if entry.item.section == title
            ]
            sections.append(Section(title, render("checklist.html", rows=rows, missing=NOT_DONE)))
        chapters.append((Chapter(guideline.key.casefold().replace("+", "-"), guideline.title, ()), sections))
    return str(render_document(study, f"Checklists: {study.facts.name}", head, chapters))


RENDERERS = {"csv": _render_csv, "html": _render_page, "md": _render_markdown}
