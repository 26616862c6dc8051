"""The page of an audit: the same style as a report, one file, nothing from outside."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from hilum.audit.finding import SEVERITIES, Audit, read_audit
from hilum.data.manifest import Manifest, read_manifest
from hilum.report.page import Chapter, render_document
from hilum.report.sections.audit import anchor_of, describe_audit, render_finding
from hilum.report.sections.section import Section, render
from hilum.report.study_folder import StudyFacts
from hilum.report.words import join_words, render_count
from hilum.report.writing import write_text

PAGE = "audit.html"
TITLES = {"error": "Errors", "warning": "Warnings", "note": "Worth knowing"}
PARTS = {
    "pictures": "every picture once, small",
    "files": "files that are broken, blank, inverted, odd or of another kind",
    "duplicates": "pictures that are there more than once, also changed a little",
    "patients": "who is in a picture, and whether somebody stands in two splits",
    "confounding": "whether source, machine, view, age, sex or the header go with the class",
    "size": "what the sets can decide",
    "shortcuts": "whether the class can be told from what should not matter",
    "shift": "whether test pictures differ from training pictures",
    "labels": "which labels may be wrong",
}


@dataclass(frozen=True)
class AuditPage:
    """What the page's frame asks for: a name, a time, a version."""

    facts: StudyFacts


def write_audit_page(folder: Path) -> Path:
    """Reads `manifest.parquet` and `audit.json` of a folder and writes its `audit.html`, renamed into place.

    Raises:
        DataError: one of them is missing, or not what hilum wrote.
    """
    folder = Path(folder)
    manifest, audit = read_manifest(folder / "manifest.parquet"), read_audit(folder / "audit.json")
    about = folder / "audit-about.json"
    facts = json.loads(about.read_text(encoding="utf-8")) if about.exists() else {}
    return write_text(folder / PAGE, render_audit_page(manifest, audit, facts))


def render_audit_page(manifest: Manifest, audit: Audit, about: dict[str, Any]) -> Markup:
    """The whole page."""
    facts = StudyFacts(
        hilum=str(audit.facts.get("hilum", "")), name=about.get("name", ""), started=about.get("started", "")
    )
    head = render(
        "audit_head.html",
        sentence=describe_audit(audit),
        size=_size(audit),
        data=about.get("data", ""),
        findings=[(finding, anchor_of(finding)) for finding in audit.findings],
    )
    return render_document(
        AuditPage(facts), f"Audit: {describe_audit(audit)}", head, list(_chapters(manifest, audit, about))
    )


def _size(audit: Audit) -> str:
    classes = [f"{count:,} {label}" for label, count in audit.facts.get("classes", {}).items()]
    images = render_count(int(audit.facts.get("images", 0)), "image")
    patients = render_count(int(audit.facts.get("patients", 0)), "patient")
    return f"{images} of {patients}: {join_words(classes)}."


def _chapters(manifest: Manifest, audit: Audit, about: dict[str, Any]) -> Iterator[tuple[Chapter, list[Section]]]:
    for severity in SEVERITIES:
        found = [finding for finding in audit.findings if finding.severity == severity]
        if found:
            sections = [Section("", render_finding(finding, manifest)) for finding in found]
            yield Chapter(f"{severity}s", TITLES[severity], ()), sections
    rows = [
        (PARTS.get(part["name"], part["name"]), part["findings"], part["seconds"], part.get("failed", ""))
        for part in audit.facts.get("parts", ())
    ]
    looked = render("audit_parts.html", rows=rows, command=about.get("command", ""), seed=audit.facts.get("seed"))
    yield Chapter("parts", "What was looked at", ()), [Section("", looked)]
