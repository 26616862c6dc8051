"""The files of a study folder as frozen values."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from hilum.audit.finding import Audit, read_audit
from hilum.data.manifest import Manifest, read_manifest
from hilum.data.predictions import Predictions, read_predictions
from hilum.errors import DataError
from hilum.evaluation.ledger import Opening, find_broken_line, read_ledger
from hilum.evaluation.values import Estimate, Evaluation, read_evaluations

SCHEMA = "hilum.study/1"
T = TypeVar("T")


@dataclass(frozen=True)
class Stage:
    """A part of the study and how long it took."""

    name: str
    seconds: float


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended.

    Args:
        run: name of its folder.
        status: `done`, `collapsed`, `failed` or `skipped`.
        sentence: why, or what came of it.
    """

    run: str
    recipe: str = ""
    status: str = "done"
    sentence: str = ""


@dataclass(frozen=True)
class StudyFacts:
    """What `study.json` says; the fields are those of the file."""

    hilum: str = ""
    name: str = ""
    data: str = ""
    labels_rule: str = ""
    command: str = ""
    seed: int = 0
    device: str = ""
    cores: int | None = None
    machine: str = ""
    started: str = ""
    seconds: float = math.nan
    stages: tuple[Stage, ...] = ()
    time_budget_s: float | None = None
    drawn: bool = False
    labels: tuple[str, ...] = ()
    positive: str | None = None
    chosen_run: str | None = None
    runs: tuple[RunOutcome, ...] = ()
    warnings: tuple[str, ...] = ()
    other_openings: tuple[Mapping[str, Any], ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Quarantined:
    """A file that was left out, with the code and the reason."""

    image_path: str
    code: str
    reason: str


@dataclass(frozen=True)
class Standing:
    """One row of the leaderboard; figures are of validation.

    Args:
        group: 1 for the best run and all that cannot be told apart from it; None where nothing was compared.
    """

    run: str
    recipe: str
    model: str
    weights: str
    status: str
    chosen: bool
    parameters: int | None
    epochs: int | None
    seconds: float
    figures: Mapping[str, Estimate]
    group: int | None = None


@dataclass(frozen=True)
class Run:
    """One run folder.

    Args:
        folder: where it lies.
        recipe: the resolved recipe, as JSON holds it.
        history: one entry an epoch, column -> number (NaN where empty) or text.
        evaluations: by split.
        environment: what `environment.json` says.
    """

    folder: Path
    recipe: Mapping[str, Any]
    history: tuple[Mapping[str, Any], ...]
    evaluations: Mapping[str, Evaluation]
    environment: Mapping[str, Any]

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def split(self) -> str | None:
        """The split that the report speaks of: test once it was opened, else val, or other data that a model was tried
        on; None before any evaluation.
        """
        return next((split for split in ("test", "val", "other") if split in self.evaluations), None)

    @property
    def evaluation(self) -> Evaluation | None:
        """The evaluation that the headline speaks of."""
        return self.evaluations[self.split] if self.split else None

    @property
    def predictions(self) -> Predictions | None:
        """What the model said of each image of `split`; None when the file is not there."""
        return self.read_predictions(self.split) if self.split else None

    def read_predictions(self, split: str) -> Predictions | None:
        """What the model said of each image of a split; None when the file is not there."""
        path = self.folder / f"predictions-{split}.parquet"
        return read_predictions(path) if path.exists() else None


@dataclass(frozen=True)
class Study:
    """Everything that the report is made of, besides the pictures themselves.

    Args:
        broken_ledger_line: the first line of the ledger that does not follow from those before it.
        audit: the findings about the data; None where there was no audit.
    """

    folder: Path
    facts: StudyFacts
    manifest: Manifest
    quarantine: tuple[Quarantined, ...]
    ledger: tuple[Opening, ...]
    broken_ledger_line: int | None
    leaderboard: tuple[Standing, ...]
    chosen: Run | None
    audit: Audit | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(self.manifest.labels)

    @property
    def positive(self) -> str | None:
        """The class that binary figures are about; None with more than two classes."""
        return (self.facts.positive or self.manifest.labels.positive) if len(self.labels) == 2 else None


def read_study(folder: Path) -> Study:
    """Reads a study folder; the ledger, the quarantine, the leaderboard and the runs may be missing.

    Raises:
        DataError: no `study.json` or manifest, or a file that is not what it should be.
    """
    facts = _read_facts(folder / "study.json")
    return Study(
        folder=folder,
        facts=facts,
        manifest=read_manifest(folder / "manifest.parquet"),
        quarantine=tuple(Quarantined(**row) for row in _read_rows(folder / "quarantine.csv", Quarantined)),
        ledger=read_ledger(folder),
        broken_ledger_line=find_broken_line(folder),
        leaderboard=tuple(map(_standing, _read_csv(folder / "leaderboard.csv"))),
        chosen=read_run(folder / facts.chosen_run) if facts.chosen_run else None,
        audit=read_audit(folder / "audit.json") if (folder / "audit.json").exists() else None,
    )


def read_run(folder: Path) -> Run:
    """Reads a run folder; each of its files may be missing.

    Raises:
        DataError: no such folder, or a file that is not what it should be.
    """
    if not folder.is_dir():
        raise DataError(str(folder), expected="a run folder", found="nothing", way_out="Run the study again.")
    metrics = folder / "metrics.json"
    return Run(
        folder=folder,
        recipe=_read_json(folder / "recipe.json", {}),
        history=tuple({name: _number(text) for name, text in row.items()} for row in _read_csv(folder / "history.csv")),
        evaluations=_checked(metrics, lambda: read_evaluations(metrics)) if metrics.exists() else {},
        environment=_read_json(folder / "environment.json", {}),
    )


def _read_facts(path: Path) -> StudyFacts:
    document = _read_json(path, None)
    if not isinstance(document, Mapping) or document.get("schema") != SCHEMA:
        found = "no such file" if document is None else "another kind of file"
        raise DataError(
            str(path), expected=f"a file of the kind {SCHEMA}", found=found, way_out="Run `hilum study` first."
        )
    return _checked(path, lambda: _facts(_known(StudyFacts, document)))


def _facts(known: dict[str, Any]) -> StudyFacts:
    known["stages"] = tuple(Stage(**_known(Stage, stage)) for stage in known.get("stages", ()))
    known["runs"] = tuple(RunOutcome(**_known(RunOutcome, run)) for run in known.get("runs", ()))
    known |= {name: tuple(known.get(name, ())) for name in ("labels", "warnings", "other_openings")}
    return StudyFacts(**known)


def _standing(row: Mapping[str, str]) -> Standing:
    names = [name.removeprefix("val_") for name in row if name.startswith("val_") and f"{name}_low" in row]
    words = {name: row.get(name) or "" for name in ("run", "recipe", "model", "weights", "status")}
    return Standing(
        **words,
        chosen=(row.get("chosen") or "").strip().casefold() in {"1", "true", "yes"},
        parameters=_whole(row.get("parameters")),
        epochs=_whole(row.get("epochs")),
        seconds=_float(row.get("seconds")),
        figures={name: _figure(row, f"val_{name}") for name in names},
        group=_whole(row.get("group")),
    )


def _figure(row: Mapping[str, str], name: str) -> Estimate:
    return Estimate(_float(row[name]), _float(row[f"{name}_low"]), _float(row[f"{name}_high"]))


def _read_json(path: Path, default: Any) -> Any:
    return _checked(path, lambda: json.loads(path.read_text(encoding="utf-8"))) if path.exists() else default


def _read_csv(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _read_rows(path: Path, kind: type) -> list[dict[str, str]]:
    names = [each.name for each in fields(kind)]
    return [{name: row.get(name) or "" for name in names} for row in _read_csv(path)]


def _known(kind: type, document: Mapping[str, Any]) -> dict[str, Any]:
    """The entries that a value of ours has a field for: a newer file may say more."""
    names = {each.name for each in fields(kind)}
    return {name: value for name, value in document.items() if name in names}


def _checked(path: Path, read: Callable[[], T]) -> T:
    try:
        return read()
    except DataError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(str(path), expected="what hilum wrote", found=f"{type(error).__name__}: {error}") from None


def _float(text: str | None) -> float:
    try:
        return float(text) if text else math.nan
    except ValueError:
        return math.nan


def _whole(text: str | None) -> int | None:
    number = _float(text)
    return int(number) if math.isfinite(number) else None


def _number(text: str | None) -> Any:
    if not text:
        return math.nan
    number = _float(text)
    return text if math.isnan(number) and text.casefold() != "nan" else number


def column(history: Sequence[Mapping[str, Any]], name: str) -> list[float]:
    """One column of a history as numbers; what is missing or no number is NaN."""
    return [value if isinstance(value := row.get(name), float) else math.nan for row in history]
