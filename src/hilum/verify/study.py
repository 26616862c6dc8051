"""What a whole study says: the order of its runs, the comparison, the guards, the gap, the ledger and the pages."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from hilum.data.manifest import Manifest
from hilum.data.predictions import read_predictions
from hilum.evaluation import Entry, Evaluation, build_leaderboard, choose_run, compare, find_broken_line, read_ledger
from hilum.evaluation.ledger import LEDGER
from hilum.evaluation.values import without_nan
from hilum.models.weights import file_sha256
from hilum.verify.book import Book
from hilum.verify.documents import compare_csv, compare_values
from hilum.verify.runs import evaluation_of
from hilum.workflow.arms import settings_apart
from hilum.workflow.choice import COMPARISON, entry_of
from hilum.workflow.gap import GAP, gap_of
from hilum.workflow.guards import GUARDS, verdicts_of_files
from hilum.workflow.run import RunOutcome

LEADERBOARD, STUDY = "leaderboard.csv", "study.json"
RESCORED = ("not-rescored", "not-reproduced")


@dataclass(frozen=True)
class StudyFolder:
    """A study and what it says of itself.

    Args:
        facts: of `study.json`.
        cache_dir: where canvases lie, or may be put; None where neither cache nor pictures are there.
    """

    folder: Path
    facts: dict[str, Any]
    manifest: Manifest
    cache_dir: Path | None

    @property
    def outcomes(self) -> list[RunOutcome]:
        fields = RunOutcome.__dataclass_fields__
        return [RunOutcome(**{name: each[name] for name in fields if name in each}) for each in self.facts["runs"]]

    @property
    def figured(self) -> list[str]:
        """Runs that have figures."""
        return [each.run for each in self.outcomes if each.status in ("done", "collapsed")]

    def document(self, name: str) -> dict[str, Any] | None:
        path = self.folder / name
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def check_study(book: Book, study: StudyFolder) -> None:
    """Everything of a study besides its runs, pages and audit."""
    with book.check("the study's own words", STUDY):
        _check_facts(book, study)
    with book.check("the order of the runs", LEADERBOARD):
        _check_leaderboard(book, study)
    with book.check("the guards", GUARDS):
        _check_guards(book, study)
    with book.check("the ledger", LEDGER):
        check_ledger(book, study.folder, study.manifest)
    for run in study.figured:
        if (study.folder / run / GAP).exists():
            with book.check(f"the gap of {run}", f"{run}/{GAP}"):
                _check_gap(book, study, run)


def _check_facts(book: Book, study: StudyFolder) -> None:
    facts, manifest = study.facts, study.manifest
    book.expect(STUDY, "labels", list(manifest.labels), facts.get("labels"))
    book.expect(
        STUDY, "positive", manifest.labels.positive if manifest.labels.is_binary else None, facts.get("positive")
    )
    book.expect(STUDY, "labels_rule", manifest.facts.get("labels_rule"), facts.get("labels_rule"))
    rejected = pd.read_csv(study.folder / "quarantine.csv", dtype=str, keep_default_na=False)
    book.compared += len(rejected)
    warnings = facts.get("warnings", [])
    for warning in manifest.facts.get("warnings", ()):
        if warning not in warnings:
            book.words_differ(STUDY, "warnings", warning, "not among them")


def _check_leaderboard(book: Book, study: StudyFolder) -> None:
    entries = [_entry(book, study, outcome) for outcome in study.outcomes]
    for entry, outcome in zip(entries, study.outcomes, strict=True):
        book.expect(STUDY, f"status of {outcome.run}", entry.outcome, outcome.status)
    done = [entry.run for entry in entries if entry.outcome == "done"]
    groups = _check_comparison(book, study, done) if done else None
    book.expect(STUDY, "chosen_run", choose_run(entries), study.facts.get("chosen_run"))
    expected = build_leaderboard(entries, groups).to_csv(index=False)
    found = (study.folder / LEADERBOARD).read_bytes().decode("utf-8", errors="replace")
    compare_csv(book, LEADERBOARD, expected, found)


def _entry(book: Book, study: StudyFolder, outcome: RunOutcome) -> Entry:
    """A run's line, its figures made anew from its predictions."""
    run_dir = study.folder / outcome.run
    entry = entry_of(run_dir, outcome)
    if entry.validation is None:
        return entry
    path = run_dir / "predictions-val.parquet"
    made = evaluation_of(book, path, read_predictions(path), entry.validation.to_json())
    return replace(entry, validation=Evaluation.from_json(made))


