"""The audit of a folder made anew: findings, counts, the list of suspected labels, its page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hilum.audit import audit_manifest
from hilum.audit.audit import RULES
from hilum.audit.finding import Audit, read_audit
from hilum.audit.pictures import CANVAS
from hilum.data.build import open_cache
from hilum.data.manifest import Manifest
from hilum.errors import DataError
from hilum.verify.book import Book
from hilum.verify.documents import compare_csv, compare_values
from hilum.workflow.audit import AUDIT, SUSPECTS

TIMES = ("seconds",)
COUNTS = ("images", "patients", "classes", "splits", "left_out", "manifest")


def check_audit(book: Book, folder: Path, manifest: Manifest, cache_dir: Path | None, canvas_digest: str) -> None:
    """Compares `audit.json` with an audit that is made anew.

    Args:
        cache_dir: where canvases lie, or may be put; None where neither cache nor pictures are there.
        canvas_digest: of the canvases.
    """
    path = folder / AUDIT
    if not path.exists():
        return
    with book.check("the audit", AUDIT):
        found = json.loads(path.read_text(encoding="utf-8"))
        if cache_dir is None:
            book.skip(f"{AUDIT} was not made anew: neither cache nor pictures are there.")
        elif found["facts"].get("rules") != RULES:
            book.skip(f"{AUDIT} was not made anew: it follows rules {found['facts'].get('rules')}, this build {RULES}.")
        else:
            _compare(book, _again(book, folder, manifest, cache_dir, found, canvas_digest), found)
    with book.check("suspected labels", SUSPECTS):
        _check_suspects(book, folder, read_audit(path), corrected="corrections" in manifest.facts)


def _compare(book: Book, made: dict[str, Any], found: dict[str, Any]) -> None:
    """All of it for the same build; of another build, which may look for other things, the counts."""
    counts = {name: made["facts"].get(name) for name in COUNTS}
    compare_values(book, AUDIT, counts, {name: found["facts"].get(name) for name in COUNTS}, "facts")
    apart = book if book.same_build else Book(same_build=False)
    compare_values(apart, AUDIT, made, found, but=TIMES)
    if apart is not book and apart.differences:
        places = len(apart.differences)
        book.skip(f"{AUDIT} was written by another build, and this one finds something else in {places} places.")


def _again(
    book: Book, folder: Path, manifest: Manifest, cache_dir: Path, found: dict[str, Any], canvas_digest: str
) -> dict[str, Any]:
    quarantine = pd.read_csv(folder / "quarantine.csv", dtype=str, keep_default_na=False)
    seed = int(found["facts"]["seed"])
    table = manifest.table.to_csv(index=False) + json.dumps(dict(manifest.facts), sort_keys=True, default=str)
    key = ("audit", table, quarantine.to_csv(index=False), seed, canvas_digest)

    def audit() -> Audit:
        canvases = open_cache(manifest, CANVAS, cache_dir).of(manifest.table)
        return audit_manifest(manifest, canvases, quarantine=quarantine, seed=seed)

    made = json.loads(json.dumps(book.recall(key, audit).to_json()))
    made["facts"]["hilum"] = found["facts"].get("hilum")  # the version that wrote it; the seal holds it
    return made


def _check_suspects(book: Book, folder: Path, audit: Audit, *, corrected: bool) -> None:
    """The list says what the audit found; its column `corrected` is for people."""
    rows = [row for finding in audit.of("suspected-labels") for row in finding.table]
    path = folder / SUSPECTS
    if not rows:
        return
    if not path.exists():
        book.differ(SUSPECTS, "", "the list of suspected labels", "no such file")
        return
    text = path.read_bytes().decode("utf-8-sig", errors="replace")
    if _is_worked_in(text):
        if corrected:
            book.note(f"{SUSPECTS} was filled in and given back: it is the work of a person, not compared.")
            return
        book.note(f"{SUSPECTS} has been filled in; its other columns were compared.")
        compare_csv(book, SUSPECTS, pd.DataFrame(rows).to_csv(index=False), text, but=("corrected",))
    else:
        compare_csv(book, SUSPECTS, pd.DataFrame(rows).to_csv(index=False), text)


def _is_worked_in(text: str) -> bool:
    import io

    try:
        table = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False, index_col=False)
    except ValueError as error:
        raise DataError(SUSPECTS, expected="a table", found=str(error)) from None
    return bool("corrected" in table and np.any(table["corrected"].str.strip() != ""))
