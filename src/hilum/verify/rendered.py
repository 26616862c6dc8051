"""The pages of a folder made anew from its files, and compared with what lies there."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from hilum.audit.finding import read_audit
from hilum.errors import DataError
from hilum.evaluation.ledger import LEDGER, read_ledger
from hilum.verify.book import Book
from hilum.verify.pages import compare_page
from hilum.verify.pictures import Pictures
from hilum.workflow.seal import hash_files

CARD, ANSWERS = "model-card.md", "answers.csv"
NOWHERE = Path("pictures-that-are-gone")
"""A root that does not exist: what a page looks like without its pictures."""


def check_report(book: Book, folder: Path, pictures: Pictures) -> None:
    """`report.html` of a study; one written before the last openings of the test split is stale, not wrong."""
    from hilum.report.page import REPORT, render_page
    from hilum.report.study_folder import Study, read_study

    if not (folder / REPORT).exists() and not (folder / "study.json").exists():
        return
    with book.check("the report", REPORT):
        study = read_study(folder)

        def render(root: Path, openings: int) -> str:
            shown = replace(study.manifest, root=root)
            lines = study.ledger[:openings]
            about: Study = replace(study, manifest=shown, ledger=lines)
            return str(render_page(about))

        made = _inputs_of(folder, pictures.sound.tobytes())

        def recalled(root: Path, openings: int) -> str:
            return book.recall(("report", str(root), openings, made), lambda: render(root, openings))

        count = len(study.ledger)
        shown = min(count_openings(_text(folder / REPORT)), count)
        if shown < count:
            book.note(f"{REPORT} was written before opening {shown + 1} of the ledger; `hilum report` renews it.")
        _compare(book, folder / REPORT, pictures, lambda root: recalled(root, shown))


def count_openings(page: str) -> int:
    """How many openings a report lists."""
    table = re.search(r"Every opening of a closed split</caption>.*?<tbody>(.*?)</tbody>", page, re.DOTALL)
    return table[1].count("<tr>") if table else 0


def check_audit_page(book: Book, folder: Path, pictures: Pictures) -> None:
    """`audit.html`, where `hilum audit` wrote one."""
    from hilum.data.manifest import read_manifest
    from hilum.report.audit_page import PAGE, render_audit_page

    about = folder / "audit-about.json"
    if not (about.exists() or (folder / PAGE).exists()):
        return
    with book.check("the page of the audit", PAGE):
        audit, manifest = read_audit(folder / "audit.json"), read_manifest(folder / "manifest.parquet")
        facts = json.loads(about.read_text(encoding="utf-8")) if about.exists() else {}
        _compare(
            book,
            folder / PAGE,
            pictures,
            lambda root: str(render_audit_page(replace(manifest, root=root), audit, facts)),
        )


def check_texts(book: Book, folder: Path, runs: Sequence[str]) -> None:
    """Model cards and checklists, written from the same files."""
    answers = (folder / ANSWERS).read_bytes() if (folder / ANSWERS).is_file() else b""
    openings, made = _openings(folder), _inputs_of(folder, answers)
    for run in runs:
        if (folder / run / CARD).exists():
            with book.check(f"the model card of {run}", f"{run}/{CARD}"):
                from hilum.report.card import render_card

                _check_text(book, folder, f"{run}/{CARD}", partial(render_card, folder / run), openings)
    for kind in ("csv", "html", "md"):
        if (folder / f"checklist.{kind}").exists():
            with book.check(f"the checklist, {kind}", f"checklist.{kind}"):
                from hilum.report.checklist import RENDERERS, read_checklist

                def render(openings: int, kind: str = kind) -> str:
                    key = ("checklist", openings, made)
                    return RENDERERS[kind](book.recall(key, lambda: read_checklist(folder, openings=openings)))

                _check_text(book, folder, f"checklist.{kind}", render, openings)


def _openings(folder: Path) -> int:
    """Of the ledger; 0 where it cannot be read, which the ledger's own check says."""
    try:
        return len(read_ledger(folder)) if (folder / LEDGER).exists() else 0
    except DataError:
        return 0


def _check_text(book: Book, folder: Path, name: str, render: Callable[..., str], openings: int) -> None:
    """A text that depends on the ledger as it was, and on what people may have answered since."""
    found, book.compared = _text(folder / name), book.compared + 1
    for count in range(openings, max(openings - 5, -1), -1):
        if _as_written(str(render(openings=count))) == found:
            if count < openings:
                book.note(f"{name} was written before opening {count + 1} of the ledger.")
            return
    if name in book.intact and (folder / ANSWERS).exists():
        book.note(f"{name} may be older than the answers in {ANSWERS}: it is as it was sealed.")
        return
    compare_page(book, name, _as_written(str(render(openings=openings))), found, pictures=True)


def check_evaluation_page(book: Book, folder: Path, pictures: Pictures) -> None:
    """`report.html` of `hilum evaluate`."""
    from hilum.report.evaluation_page import PAGE, render_evaluation_page

    with book.check("the page", PAGE):
        _compare(book, folder / PAGE, pictures, lambda root: str(render_evaluation_page(folder, root)))


def _compare(book: Book, path: Path, pictures: Pictures, render: Callable[[Path], str]) -> None:
    """With its pictures where they are there; a page that was written without them is as good."""
    found = _text(path)
    expected = render(pictures.root or NOWHERE)
    if expected != found and pictures.root is not None and render(NOWHERE) == found:
        book.note(f"{path.name} was written where its pictures were not to be found.")
        expected = found
    compare_page(book, path.name, _as_written(expected), found, pictures=pictures.root is not None)


def _inputs_of(folder: Path, others: bytes) -> str:
    """Digest of all that a page may be made from.

    Args:
        others: what is not sealed and goes into it: which pictures are sound, what people answered.
    """
    files, _ = hash_files(folder)
    pages = {name: digest for name, digest in files.items() if not name.endswith((".html", ".svg"))}
    return hashlib.sha256(repr((sorted(pages.items()), others)).encode()).hexdigest()


def _text(path: Path) -> str:
    return path.read_bytes().decode("utf-8", errors="replace")


def _as_written(page: str) -> str:
    return page.encode("utf-8", errors="backslashreplace").decode("utf-8")
