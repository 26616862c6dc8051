"""Does where a picture comes from go with its class? Then a network can learn the place instead of the disease."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PurePosixPath

import numpy as np
import pandas as pd
from scipy import special

from hilum.audit.finding import Finding, Severity
from hilum.audit.wording import interval, listed, percent
from hilum.data.manifest import Manifest
from hilum.data.patients import OWN
from hilum.data.sources import SPLIT_FOLDERS
from hilum.evaluation.guards import independence_test
from hilum.evaluation.values import Estimate
from hilum.labels import LabelSet

STRONG, CLEAR = 0.6, 0.25
"""Lower end of Cramer's V from which a column is an error, and a warning. Two balanced classes: at 0.6 the column alone
names the class rightly in 80 % of the cases, at 0.25 in 62 %."""

ALONE = 0.95
"""A class has a source of its own where this share of its patients has values that are, in this share, of the class."""

SIGNIFICANCE = 0.001
MOST_VALUES, BINS, FEW, RARE = 12, 5, 20, 10
LEAST_SHUFFLED = 0.00051

OF_THE_PICTURE = frozenset({"bytes per pixel", "size", "shape"})
"""What the content of a picture moves as well (a hazy lung packs into fewer bytes): never more than a warning."""

COLUMNS = {
    "source": "the source column",
    "origin": "the folder that the file comes from",
    "machine": "the machine",
    "modality": "the modality",
    "view": "the view",
    "sex": "the sex",
    "age_years": "the age",
    "patient known": "whether the patient is known",
    "format": "the file format",
    "mode": "the colour mode",
    "bits": "the bit depth",
    "size": "the size in pixels",
    "shape": "width over height",
    "bytes per pixel": "bytes per pixel",
    "quantisation": "the JPEG quality (luminance table)",
    "quantisation_colour": "the JPEG quality (colour table)",
    "subsampling": "the JPEG colour subsampling",
    "progressive": "whether the JPEG is progressive",
    "metadata": "what the header carries",
}
"""Columns that say where a picture comes from, in words; those of the manifest, and some that are made from it."""


@dataclass(frozen=True)
class Association:
    """How a column goes with the class, one image a patient.

    Args:
        column: key of `COLUMNS`.
        counts: patients, values in rows, classes in columns.
        v: Cramer's V, corrected for bias, with its interval.
        p: of the chi-square test of independence.
        alone: classes that have values of their own in it.
    """

    column: str
    counts: pd.DataFrame
    v: Estimate
    p: float
    alone: tuple[str, ...]


def find_confounding(manifest: Manifest, *, seed: int = 0) -> list[Finding]:
    """Findings `confounded` (an error, a warning, or both).

    Args:
        seed: not used: nothing here is drawn.
    """
    found = associations(manifest)
    strong = [e for e in found if (e.v.ci_low >= STRONG or e.alone) and e.column not in OF_THE_PICTURE]
    clear = [each for each in found if each not in strong and each.v.ci_low >= CLEAR]
    return [
        *_finding(manifest, strong, "error", "Where a picture comes from gives its class away"),
        *_finding(manifest, clear, "warning", "Where a picture comes from goes with its class"),
    ]


def associations(manifest: Manifest) -> list[Association]:
    """The columns that go with the class (p < 0.001 after correction for their number), the strongest first."""
    once = manifest.table.drop_duplicates("patient_id").reset_index(drop=True)
    columns = _columns(once, manifest.labels)
    made = [_association(name, values, once["label"], manifest.labels) for name, values in columns]
    kept = [each for each in made if each.p < SIGNIFICANCE / max(len(made), 1)]
    return sorted(kept, key=lambda each: -each.v.value)


def cramers_v(counts: np.ndarray, level: float = 0.95) -> Estimate:
    """Cramer's V corrected for bias (Bergsma 2013), with the interval that inverts the noncentral chi-square.

    Args:
        counts: int `[R, C]`, patients.
    """
    counts = counts[counts.sum(axis=1) > 0][:, counts.sum(axis=0) > 0].astype(np.float64)
    n, (rows, columns) = counts.sum(), counts.shape
    if min(rows, columns) < 2 or n < 2:
        return Estimate(0.0, 0.0, 0.0)
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / n
    statistic, freedom = float(((counts - expected) ** 2 / expected).sum()), (rows - 1) * (columns - 1)
    phi2 = max(0.0, statistic / n - freedom / (n - 1))
    least = min(rows - (rows - 1) ** 2 / (n - 1), columns - (columns - 1) ** 2 / (n - 1)) - 1
    value = min(1.0, float(np.sqrt(phi2 / least))) if least > 0 else 0.0
    ends = [_noncentrality(statistic, freedom, (1 + sign * level) / 2) for sign in (1, -1)]
    low, high = (float(np.sqrt(end / (n * (min(rows, columns) - 1)))) for end in ends)
    return Estimate(value, min(low, value), min(1.0, max(high, value)), n=int(n))


def _noncentrality(statistic: float, freedom: int, probability: float) -> float:
    """The noncentrality at which a smaller statistic has this probability; 0 where there is none."""
    if special.chdtr(freedom, statistic) <= probability:
        return 0.0
    low, high = 0.0, 2 * statistic + 50
    for _ in range(60):
        middle = (low + high) / 2
        # Sankaran's approximation where scipy's series gives up.
        below = special.chndtr(statistic, freedom, middle)
        if not np.isfinite(below):
            below = special.ndtr((statistic - freedom - middle) / np.sqrt(2 * (freedom + 2 * middle)))
        low, high = (middle, high) if below > probability else (low, middle)
    return low


def _columns(table: pd.DataFrame, labels: LabelSet) -> Iterator[tuple[str, pd.Series]]:
    """Each column that has at least two values, as text; numbers in bins of equal counts."""
    pixels = table["height"] * table["width"]
    made = {
        "origin": _origins(table["image_path"], labels),
        "patient known": table["patient_id"].astype(str).str.startswith(OWN).map({True: "no", False: "yes"}),
        "size": pixels,
        "shape": table["width"] / table["height"],
        "bytes per pixel": table["file_bytes"] / pixels if "file_bytes" in table else None,
    }
    for name in COLUMNS:
        column = made.get(name, table.get(name))
        if column is not None and column.notna().any():
            values = _as_values(column)
            if values.nunique() > 1:
                yield name, values


def _as_values(column: pd.Series) -> pd.Series:
    if pd.api.types.is_numeric_dtype(column) and column.nunique() > MOST_VALUES:
        edges = np.unique(np.nanquantile(column.to_numpy(dtype=float), np.linspace(0, 1, BINS + 1)[1:-1]))
        binned = pd.Series(np.searchsorted(edges, column.to_numpy(dtype=float), side="right"), index=column.index)
        names = [f"up to {edges[0]:.4g}", *(f"{a:.4g} to {b:.4g}" for a, b in pairwise(edges))]
        names.append(f"{edges[-1]:.4g} or more")
        return binned.map(dict(enumerate(names))).where(column.notna(), "unknown")
    text = column.astype(object).where(column.notna(), "unknown").astype(str).str.strip().replace("", "none")
    usual = set(text.value_counts().index[:MOST_VALUES])
    return text.where(text.isin(usual), "other")


def _origins(paths: pd.Series, labels: LabelSet) -> pd.Series:
    """The outermost folder of a path, unless it is named after a split or a class."""
    known = {*SPLIT_FOLDERS, *(name.casefold() for name in labels)}

    def origin(path: str) -> str:
        folders = PurePosixPath(path).parts[:-1]
        outside = [part for part in folders if part == ".."]
        inner = [part for part in folders[len(outside) :] if part.casefold() not in known]
        # A folder of its own inside the data root may be a class by another name; outside it, it is another data set.
        return "/".join([*outside, *inner[:1]]) if outside else ""

    return paths.astype(str).map(origin)


def _association(name: str, values: pd.Series, label: pd.Series, labels: LabelSet) -> Association:
    often = set(values.value_counts()[lambda sizes: sizes >= RARE].index)
    counts = pd.crosstab(values.where(values.isin(often), "other"), label).reindex(columns=list(labels), fill_value=0)
    return Association(name, counts, cramers_v(counts.to_numpy()), _p_value(counts.to_numpy()), _alone(counts))


def _p_value(counts: np.ndarray) -> float:
    """As `independence_test`; the chi-square distribution's where shuffled tables only say "below 1 in 2,000"."""
    statistic, p = independence_test(counts)
    rows, columns = (np.count_nonzero(counts.sum(axis=axis)) for axis in (1, 0))
    return float(special.chdtrc((rows - 1) * (columns - 1), statistic)) if 0 < p < LEAST_SHUFFLED else p


