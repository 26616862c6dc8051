"""One picture in several files: byte for byte, pixel for pixel, or changed a little (resized, re-encoded, cropped,
mirrored, brightened)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hilum.audit.finding import Finding
from hilum.audit.likeness import FINE, SAME, likeness
from hilum.audit.neighbours import find_candidates
from hilum.audit.pictures import Pictures
from hilum.audit.wording import counted, listed
from hilum.data.manifest import SPLITS, Manifest
from hilum.data.splits import connected_groups

BYTES, PIXELS, CHANGED = "byte for byte", "pixel for pixel", "changed a little"
FLAT = 1.0
"""Standard deviation of the grey levels up to which a picture shows nothing."""

_BLOCK = 256
_SPLIT_WORDS = {"train": "training", "val": "validation", "test": "test"}


@dataclass(frozen=True)
class Group:
    """Files that hold one picture.

    Args:
        rows: positions in the manifest.
        kind: `BYTES`, `PIXELS` or `CHANGED`, the loosest that is needed.
        labels, splits: of its files.
        patients: how many.
    """

    rows: tuple[int, ...]
    kind: str
    labels: frozenset[str]
    splits: frozenset[str]
    patients: int


def find_duplicates(
    manifest: Manifest, pictures: Pictures, *, on_progress: Callable[[int, int], None] | None = None, seed: int = 0
) -> list[Finding]:
    """Findings `two-labels`, `duplicate-across-splits`, `identical-files`, `identical-pixels`, `near-duplicates`.

    Args:
        pictures: from `look_at`.
        seed: not used: nothing here is drawn.
    """
    groups = find_groups(manifest, pictures, on_progress)
    found = [_two_labels(manifest, groups), _across_splits(manifest, groups)]
    found += [_within(manifest, groups, kind) for kind in (BYTES, PIXELS, CHANGED)]
    return [finding for finding in found if finding]


def find_groups(
    manifest: Manifest, pictures: Pictures, on_progress: Callable[[int, int], None] | None = None
) -> list[Group]:
    """Every picture that more than one file holds, the largest groups first."""
    table = manifest.table
    pairs = same_pairs(table, pictures, on_progress)
    keys = [table["sha256"], *([table["pixels_sha256"]] if "pixels_sha256" in table else [])]
    joined = connected_groups(*keys)
    number = connected_groups(pd.Series(joined), pd.Series(_linked(len(table), pairs)))
    size = np.bincount(number)
    order = np.argsort(number, kind="stable")
    ends = np.cumsum(size)
    several = [order[end - size[each] : end] for each, end in enumerate(ends) if size[each] > 1]
    groups = [_group(table, rows) for rows in several]
    return sorted(groups, key=lambda group: -len(group.rows))


def same_pairs(
    table: pd.DataFrame, pictures: Pictures, on_progress: Callable[[int, int], None] | None = None
) -> np.ndarray:
    """int64 `[P, 2]`: rows i < j whose files differ and whose pictures are one, by hash and then on the pixels.

    Enough pairs to link all rows of a picture: a pair that others link already is not looked at, so that a thousand
    copies of one picture cost about a thousand looks and not half a million.
    """
    found, shows = [np.empty((0, 2), np.int64)], _shows_something(pictures.small)
    for is_mirrored in (False, True):
        pairs = find_candidates(pictures.small, mirrored=is_mirrored)
        pairs = _not_identical(table, pairs[shows[pairs].all(axis=1)])
        for start in range(0, len(pairs), _BLOCK):
            number = _linked(len(table), np.concatenate(found))
            block = pairs[start : start + _BLOCK]
            block = block[number[block[:, 0]] != number[block[:, 1]]]
            if len(block):
                found.append(block[_likeness(pictures, block, is_mirrored) >= SAME])
            if on_progress:
                on_progress(min(start + _BLOCK, len(pairs)), len(pairs))
    return np.unique(np.concatenate(found), axis=0)


def _shows_something(small: np.ndarray) -> np.ndarray:
    """bool `[N]`: pictures that are more than one grey; blank ones are all alike and no copies of each other."""
    spread = [block.reshape(len(block), -1).std(axis=1) for block in np.array_split(small, len(small) // 4096 + 1)]
    return np.concatenate(spread) > FLAT


def _not_identical(table: pd.DataFrame, pairs: np.ndarray) -> np.ndarray:
    """The pairs that are not known to be one anyway."""
    column = table["pixels_sha256" if "pixels_sha256" in table else "sha256"].to_numpy()
    return pairs[column[pairs[:, 0]] != column[pairs[:, 1]]]


def _likeness(pictures: Pictures, pairs: np.ndarray, is_mirrored: bool) -> np.ndarray:
    first, second = (pictures.squares(pairs[:, side], FINE) for side in (0, 1))
    return likeness(first[:, :, ::-1] if is_mirrored else first, second)


def _linked(count: int, pairs: np.ndarray) -> np.ndarray:
    """int64 `[N]`: one number for all rows that pairs link, directly or through others."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    links = coo_array((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    return connected_components(links, directed=False)[1]


