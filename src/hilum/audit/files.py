"""Files that are not what they should be: unreadable, odd, of another kind, blank, burnt out, cropped, lateral."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd

from hilum.audit.finding import Finding, Severity
from hilum.audit.pictures import Pictures
from hilum.audit.typical import unlike
from hilum.audit.wording import counted, listed, percent
from hilum.data.build import KEPT_OUT
from hilum.data.manifest import Manifest
from hilum.images import REJECTIONS, WARNINGS

NOT_DAMAGED = ("no-label", "file-name", *KEPT_OUT)
"""Codes in a quarantine that say nothing against the file itself."""

BURNT_OUT, MOSTLY_BLACK, FLAT = 0.25, 0.5, 30
"""Share of the pixels at 254 or 255 from which a picture is burnt out; share at 0 or 1 from which it is mostly black;
grey levels between the 5th and the 95th percentile below which nothing can be seen. The largest shares on the 5,840
pictures of `chest_xray_224` are 0.04 and 0.31, the smallest range is 68; on 735 drawn ones 0.23, 0.23 and 119."""

ODD_SHAPE = 1.6
"""How many times longer (or shorter) than usual a picture must be for its height."""

LATERAL = ("LATERAL", "LAT", "LL", "RL", "LLD", "RLD", "L", "SIDE")
MANY = 0.2
"""Share of unreadable files from which what is left may be another data set than the one that was meant."""


def find_file_faults(
    manifest: Manifest, pictures: Pictures, quarantine: pd.DataFrame | None = None, *, seed: int = 0
) -> list[Finding]:
    """Findings `unreadable`, `unlabelled`, `suspicious-files`, `mixed-files`, `sixteen-bit`, `turned-by-exif`, `blank`,
    `saturated`, `odd-shape`, `inverted`, `all-inverted`, `unlike-the-others`, `lateral-views`.

    Args:
        pictures: from `look_at`.
        quarantine: `image_path, code, reason` of the files that are not in the manifest.
        seed: not used: nothing here is drawn.
    """
    table = manifest.table
    found = [
        *_left_out(table, quarantine),
        _suspicious(table),
        _mixed(table),
        _deep(table),
        _turned(table),
        *_tones(table, pictures),
        _odd_shape(table),
        _lateral(table),
        *unlike(manifest, pictures),
    ]
    return [finding for finding in found if finding]


def _left_out(table: pd.DataFrame, quarantine: pd.DataFrame | None) -> list[Finding]:
    if quarantine is None or quarantine.empty:
        return []
    unlabelled = quarantine[quarantine["code"] == "no-label"]
    broken = quarantine[~quarantine["code"].isin(NOT_DAMAGED)]
    return [*_unreadable(table, broken), *_unlabelled(unlabelled)]


def _unreadable(table: pd.DataFrame, broken: pd.DataFrame) -> list[Finding]:
    if broken.empty:
        return []
    share = len(broken) / (len(broken) + len(table))
    codes = Counter(broken["code"])
    rows = [
        {"code": code, "files": number, "meaning": REJECTIONS[code].meaning if code in REJECTIONS else ""}
        for code, number in codes.most_common()
    ]
    kinds = listed([f"{number:,} {code}" for code, number in codes.most_common()])
    return [
        Finding(
            code="unreadable",
            severity="error" if share > MANY else "warning",
            title="Files that cannot be read",
            sentence=f"{counted(len(broken), 'file')} of {len(broken) + len(table):,} cannot be used: {kinds}.",
            way_out="`quarantine.csv` names each with its reason; copy them again from their source, or remove them.",
            files=tuple(broken["image_path"].astype(str)),
            table=tuple(rows),
            count=len(broken),
        )
    ]


def _unlabelled(rows: pd.DataFrame) -> list[Finding]:
    if rows.empty:
        return []
    return [
        Finding(
            code="unlabelled",
            severity="note",
            title="Pictures without a label",
            sentence=f"The label rule names no class for {counted(len(rows), 'picture')}; they were left out.",
            way_out="If they belong to the data, put them into a class folder or name them in a manifest.",
            files=tuple(rows["image_path"].astype(str)),
            count=len(rows),
        )
    ]


def _suspicious(table: pd.DataFrame) -> Finding | None:
    codes = table["warnings"].fillna("").str.split() if "warnings" in table else pd.Series([[]] * len(table))
    counts = Counter(code for each in codes for code in each if code != "blank")
    if not counts:
        return None
    odd = codes.map(lambda each: any(code != "blank" for code in each)).to_numpy()
    rows = [{"code": c, "files": n, "meaning": WARNINGS.get(c, "")} for c, n in counts.most_common()]
    kinds = listed([f"{number:,} {code}" for code, number in counts.most_common()])
    return Finding(
        code="suspicious-files",
        severity="warning" if counts.get("damaged", 0) else "note",
        title="Files with something odd about them",
        sentence=f"{counted(int(odd.sum()), 'picture')} of {len(table):,} could be read, with a remark: {kinds}.",
        way_out="Look at some of each kind; leave out those that are not what they should be.",
        files=_names(table, odd),
        table=tuple(rows),
        count=int(odd.sum()),
    )


def _mixed(table: pd.DataFrame) -> Finding | None:
    columns = [name for name in ("format", "mode", "bits") if name in table]
    sizes = len(table.groupby(["height", "width"]).size())
    kinds = table[columns].value_counts(dropna=False) if columns else pd.Series(dtype=int)
    if len(kinds) < 2 and sizes < 2:
        return None
    low, high = int(table[["height", "width"]].min().min()), int(table[["height", "width"]].max().max())
    words = [" ".join(map(str, key)) + f" bits ({number:,})" for key, number in kinds.items()]
    size = f"{sizes:,} different sizes, from {low:,} to {high:,} pixels a side" if sizes > 1 else "one size"
    rows = [{**dict(zip(columns, key, strict=True)), "images": int(number)} for key, number in kinds.items()]
    start = f"{counted(len(kinds), 'kind').capitalize()} of file: {listed(words, most=4)}; " if rows else ""
    return Finding(
        code="mixed-files",
        severity="note",
        title="Files of several kinds",
        sentence=f"{start}{size}.",
        way_out="Harmless as long as it does not go with the class; the findings on shortcuts and confounding say so.",
        table=tuple(rows),
        count=max(len(kinds), 1),
    )


def _deep(table: pd.DataFrame) -> Finding | None:
    deep = (table["bits"] > 8).to_numpy() if "bits" in table else np.zeros(len(table), bool)
    if not deep.any() or deep.all():
        return None
    return Finding(
        code="sixteen-bit",
        severity="warning",
        title="Some files have more than 8 bits",
        sentence=f"{counted(int(deep.sum()), 'picture')} of {len(table):,} hold more than 8 bits, the others 8: they "
        "come from different sources, or went through different programs.",
        way_out="See whether they are of one class or one hospital; if so, export all in the same way.",
        files=_names(table, deep),
        count=int(deep.sum()),
    )


def _turned(table: pd.DataFrame) -> Finding | None:
    turned = (table["orientation"].fillna(1) != 1).to_numpy() if "orientation" in table else np.zeros(len(table), bool)
    if not turned.any():
        return None
    return Finding(
        code="turned-by-exif",
        severity="note",
        title="Pictures that are turned by their header",
        sentence=f"{counted(int(turned.sum()), 'picture')} of {len(table):,} are stored turned or mirrored, with an "
        "EXIF orientation that says so; hilum obeys it, other programs may not.",
        way_out="Save them upright, so that every program sees the same picture.",
        files=_names(table, turned),
        count=int(turned.sum()),
    )


def _tones(table: pd.DataFrame, pictures: Pictures) -> list[Finding | None]:
    counts = pictures.histogram.astype(np.float64)
    share = counts / counts.sum(axis=1, keepdims=True).clip(1)
    reached = share.cumsum(axis=1)
    span = (reached < 0.95).sum(axis=1) - (reached < 0.05).sum(axis=1)
    white, black = share[:, 254:].sum(axis=1), share[:, :2].sum(axis=1)
    blank = span < FLAT
    if "warnings" in table:
        blank |= table["warnings"].fillna("").str.contains("blank").to_numpy()
    clipped = ((white > BURNT_OUT) | (black > MOSTLY_BLACK)) & ~blank
    worst = np.maximum(white / BURNT_OUT, black / MOSTLY_BLACK)
    return [
        _finding(
            "blank", "warning", "Blank pictures", table, blank, -span.astype(float),
            f"{counted(int(blank.sum()), 'picture')} of {len(table):,} show next to nothing: nine tenths of their "
            f"pixels lie within {FLAT} of 256 grey levels.",
            "Leave them out, or export them again with a proper window.",
        ),
        _finding(
            "saturated", "warning", "Burnt out or mostly black pictures", table, clipped, worst,
            f"In {counted(int(clipped.sum()), 'picture')} of {len(table):,} more than {percent(BURNT_OUT)} of the "
            f"pixels are white, or more than {percent(MOSTLY_BLACK)} black: what was there cannot be brought back.",
            "Export them again with another window, or leave them out if they are of one class more than of another.",
        ),
    ]  # fmt: skip


def _odd_shape(table: pd.DataFrame) -> Finding | None:
    ratio = table["width"].to_numpy(dtype=float) / table["height"].to_numpy(dtype=float)
    apart = np.abs(np.log(ratio / np.median(ratio)))
    odd = apart > np.log(ODD_SHAPE)
    return _finding(
        "odd-shape", "note", "Unusual shapes, perhaps cropped", table, odd, apart,
        f"Width over height is {ODD_SHAPE:g} times larger or smaller than the usual {np.median(ratio):.2f} in "
        f"{counted(int(odd.sum()), 'picture')} of {len(table):,}: cropped strips, or films with a wide edge.",
        "See whether the lungs are whole; crop or leave out those where they are not.",
    )  # fmt: skip


def _lateral(table: pd.DataFrame) -> Finding | None:
    views = table["view"].fillna("").astype(str).str.strip().str.upper()
    lateral = views.isin(LATERAL).to_numpy()
    if not lateral.any() or lateral.all():
        return None
    return _finding(
        "lateral-views", "warning", "Lateral views among frontal ones", table, lateral, None,
        f"{counted(int(lateral.sum()), 'picture')} of {len(table):,} are lateral views by their header or manifest.",
        "Leave them out, or study them by themselves: a network learns the view before it learns the disease.",
    )  # fmt: skip


def _finding(
    code: str,
    severity: Severity,
    title: str,
    table: pd.DataFrame,
    chosen: np.ndarray,
    order: np.ndarray | None,
    sentence: str,
    way_out: str,
) -> Finding | None:
    """A finding about some rows, the most telling first; None for no row."""
    if not chosen.any():
        return None
    files = _names(table, chosen, order)
    return Finding(code, severity, title, sentence, way_out, files=files, count=int(chosen.sum()))


def _names(table: pd.DataFrame, chosen: np.ndarray, order: np.ndarray | None = None) -> tuple[str, ...]:
    rows = np.flatnonzero(chosen)
    if order is not None:
        rows = rows[np.argsort(-order[rows], kind="stable")]
    return tuple(str(name) for name in table["image_path"].to_numpy()[rows])