def _alone(counts: pd.DataFrame) -> tuple[str, ...]:
    """Classes whose patients have values of their own."""
    share = counts.div(counts.sum(axis=1).clip(lower=1), axis=0)
    alone = []
    for label in counts.columns:
        own = share[label] >= ALONE
        if counts[label].sum() >= FEW and counts.loc[own, label].sum() >= ALONE * counts[label].sum():
            alone.append(str(label))
    return tuple(alone)


def _finding(manifest: Manifest, found: list[Association], severity: Severity, title: str) -> list[Finding]:
    if not found:
        return []
    first = found[0]
    alone = sorted({label for each in found for label in each.alone}, key=list(manifest.labels).index)
    sentence = f"{_capital(COLUMNS[first.column])} goes with the class (Cramer's V {interval(first.v)}, {_p(first.p)})"
    others = [COLUMNS[each.column] for each in found[1:]]
    sentence += f"; so {'does' if len(others) == 1 else 'do'} {listed(others)}" if others else ""
    if alone:
        has = "has a source of its own" if len(alone) == 1 else "each have a source of their own"
        sentence += f". {listed(alone)} {has}: what tells the sources apart (age, machine, hospital, program) tells "
        sentence += "the classes apart as well, and no figure on these data can say which of the two was learned"
    return [
        Finding(
            code="confounded",
            severity=severity,
            title=title,
            sentence=f"{sentence}.",
            way_out="Take all classes from the same sources, or compare within a source; else state the result as what "
            "it is, a way to tell the sources apart.",
            files=_examples(manifest, first),
            figures={each.column: each.v for each in found},
            table=tuple(row for each in found for row in _rows(each)),
            count=len(found),
        )
    ]


def _rows(found: Association) -> Iterator[dict]:
    for value, counts in found.counts.iterrows():
        shares = {str(label): percent(n / max(found.counts[label].sum(), 1)) for label, n in counts.items()}
        yield {"column": COLUMNS[found.column], "value": str(value), "patients": int(counts.sum()), **shares}


def _examples(manifest: Manifest, found: Association) -> tuple[str, ...]:
    """Three pictures of each class, of its most usual value."""
    table = manifest.table.drop_duplicates("patient_id").reset_index(drop=True)
    values = dict(_columns(table, manifest.labels))[found.column]
    names: list[str] = []
    for label in manifest.labels:
        usual = found.counts[label].idxmax()
        names += list(table["image_path"][(values == usual) & (table["label"] == label)][:3])
    return tuple(names)


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _p(p: float) -> str:
    return "p < 0.0001" if p < 1e-4 else f"p = {p:.2g}"