def _check_comparison(book: Book, study: StudyFolder, done: Sequence[str]) -> dict[str, int] | None:
    found = study.document(COMPARISON)
    if found is None:
        book.words_differ(COMPARISON, "", "a comparison of the runs", "no such file")
        return None
    paths = {run: study.folder / run / "predictions-val.parquet" for run in done}
    source = (study.document(f"{done[0]}/metrics.json") or {})["val"]["source"]
    settings = {name: source[name] for name in ("seed", "replicates")}
    key = (
        "comparison",
        *(item for run, path in paths.items() for item in (run, file_sha256(path))),
        *settings.values(),
    )
    predictions = {run: read_predictions(path) for run, path in paths.items()}
    made = book.recall(key, lambda: compare(predictions, **settings))
    apart = settings_apart(made.runs, {run: study.folder / run for run in done})
    compare_values(book, COMPARISON, json.loads(json.dumps({**made.to_json(), "settings": apart})), found)
    return dict(made.groups)


def _check_guards(book: Book, study: StudyFolder) -> None:
    found = study.document(GUARDS)
    if found is None:
        book.words_differ(GUARDS, "", "what the guards found", "no such file")
        return
    expected = [
        {"run": run, **asdict(verdict)}
        for run, verdict in verdicts_of_files(study.folder, study.figured, study.manifest)
    ]
    chosen = study.facts.get("chosen_run")
    expected += _rescored(study, chosen, found)
    book.expect(GUARDS, "chosen", chosen, found.get("chosen"))
    compare_values(book, GUARDS, expected, found.get("findings"), "findings")


def _rescored(study: StudyFolder, run: str | None, found: dict[str, Any]) -> list[dict[str, Any]]:
    """What was found when the model was loaded in a process of its own: as its own file says, where there is one."""
    known = study.document(f"{run}/rescored.json") if run else None
    if known is None:
        return [each for each in found.get("findings", ()) if each.get("code") in RESCORED]
    return [{"run": run, **each} for each in known["verdicts"]]


def check_ledger(book: Book, folder: Path, manifest: Manifest) -> None:
    """The chain of its lines, and the files that it names."""
    line = find_broken_line(folder)
    book.compared += 1
    if line is not None:
        book.differ(LEDGER, f"line {line}", "one that follows from those before it", "a chain that is broken")
    openings = read_ledger(folder)
    last = {each.predictions: each for each in openings}
    for each in last.values():
        path, run_dir, where = folder / each.predictions, folder / each.run, f"opening {each.opening}"
        if not path.is_file() or path.suffix != ".parquet":
            continue  # of other data, which may lie anywhere; or a map, which may be drawn again without test images
        book.expect(LEDGER, f"{where}, SHA-256 of {each.predictions}", each.predictions_sha256, file_sha256(path))
        if path.parent != run_dir or not path.name.startswith("predictions-"):
            continue  # of an inspection, or scores of another kind
        digest = file_sha256(run_dir / "model.safetensors")
        book.expect(LEDGER, f"{where}, SHA-256 of the model", each.model_sha256, digest)
        book.expect(LEDGER, f"{where}, images", each.images, len(read_predictions(path)))
    opened = [*folder.glob("*/predictions-test.parquet"), *folder.glob("*/inspection/*/predictions-test.parquet")]
    for path in sorted(opened):
        name = path.relative_to(folder).as_posix()
        if ".before-" not in name and (folder / name.split("/")[0] / "begun.json").exists():
            book.expect(LEDGER, f"an opening for {name}", True, name in last)


def _check_gap(book: Book, study: StudyFolder, run: str) -> None:
    if study.cache_dir is None:
        book.skip(f"{run}/{GAP} was not made anew: neither cache nor pictures are there.")
        return
    found, run_dir, cache_dir = study.document(f"{run}/{GAP}") or {}, study.folder / run, study.cache_dir
    digests = [file_sha256(run_dir / f"predictions-{split}.parquet") for split in ("val", "test")]
    source = (study.document(f"{run}/metrics.json") or {})["val"]["source"]
    settings = {name: found.get(name, source[name]) for name in ("seed", "replicates")}
    book.expect(f"{run}/{GAP}", "of", digests, found.get("of"))
    for name in settings:
        book.expect(f"{run}/{GAP}", name, source[name], settings[name])
    key = ("gap", *digests, *settings.values(), study.manifest.fingerprint, _canvas_digest(study))
    made = book.recall(key, lambda: gap_of(run_dir, study.manifest, cache_dir, *settings.values()))
    apart = book if book.same_build else Book(same_build=False)
    plain = json.loads(json.dumps(without_nan(made)))
    compare_values(apart, f"{run}/{GAP}", plain, found, but=("of", "seed", "replicates"))
    if apart is not book and apart.differences:
        book.skip(f"{run}/{GAP} was written by another build, whose probes may be others: it does not give the same.")


def _canvas_digest(study: StudyFolder) -> str:
    from hilum.audit.pictures import CANVAS
    from hilum.data.cache import cache_key

    place = study.cache_dir / cache_key(study.manifest.table["sha256"], CANVAS) if study.cache_dir else None
    path = place / "canvases.npy" if place else None
    return file_sha256(path) if path and path.exists() else ""
