"""What a finished study says of itself beside its figures, written anew: cards, checklists, form, report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from hilum.errors import HilumError, UsageError
from hilum.report.card import CARD_FILE, write_card
from hilum.report.checklist import FILES, Checklist, read_checklist, write_checklist, write_form
from hilum.report.page import REPORT, render_page
from hilum.report.study_folder import read_study
from hilum.report.writing import write_text
from hilum.workflow.record import locked
from hilum.workflow.seal import extend_ledger, extend_seal, is_worked_in

WAIT = 60.0
"""Seconds that another command which looked into the same study is waited for."""

PICTURE = '<img class="xray"'
"""Stands in a report for each picture that it shows."""


def write_supplement(study_dir: Path) -> tuple[Checklist, tuple[Path, ...]]:
    """Writes the checklists and `answers.csv` of a study, and renews the model cards that are there.

    Returns:
        The checklist as it was written, and the files: the checklist as CSV, HTML and Markdown, and the form.

    Raises:
        DataError: no study there, or an `answers.csv` that cannot be read.
    """
    read_checklist(study_dir)  # before anything is locked or written: a mistyped path leaves nothing behind
    with locked(study_dir):
        cards = [write_card(each) for each in _runs_with_cards(study_dir)]
        written = write_checklist(study_dir)
        checklist = read_checklist(study_dir)
        form = write_form(checklist)
        names = [path.relative_to(study_dir).as_posix() for path in (*cards, *written)]
        extend_seal(study_dir, names, "hilum checklist")
    return checklist, (*written, form)


def renew_study(study_dir: Path, command: str, written: Iterable[Path] = ()) -> None:
    """After a command looked into a study: cards, checklists and report say so, and the seal holds them.

    Whoever works in the folder at the time (a study, a training) writes the pages itself when it has ended.

    Args:
        command: words for the seal's history.
        written: other files that the command has just written; those outside the study are passed over.
    """
    pages: list[Path] = []
    with suppress(UsageError), locked(study_dir, wait=0.0 if is_worked_in(study_dir) else WAIT):
        pages = renew_pages(study_dir)
    extend_ledger(study_dir, command)
    seal_written(study_dir, command, [*written, *pages])


def seal_written(study_dir: Path, command: str, written: Iterable[Path]) -> None:
    """Seals files anew that a command has just written; those outside the study are passed over."""
    root, paths = study_dir.resolve(), [each.resolve() for each in written]
    names = [path.relative_to(root).as_posix() for path in paths if path.is_relative_to(root)]
    if names:
        extend_seal(study_dir, names, command)


def renew_pages(study_dir: Path) -> list[Path]:
    """Writes anew those pages of a folder that tell of openings and are there; the caller holds the folder.

    What cannot be made anew stays as it is, and `hilum verify` names it: the look itself is not lost to a page.
    """
    written: list[Path] = []
    for write in _writers(study_dir):
        with suppress(HilumError):
            written += write()
    return written


def _writers(study_dir: Path) -> Iterator[Callable[[], Iterable[Path]]]:
    for run_dir in _runs_with_cards(study_dir):
        yield partial(_renew_card, run_dir)
    if any((study_dir / name).exists() for name in FILES.values()):
        yield partial(write_checklist, study_dir)
    if (study_dir / REPORT).exists():
        yield partial(_renew_report, study_dir)


def _renew_card(run_dir: Path) -> list[Path]:
    return [write_card(run_dir)]


def _renew_report(study_dir: Path) -> list[Path]:
    """The report; one that would lose pictures, because they are not where they were, stays as it is."""
    found = (study_dir / REPORT).read_text(encoding="utf-8", errors="replace")
    made = str(render_page(read_study(study_dir)))
    if made.count(PICTURE) < found.count(PICTURE):
        return []
    return [write_text(study_dir / REPORT, made)]


def _runs_with_cards(study_dir: Path) -> list[Path]:
    """Runs, those of folds included, and none that was put aside."""
    found = sorted([*study_dir.glob(f"*/{CARD_FILE}"), *study_dir.glob(f"*/*/{CARD_FILE}")])
    return [each.parent for each in found if ".before-" not in each.parent.relative_to(study_dir).as_posix()]
