"""The audit of a data root: taken as an earlier call left it, or made now; its files and its page."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from hilum.audit import Audit, audit_manifest, read_audit
from hilum.audit.audit import RULES
from hilum.audit.pictures import CANVAS
from hilum.data.build import open_cache
from hilum.data.corrections import read_corrections
from hilum.data.manifest import Manifest
from hilum.data.sources import list_images
from hilum.errors import DataError
from hilum.version import __version__
from hilum.workflow.data import StudyData, identity_of, refuse_other_data, study_data, write_csv
from hilum.workflow.options import Options
from hilum.workflow.record import locked, now, write_json
from hilum.workflow.seal import sealed
from hilum.workflow.voice import Bar, Silent, Voice

AUDIT, SUSPECTS = "audit.json", "suspected-labels.csv"


@dataclass(frozen=True)
class AuditedData:
    """What an audit came to.

    Args:
        folder: where `audit.json`, `audit.html`, the manifest and the cache lie.
        manifest: the images, labels, patients and splits.
        audit: the findings.
        rejected: files that could not be used.
        report: the page.
    """

    folder: Path
    manifest: Manifest
    audit: Audit
    rejected: int
    report: Path

    def _repr_html_(self) -> str:
        import html

        rows = "".join(
            f"<li><b>{html.escape(each.severity)}</b> {html.escape(each.sentence)}</li>" for each in self.audit.findings
        )
        return f"<ul>{rows}</ul><p><code>{html.escape(str(self.report))}</code></p>"


def run_audit(data: Path, options: Options, voice: Voice | None = None) -> AuditedData:
    """Audits a data root; the folder is that of a study of the same data, which then need not audit again.

    Raises:
        HilumError: no usable data, a wrong option, or a folder with runs on another split of them.
    """
    from hilum.report import write_audit_page
    from hilum.workflow.study import study_name, tell_data

    voice = voice or Silent()
    listing = list_images(data, options.labels)  # before anything is written: a mistyped path leaves no folder behind
    folder = options.out or Path("runs") / study_name(data, options.labels)
    if options.corrections:
        read_corrections(options.corrections)
    else:  # runs there must keep the manifest that they were trained on
        refuse_other_data(folder, identity_of(listing, options))
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder), sealed(folder, "hilum audit"):
        started = time.monotonic()
        with voice.stage("data") as bar:
            found = study_data(data, folder, options, [CANVAS], bar)
        tell_data(voice, found, found.manifest.facts["warnings"])
        with voice.stage("audit") as bar:
            audit = audit_of(found, folder, options, bar)
        about = {"data": str(data), "name": folder.resolve().name, "started": now(), "command": options.command}
        write_json(folder / "audit-about.json", {**about, "seconds": round(time.monotonic() - started, 1)})
        with voice.stage("page"):
            page = write_audit_page(folder)
    return AuditedData(folder, found.manifest, audit, found.rejected, page)


def audit_of(found: StudyData, folder: Path, options: Options, bar: Bar) -> Audit:
    """The audit of a study's data, and its files; one of the same images, rules and seed is taken as it is."""
    known = _known(folder / AUDIT, found, options.seed)
    if known is not None:
        return known
    cache = open_cache(found.manifest, CANVAS, folder / "cache")

    def on_progress(part: str, done: int, total: int) -> None:
        bar(done, total, part)

    audit = audit_manifest(
        found.manifest,
        cache.of(found.manifest.table),
        quarantine=found.quarantine,
        seed=options.seed,
        on_progress=on_progress,
    )
    audit.write(folder / AUDIT)
    write_suspects(folder / SUSPECTS, audit)
    return audit


def _known(path: Path, found: StudyData, seed: int) -> Audit | None:
    try:
        audit = read_audit(path)
    except DataError:
        return None
    same = {
        "manifest": found.manifest.fingerprint,
        "left_out": len(found.quarantine),
        "seed": seed,
        "hilum": __version__,
        "rules": RULES,
    }
    return audit if all(audit.facts.get(name) == value for name, value in same.items()) else None


def write_suspects(path: Path, audit: Audit) -> None:
    """The list in which a person corrects labels; an older one is not written over where somebody has worked in it."""
    rows = [row for finding in audit.of("suspected-labels") for row in finding.table]
    if rows and _is_untouched(path):
        write_csv(path, pd.DataFrame(rows))


def _is_untouched(path: Path) -> bool:
    """Whether nobody has filled anything in; a file that cannot be read may be somebody's work."""
    try:
        return not path.exists() or read_corrections(path).rows.empty
    except DataError:
        return False
