"""Shortcuts: can the class be told from what should not matter?

A linear probe is shown only the border, the corners, the file's header and so on, and is cross-validated by patient.
When that is a finding, and how bad a one, is justified in `docs/decisions/0006-when-a-shortcut-is-an-alarm.md`:

- nothing, unless the probe beats shuffled labels at p <= 0.01 after correction for all the views that were tried;
- below the view's allowance, which is what disease alone may bring to it: `note`, and nothing for views with lungs;
- `warning` when the lower end of the interval is above the allowance;
- `error` when, for a view without lungs, it is above 0.8, and the probe comes three quarters of the way from chance to
  what it makes of the whole picture. The file name never leads to more than a note.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hilum.audit.columns import IN_WORDS, encode_column, header_columns
from hilum.audit.finding import Finding, Severity
from hilum.audit.folds import Design, can_hold_out
from hilum.audit.probe import ProbeResult, corrected, held_out_auroc, probe_elsewhere, run_probe
from hilum.audit.sample import sample_patients
from hilum.audit.shortcut_views import VIEWS, WHOLE, View
from hilum.audit.views import Views
from hilum.audit.wording import interval
from hilum.data.manifest import Manifest
from hilum.evaluation.bootstrap import Patients
from hilum.evaluation.values import Estimate

ALARM = 0.01
"""Level of the corrected p-value: of a hundred data sets without any shortcut, one has a finding."""

ERROR_FROM = 0.8
ERROR_SHARE = 0.75


@dataclass(frozen=True)
class ViewResult:
    """What a view tells of the class.

    Args:
        result: cross-validated on all images but the test split.
        test: the probe fitted on these and applied to the test split; None without one.
        p: corrected for the number of views; NaN for the whole picture, which is no shortcut.
    """

    view: View
    result: ProbeResult
    test: Estimate | None
    p: float


@dataclass(frozen=True)
class ShortcutProbes:
    """All views that a data set has something to show in.

    Args:
        rows: manifest rows of all images but the test split.
        design: folds and shuffles of these.
        whole: the whole picture, for comparison.
        views: the others.
    """

    rows: pd.DataFrame
    design: Design
    whole: ViewResult
    views: tuple[ViewResult, ...]


def find_shortcuts(manifest: Manifest, views: Views, *, seed: int = 0) -> list[Finding]:
    """Findings `shortcut-header`, `shortcut-border`, ...; empty where nothing stands out, or too few patients to tell.

    Args:
        views: of the manifest's images, in its order.
    """
    probes = probe_shortcuts(manifest, views, seed=seed)
    if probes is None:
        return []
    graded = [(each, severity_of(each, probes.whole)) for each in probes.views]
    return [_finding(each, severity, probes, manifest) for each, severity in graded if severity]


def probe_shortcuts(manifest: Manifest, views: Views, *, seed: int = 0) -> ShortcutProbes | None:
    """Probes every view; None where a class has fewer than two patients outside the test split.

    Of a very large data set a sample is probed, see `sample.MOST_IMAGES`.
    """
    manifest, views = sample_patients(manifest, views, seed=seed)
    table = manifest.table
    labels = manifest.labels.encode(table["label"].tolist())
    patients = Patients.of(table["patient_id"])
    pool = (table["split"] != "test").to_numpy()
    inside = Patients.of(patients.index[pool])
    if not can_hold_out(labels[pool], inside):
        return None
    design = Design.of(labels[pool], inside, seed=seed)
    probed: dict[View, tuple[ProbeResult, Estimate | None]] = {}
    for view in (WHOLE, *VIEWS):
        features = view.features(table, views, manifest)
        if not features.shape[1]:
            continue
        test = None if pool.all() else probe_elsewhere(features, labels, pool, ~pool, patients)
        probed[view] = run_probe(features[pool], design), test
    whole = ViewResult(WHOLE, *probed.pop(WHOLE), float("nan"))
    p = corrected({view.code: result for view, (result, _) in probed.items()})
    others = tuple(ViewResult(view, *each, p[view.code]) for view, each in probed.items())
    return ShortcutProbes(table[pool], design, whole, others)


def severity_of(found: ViewResult, whole: ViewResult) -> Severity | None:
    """The rule that stands at the top of this file; None = no finding."""
    view, lower = found.view, found.result.auroc.ci_low
    if not found.p <= ALARM:
        return None
    if lower <= view.allowance:
        return "note" if view.lungs == "none" else None
    if view.lungs == "unread":
        return "note"
    serious = lower > ERROR_FROM and share_of(found, whole) >= ERROR_SHARE
    return "error" if view.lungs == "none" and serious else "warning"


def share_of(found: ViewResult, whole: ViewResult) -> float:
    """How far the view's AUROC goes from chance (0) to that of the whole picture (1), or beyond."""
    reach = whole.result.auroc.value - 0.5
    return (found.result.auroc.value - 0.5) / reach if reach > 0 else float("inf")


