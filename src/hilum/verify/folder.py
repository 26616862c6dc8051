"""A folder verified from the evidence up: pictures, manifest, models, predictions, figures, pages, and the seal."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, MutableMapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from hilum.audit.pictures import CANVAS
from hilum.data.cache import cache_key, find_cache
from hilum.data.manifest import Manifest, read_manifest
from hilum.errors import DataError, UsageError
from hilum.models.weights import file_sha256
from hilum.transforms import Preprocessing
from hilum.verify.audits import check_audit
from hilum.verify.book import Book, Verification
from hilum.verify.other_data import DOCUMENT, check_evaluation
from hilum.verify.pictures import Pictures, check_decoded, check_pictures, find_root
from hilum.verify.rendered import check_audit_page, check_evaluation_page, check_report, check_texts
from hilum.verify.repeats import check_repetitions, is_fold
from hilum.verify.runs import RunFolder, check_run
from hilum.verify.seals import check_seal, is_same_build, open_seal
from hilum.verify.study import STUDY, StudyFolder, check_study
from hilum.workflow.seal import SEAL, find_changes

MANIFEST = "manifest.parquet"
OURS = (STUDY, MANIFEST, DOCUMENT, SEAL, "manifest.json", "audit.json")


def verify_folder(
    folder: Path,
    *,
    data: Path | None = None,
    seal: bool = True,
    memory: MutableMapping[Any, Any] | None = None,
) -> Verification:
    """Computes everything again that can be, and compares it with what a folder says. Writes nothing into it.

    Args:
        folder: of `hilum study`, `train`, `tune`, `audit` or `evaluate`.
        data: where the pictures lie now; None where the manifest says, or inside the folder.
        seal: also compare files with the seal; without it only what can be computed again is looked at.
        memory: of earlier calls on copies of the same folder, see `Book`.

    Raises:
        DataError: nothing there that hilum wrote.
        UsageError: `data` is no folder.
    """
    folder = Path(folder)
    if not any((folder / name).is_file() for name in OURS):
        expected = "a folder of `hilum study`, `train`, `tune`, `audit` or `evaluate`"
        raise DataError(str(folder), expected=expected, found="none" if not folder.is_dir() else "another one")
    if data is not None and not Path(data).is_dir():
        raise UsageError("--data", expected="the folder that the pictures lie in now", found=str(data))
    last, fault = open_seal(folder)
    same = is_same_build(last) or bool(fault)
    intact = frozenset() if last is None else frozenset(last.files) - {each.file for each in find_changes(folder, last)}
    book = Book(same_build=same, memory={} if memory is None else memory, intact=intact)
    kind = "evaluation" if (folder / DOCUMENT).exists() else "study" if (folder / STUDY).exists() else "runs"
    manifest = _manifest(book, folder)
    if manifest is not None:
        with tempfile.TemporaryDirectory() as temporary:
            _check_all(book, folder, kind, manifest, data, Path(temporary))
    if seal:
        with book.check("the seal", SEAL):
            check_seal(book, folder, last, fault)
    return book.close(folder, kind)


def _manifest(book: Book, folder: Path) -> Manifest | None:
    with book.check("the manifest", MANIFEST):
        manifest = read_manifest(folder / MANIFEST)
        table = manifest.table
        book.expect(MANIFEST, "images that stand there twice", 0, int(table["image_path"].duplicated().sum()))
        unknown = sorted(set(table["label"]) - set(manifest.labels))
        book.expect(MANIFEST, "labels", [], unknown)
        return manifest
    book.skip("Nothing could be computed again without the manifest.")
    return None


def _check_all(book: Book, folder: Path, kind: str, manifest: Manifest, data: Path | None, temporary: Path) -> None:
    root = find_root(folder, manifest, data)
    pictures = Pictures(None, np.zeros(len(manifest), bool))
    with book.check("the pictures", "pictures"):
        pictures = check_pictures(book, manifest, root)
    runs = list(_runs(folder, manifest))
    with book.check("cache and manifest beside the pictures", MANIFEST):
        check_decoded(book, folder, manifest, pictures, [*_preprocessings(runs)])
    if kind == "evaluation":
        check_evaluation(book, folder, manifest)
        check_evaluation_page(book, folder, pictures)
        return
    runs = _current(book, folder, runs) if kind == "study" else runs
    _check_fingerprint(book, runs)
    for run in runs:
        check_run(book, run)
    check_repetitions(book, folder)
    cache_dir = _cache_dir(folder, manifest, pictures, temporary)
    with_pictures = replace(manifest, root=pictures.root) if pictures.root else manifest
    if kind == "study":
        with book.check("the study", STUDY):
            facts = json.loads((folder / STUDY).read_text(encoding="utf-8"))
            check_study(book, StudyFolder(folder, facts, with_pictures, cache_dir))
    check_audit(book, folder, with_pictures, cache_dir, _digest_of(folder, manifest))
    check_audit_page(book, folder, pictures)
    check_texts(book, folder, [run.name for run in runs])
    if kind == "study":
        check_report(book, folder, pictures)


def _runs(folder: Path, manifest: Manifest) -> Iterator[RunFolder]:
    """Runs with figures, those of folds and trials included; put-aside ones are left to the seal."""
    for path in sorted([*folder.glob("*/begun.json"), *folder.glob("*/*/begun.json")]):
        name = path.parent.relative_to(folder).as_posix()
        if ".before-" in name or not (path.parent / "metrics.json").exists():
            continue
        keeps = not any((path.parent.parent / each).exists() for each in ("trials.csv", "trials.sqlite"))
        yield RunFolder(folder, name, manifest, is_fold(name, folder), keeps)


def _current(book: Book, folder: Path, runs: list[RunFolder]) -> list[RunFolder]:
    """Without runs that the study does not list and that were trained on a split which lay here before."""
    try:
        listed = {each["run"] for each in json.loads((folder / STUDY).read_text(encoding="utf-8"))["runs"]}
    except (ValueError, TypeError, KeyError):
        return runs  # the study's own check names it
    old = [
        run.name
        for run in runs
        if run.name not in listed and not run.fold and _trained_on(run) not in ("", run.manifest.fingerprint)
    ]
    if old:
        names = ", ".join(old)
        book.note(f"Not computed again, for they were trained on a split that lay here before: {names}.")
    return [run for run in runs if run.name not in old]


def _trained_on(run: RunFolder) -> str:
    try:
        return str(run.document("begun.json").get("manifest", ""))
    except (ValueError, AttributeError):
        return ""


def _check_fingerprint(book: Book, runs: list[RunFolder]) -> None:
    with book.check("the split", MANIFEST):
        for run in (each for each in runs if not each.fold):
            named = run.document("begun.json").get("manifest")
            where = f"fingerprint of images, labels, patients and splits, as {run.name} names it"
            book.expect(MANIFEST, where, named, run.manifest.fingerprint)


def _preprocessings(runs: list[RunFolder]) -> Iterator[Preprocessing]:
    seen = set()
    for run in runs:
        try:
            each = Preprocessing(**run.document("recipe.json")["preprocessing"])
        except (ValueError, TypeError, KeyError):
            continue  # the run's own check names it
        if repr(each.canvas) not in seen and each.canvas != CANVAS.canvas:
            seen.add(repr(each.canvas))
            yield each


def _cache_dir(folder: Path, manifest: Manifest, pictures: Pictures, temporary: Path) -> Path | None:
    """Where the canvases of the audit are, or can be made: nothing is written into the folder itself."""
    cache = find_cache(folder / "cache" / cache_key(manifest.table["sha256"], CANVAS))
    if cache is not None and set(manifest.table["sha256"]) <= cache.row_of.keys():
        return folder / "cache"
    return temporary if pictures.root is not None and pictures.sound.all() else None


def _digest_of(folder: Path, manifest: Manifest) -> str:
    path = folder / "cache" / cache_key(manifest.table["sha256"], CANVAS) / "canvases.npy"
    return file_sha256(path) if path.exists() else ""