def _group(table: pd.DataFrame, rows: np.ndarray) -> Group:
    part = table.iloc[rows]
    kind = CHANGED
    if part["sha256"].nunique() == 1:
        kind = BYTES
    elif "pixels_sha256" in part and part["pixels_sha256"].nunique() == 1:
        kind = PIXELS
    labels, splits = frozenset(part["label"]), frozenset(part["split"])
    return Group(tuple(int(row) for row in rows), kind, labels, splits, int(part["patient_id"].nunique()))


def _two_labels(manifest: Manifest, groups: Sequence[Group]) -> Finding | None:
    mixed = [group for group in groups if len(group.labels) > 1]
    if not mixed:
        return None
    return Finding(
        code="two-labels",
        severity="error",
        title="One picture under two labels",
        sentence=f"{counted(len(mixed), 'picture')} {_stand(mixed)} in the data under more than one label "
        f"({_kinds(mixed)}): at least one of its labels is wrong each time.",
        way_out="Look at each pair, keep the right label and leave the other file out.",
        **_evidence(manifest, mixed),
    )


def _across_splits(manifest: Manifest, groups: Sequence[Group]) -> Finding | None:
    spread = [group for group in groups if len(group.splits) > 1]
    if not spread:
        return None
    with_test = sum("test" in group.splits for group in spread)
    where = f"{with_test:,} of them in test and beside it" if with_test else "in training and validation"
    return Finding(
        code="duplicate-across-splits",
        severity="error",
        title="One picture in two splits",
        sentence=f"{counted(len(spread), 'picture')} {_stand(spread)} in more than one split ({_kinds(spread)}), "
        f"{where}: figures on them measure memory, not knowledge.",
        way_out="Leave one file of each group out, or give them one `patient_id` in a manifest: then they stay on one "
        "side.",
        **_evidence(manifest, spread),
    )


_CODES = {
    BYTES: ("identical-files", "Identical files"),
    PIXELS: ("identical-pixels", "Identical pictures in different files"),
    CHANGED: ("near-duplicates", "The same picture, changed a little"),
}


def _within(manifest: Manifest, groups: Sequence[Group], kind: str) -> Finding | None:
    chosen = [group for group in groups if group.kind == kind]
    if not chosen:
        return None
    files = sum(len(group.rows) for group in chosen)
    strangers = sum(group.patients > 1 for group in chosen)
    across = sum(len(group.splits) > 1 for group in chosen)
    code, title = _CODES[kind]
    sentence = f"{counted(len(chosen), 'picture')} {_stand(chosen)} in {files:,} files, {kind}; "
    sentence += f"{across:,} across splits" if across else "none across splits"
    if strangers:
        sentence += f", {strangers:,} under more than one patient, where the patient key is doubtful"
    return Finding(
        code=code,
        severity="warning" if strangers else "note",
        title=title,
        sentence=f"{sentence}.",
        way_out="Keep one file of each group: a picture that is there twice counts twice.",
        **_evidence(manifest, chosen),
    )


def _evidence(manifest: Manifest, groups: Sequence[Group]) -> dict:
    names = manifest.table["image_path"].to_numpy()
    order = {split: position for position, split in enumerate(SPLITS)}
    splits = manifest.table["split"].to_numpy()
    together = [
        tuple(str(names[row]) for row in sorted(group.rows, key=lambda row: (-order[splits[row]], row)))
        for group in groups
    ]
    rows = [
        {
            "files": len(group.rows),
            "how": group.kind,
            "labels": ", ".join(sorted(group.labels)),
            "splits": ", ".join(_SPLIT_WORDS[each] for each in SPLITS if each in group.splits),
            "patients": group.patients,
        }
        for group in groups
    ]
    files = tuple(name for group in together for name in group)
    return {"files": files, "groups": tuple(together), "table": tuple(rows), "count": len(groups)}


def _kinds(groups: Sequence[Group]) -> str:
    counts = Counter(group.kind for group in groups)
    return listed([f"{number:,} {kind}" for kind, number in counts.most_common()])


def _stand(groups: Sequence[Group]) -> str:
    return "stands" if len(groups) == 1 else "stand"
