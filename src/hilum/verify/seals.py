"""The seal looked at last: what cannot be computed again has to be what stood there when hilum had ended."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hilum.verify.book import Book
from hilum.workflow.seal import SEAL, BrokenSeal, Seal, build_digest, find_changes, hash_files, read_seal

NAMED = ("study.json", "manifest.json", "evaluation.json")
"""Files that say that a seal was written beside them."""


def open_seal(folder: Path) -> tuple[Seal | None, str]:
    """The seal, and what is wrong with it; empty where all is well or none was ever written."""
    try:
        seal = read_seal(folder)
    except BrokenSeal as error:
        return None, str(error)
    return seal, "no such file" if seal is None and _was_sealed(folder) else ""


def is_same_build(seal: Seal | None) -> bool:
    """Whether these very sources wrote the folder."""
    return seal is not None and seal.code == build_digest()


def check_seal(book: Book, folder: Path, seal: Seal | None, fault: str) -> None:
    """Compares every sealed file with its digest."""
    if fault:
        book.differ(SEAL, "the seal", "the seal that hilum wrote", fault)
    if seal is None:
        book.skip(
            "There is no whole seal: seconds, times, histories, versions and words that cannot be computed again could "
            "not be compared."
        )
        return
    book.compared += len(seal.files)
    unfinished = bool(seal.working)
    for change in find_changes(folder, seal):
        if unfinished:
            continue
        found = f"SHA-256 {change.found[:12]}…" if change.found else "no such file"
        book.differ(change.file, "the whole file", f"SHA-256 {change.sealed[:12]}… of the seal", found)
    if unfinished:
        began = seal.working[0]
        book.skip(
            f"`{began.get('command')}` began here at {began.get('began')} and has not ended: what changed since cannot "
            "be told from what it wrote itself."
        )
    for change in seal.altered:
        words = f"changed by other hands, noticed {change.noticed}, before it was sealed again"
        book.differ(change.file, "the whole file", f"SHA-256 {change.sealed[:12]}… of an earlier seal", words)
    _note_unknown(book, folder, seal)


def _note_unknown(book: Book, folder: Path, seal: Seal) -> None:
    files, nested = hash_files(folder)
    for name in seal.nested:
        if name not in nested:
            book.differ(f"{name}/{SEAL}", "the seal", "a folder with a seal of its own", "none")
    unknown = [name for name in files if name not in seal.files and not any(_below(name, each) for each in seal.nested)]
    if unknown:
        listed = ", ".join(unknown[:4]) + (" and others" if len(unknown) > 4 else "")
        book.note(f"{len(unknown)} files came after the seal, or were not written by hilum: {listed}.")


def _below(name: str, folder: str) -> bool:
    return name.startswith(f"{folder}/")


def _was_sealed(folder: Path) -> bool:
    return any(_says(folder / name) for name in NAMED)


def _says(path: Path) -> bool:
    try:
        document: Any = json.loads(path.read_text(encoding="utf-8"))
        return document.get("seal") == SEAL
    except (OSError, ValueError, AttributeError):
        return False
