"""What the audit of the data found: in a study's report, and on a page of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from hilum.audit.finding import Audit, Finding
from hilum.data.manifest import Manifest
from hilum.evaluation.values import Estimate
from hilum.report.charts.palette import class_colour
from hilum.report.pictures import Thumbnail, read_thumbnail
from hilum.report.sections.section import Section, render
from hilum.report.study_folder import Study
from hilum.report.words import capitalise, join_words, render_count

GROUPS, EACH, FILES, ROWS = 6, 3, 12, 16
"""Groups shown of a finding, pictures of each, single pictures, rows of its table; `audit.json` has more."""

SIGNS = {"error": "✕", "warning": "!", "note": "i"}


@dataclass(frozen=True)
class Shown:
    """One picture of the evidence with where it stands in the data."""

    thumbnail: Thumbnail
    label: str
    colour: str
    split: str


@dataclass(frozen=True)
class Figure:
    """One measured figure of a finding; drawn where it is a share."""

    name: str
    estimate: Estimate
    drawn: bool


def make_audit(study: Study) -> Section | None:
    """Errors and warnings in full, notes as sentences."""
    if study.audit is None:
        return None
    audit = study.audit
    serious = [finding for finding in audit.findings if finding.severity != "note"]
    notes = [finding for finding in audit.findings if finding.severity == "note"]
    return Section(
        "What the audit found",
        render(
            "audit.html",
            sentence=describe_audit(audit),
            findings=[render_finding(finding, study.manifest, heading="h4") for finding in serious],
            notes=notes,
            failed=_failed(audit),
        ),
    )


def describe_audit(audit: Audit) -> str:
    """How many findings of each kind, in one sentence."""
    counts = audit.counts()
    if not counts["error"] and not counts["warning"]:
        return "Nothing was found that would make the figures mean something else than they say."
    parts = [render_count(counts[name], name) for name in ("error", "warning") if counts[name]]
    verb = "was" if sum(counts[name] for name in ("error", "warning")) == 1 else "were"
    return f"{capitalise(join_words(parts))} {verb} found in the data, before any network was trained."


def render_finding(finding: Finding, manifest: Manifest, *, heading: str = "h3", pictures: bool = True) -> Markup:
    """One finding with its evidence.

    Args:
        heading: tag of its title.
        pictures: whether to show the files that it names.
    """
    groups = [_shown(names[:EACH], manifest) for names in finding.groups[:GROUPS]] if pictures else []
    files = _shown(finding.files[:FILES], manifest) if pictures and not groups else ()
    return render(
        "finding.html",
        finding=finding,
        anchor=anchor_of(finding),
        heading=heading,
        sign=SIGNS[finding.severity],
        figures=[_figure(name, estimate) for name, estimate in finding.figures.items()],
        groups=[group for group in groups if group],
        files=files,
        more=max(finding.count - (len(groups) or len(files)), 0) if groups or files else 0,
        columns=_columns(finding.table),
        rows=[[_cell(value) for value in row.values()] for row in finding.table[:ROWS]],
        more_rows=max(len(finding.table) - ROWS, 0),
    )


def anchor_of(finding: Finding) -> str:
    """Where on a page a finding stands: a code may be found twice, of two splits or with two severities."""
    words = re.sub(r"[^a-z]+", "-", finding.title.casefold()).strip("-")
    return f"{finding.code}-{finding.severity}-{words}"


def _shown(names: Sequence[str], manifest: Manifest) -> tuple[Shown, ...]:
    """The pictures that the manifest knows and that can be read."""
    table = manifest.table.set_index("image_path", drop=False)
    shown = []
    for name in names:
        if name in table.index:
            row = table.loc[name]
            colour = class_colour(list(manifest.labels).index(row["label"]))
            shown.append(Shown(read_thumbnail(manifest, name, str(row["sha256"])), row["label"], colour, row["split"]))
    return tuple(each for each in shown if each.thumbnail.uri)


def _figure(name: str, estimate: Estimate) -> Figure:
    return Figure(name, estimate, 0 <= estimate.value <= 1 and estimate.ci_low == estimate.ci_low)


def _columns(table: Sequence[Mapping[str, Any]]) -> list[str]:
    return [str(name) for name in table[0]] if table else []


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, Mapping):  # an Estimate as JSON holds it
        return f"{value.get('value', float('nan')):.2f}"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _failed(audit: Audit) -> list[tuple[str, str]]:
    return [(part["name"], part["failed"]) for part in audit.facts.get("parts", ()) if part.get("failed")]
