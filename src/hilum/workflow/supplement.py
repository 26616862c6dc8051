"""The checklists, the cards and the form of a finished study, written anew."""

from __future__ import annotations

from pathlib import Path

from hilum.report.card import CARD_FILE, write_card
from hilum.report.checklist import Checklist, read_checklist, write_checklist, write_form
from hilum.workflow.record import locked
from hilum.workflow.seal import extend_seal


def write_supplement(study_dir: Path) -> tuple[Checklist, tuple[Path, ...]]:
    """Writes the checklists and `answers.csv` of a study, and renews the model cards that are there.

    Returns:
        The checklist as it was written, and the files: the checklist as CSV, HTML and Markdown, and the form.

    Raises:
        DataError: no study there, or an `answers.csv` that cannot be read.
    """
    read_checklist(study_dir)  # before anything is locked or written: a mistyped path leaves nothing behind
    with locked(study_dir):
        cards = [write_card(each.parent) for each in sorted(study_dir.glob(f"*/{CARD_FILE}"))]
        written = write_checklist(study_dir)
        checklist = read_checklist(study_dir)
        form = write_form(checklist)
        names = [path.relative_to(study_dir).as_posix() for path in (*cards, *written)]
        extend_seal(study_dir, names, "hilum checklist")
    return checklist, (*written, form)
