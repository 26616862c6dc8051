"""The model card: what stands beside a model file, so that nobody has to use it blindly.

Everything in it is read from the run's and the study's files, so the same files give the same card. What only people
can say (licence, contact) is taken from the study's `answers.csv`, and marked as missing until somebody fills it in.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hilum.audit.finding import Audit, read_audit
from hilum.data.manifest import Manifest, read_manifest
from hilum.errors import DataError
from hilum.evaluation.ledger import Opening, read_ledger
from hilum.models.modelfile import ModelHeader, read_header
from hilum.report import card_parts
from hilum.report.answers import CARD, CARD_FIELDS, read_answers
from hilum.report.study_folder import Run, read_run
from hilum.report.writing import write_text

CARD_FILE = "model-card.md"
MODEL = "model.safetensors"


@dataclass(frozen=True)
class CardFacts:
    """All that a card is made of.

    Args:
        run: with its figures, recipe and environment.
        model: name of the folder that the run is called by: its path below the study.
        manifest: of the study; None where there is none.
        own_split: the run was trained on the manifest's own split, not on a fold of it.
        begun: what `begun.json` says.
        study: what `study.json` says; empty where there is none yet.
        calibration: what `calibration.json` says; empty where there is none.
        guards: findings of the study's guards about this run and its data.
        answers: of the card's fields.
    """

    run: Run
    model: str
    header: ModelHeader | None
    manifest: Manifest | None
    own_split: bool
    audit: Audit | None
    ledger: tuple[Opening, ...]
    begun: Mapping[str, Any]
    study: Mapping[str, Any]
    calibration: Mapping[str, Any]
    guards: tuple[Mapping[str, Any], ...]
    answers: Mapping[str, str]


def write_card(run_dir: Path) -> Path:
    """Writes `model-card.md` beside the model file of a run, renamed into place.

    Raises:
        DataError: no run there, or a file of it that is not what hilum wrote.
    """
    return write_text(Path(run_dir) / CARD_FILE, render_card(Path(run_dir)))


def render_card(folder: Path, *, openings: int | None = None) -> str:
    """The card of a run folder, or of a study's chosen run, as Markdown.

    Args:
        openings: as if the ledger had only so many openings; None takes all.

    Raises:
        DataError: no run there, or a file of it that is not what hilum wrote.
    """
    return card_parts.render_parts(read_facts(Path(folder), openings=openings))


def read_facts(folder: Path, *, openings: int | None = None) -> CardFacts:
    """Reads what a card is made of; see `render_card`."""
    if (folder / "study.json").exists() and not (folder / "metrics.json").exists():
        chosen = _read(folder / "study.json").get("chosen_run")
        if not chosen:
            raise DataError(str(folder), expected="a study with a chosen run", found="none: no run gave a usable model")
        folder = folder / chosen
    run = read_run(folder)
    if not run.evaluations:
        raise DataError(str(folder), expected="a run with figures (metrics.json)", found="none")
    study_dir = next((each for each in folder.resolve().parents if (each / "manifest.parquet").exists()), None)
    begun = _read(folder / "begun.json")
    manifest = read_manifest(study_dir / "manifest.parquet") if study_dir else None
    model = folder.resolve().relative_to(study_dir).as_posix() if study_dir else folder.resolve().name
    ledger = read_ledger(study_dir) if study_dir else ()
    header = read_header(folder / MODEL) if (folder / MODEL).exists() else None
    trained_on = header.fingerprint if header else begun.get("manifest")
    audit = study_dir / "audit.json" if study_dir else None
    return CardFacts(
        run=run,
        model=model,
        header=header,
        manifest=manifest,
        own_split=manifest is not None and trained_on in (None, manifest.fingerprint),
        audit=read_audit(audit) if audit and audit.exists() else None,
        ledger=ledger if openings is None else ledger[:openings],
        begun=begun,
        study=_read(study_dir / "study.json") if study_dir else {},
        calibration=_read(folder / "calibration.json"),
        guards=_guards(study_dir, model),
        answers=_answers(study_dir),
    )


def _guards(study_dir: Path | None, model: str) -> tuple[Mapping[str, Any], ...]:
    document = _read(study_dir / "guards.json") if study_dir else {}
    return tuple(each for each in document.get("findings", ()) if each["run"] in ("", model))


def _answers(study_dir: Path | None) -> dict[str, str]:
    known = read_answers(study_dir) if study_dir else {}
    return {name: known.get((CARD, name), "") for name in CARD_FIELDS}


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(str(path), expected="what hilum wrote", found=str(error)) from None
    if not isinstance(document, dict):
        raise DataError(str(path), expected="what hilum wrote", found=type(document).__name__)
    return document