def _finding(found: ViewResult, severity: Severity, probes: ShortcutProbes, manifest: Manifest) -> Finding:
    view, whole = found.view, probes.whole
    figures = {"this view": found.result.auroc, "whole picture": whole.result.auroc}
    if found.test and whole.test:
        figures |= {"this view, on test": found.test, "whole picture, on test": whole.test}
    columns = _header_table(probes) if view.code == "header" else []
    sentence = _sentence(found, whole, severity, manifest.labels.names)
    outside_test = int((manifest.table["split"] != "test").sum())
    if len(probes.rows) < outside_test:
        sentence += f" Measured on {len(probes.rows):,} of {outside_test:,} images, drawn patient by patient."
    if columns:
        sentence += f" Of its parts the {columns[0]['seen']} alone gets {columns[0]['auroc']}."
    return Finding(
        f"shortcut-{view.code}",
        severity,
        f"The class can be told from {view.name}",
        sentence,
        view.meaning if severity != "note" or view.lungs == "unread" else _FAINT,
        figures=figures,
        table=tuple(columns or _all_views(probes)),
        count=len(probes.rows),
    )


_FAINT = "Nothing to do: disease can show there a little. Keep it in mind if the figures look too good."


def _sentence(found: ViewResult, whole: ViewResult, severity: Severity, labels: tuple[str, ...]) -> str:
    view = found.view
    told = f"{labels[1]} from {labels[0]}" if len(labels) == 2 else f"the {len(labels)} classes apart"
    sentence = (
        f"A linear model that sees only {view.shows} tells {told} with AUROC {interval(found.result.auroc)} "
        f"in cross-validation by patient; with {whole.view.shows} it gets {interval(whole.result.auroc)}."
    )
    if found.test and whole.test:
        sentence += f" Fitted there and applied to test: {interval(found.test)} and {interval(whole.test)}."
    return f"{sentence} {_MEANS[severity]}" if view.lungs == "none" else sentence


_MEANS: Mapping[Severity, str] = {
    "error": "So a high figure on these data need not have anything to do with the lungs.",
    "warning": "That is more than disease alone should bring there.",
    "note": "That is no more than disease alone may bring there.",
}


def _all_views(probes: ShortcutProbes) -> list[dict[str, object]]:
    """Each view with its figures, the whole picture first: plain values for a page."""
    return [
        {
            "seen": each.view.shows,
            "auroc": interval(each.result.auroc),
            "on test": interval(each.test) if each.test else None,
            "p, corrected": None if np.isnan(each.p) else round(each.p, 3),
        }
        for each in (probes.whole, *probes.views)
    ]


def _header_table(probes: ShortcutProbes) -> list[dict[str, object]]:
    """AUROC of each header column by itself, the most telling first."""
    columns = header_columns(probes.rows)
    alone = [(IN_WORDS[name], held_out_auroc(encode_column(columns[name]), probes.design)) for name in columns]
    return [{"seen": words, "auroc": f"{value:.2f}"} for words, value in sorted(alone, key=lambda item: -item[1])]
