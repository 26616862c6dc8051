"""Who trains, who validates, who tests: by patient, stratified, and never redrawing a test split that is given."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from hilum.errors import DataError

LEAST_VAL = 100
"""A given validation set with fewer images is too small to choose anything by; it is merged into training."""


@dataclass(frozen=True)
class SplitPlan:
    """The outcome.

    Args:
        split: for each row `train`, `val`, `test`, or None for a training image that was left out because its patient
            or its very file is in the test split.
        sentence: how it was made, for the report.
        warnings: sentences.
        left_out: row -> code (`patient-in-test`, `file-in-test`).
    """

    split: pd.Series
    sentence: str
    warnings: tuple[str, ...]
    left_out: dict[int, str]


def plan_splits(
    rows: pd.DataFrame, *, val_fraction: float = 0.2, test_fraction: float = 0.2, seed: int = 0
) -> SplitPlan:
    """Splits a table of images; images of one patient, and identical files, stay on one side.

    Args:
        rows: `label, patient_id, sha256, split` (None where not given), index 0..N-1.
        val_fraction: share of the images that are not test, in (0, 0.5].
        test_fraction: share of all images where no test split is given, in (0, 0.5].

    Raises:
        DataError: one class only, or a class with too few patients to stand in every split.
    """
    _refuse_too_small(rows)
    given = rows["split"].where(rows["split"].notna(), None).astype(object)
    groups = connected_groups(rows["patient_id"], rows["sha256"])
    is_test, test_sentence = _test_rows(rows, given, groups, test_fraction, seed)
    left_out = _left_out(rows, groups, is_test)
    pool = ~is_test & ~rows.index.isin(left_out)
    split = pd.Series(None, index=rows.index, dtype=object)
    split[is_test], split[pool] = "test", "train"
    val, val_sentence, warnings = _val_rows(rows, given, groups, pool, val_fraction, seed)
    split[val] = "val"
    _refuse_missing(rows["label"], split)
    return SplitPlan(split, f"{test_sentence} {val_sentence}", tuple(warnings + _left_out_warning(left_out)), left_out)


def connected_groups(*keys: pd.Series) -> np.ndarray:
    """int64 `[N]`: rows that share any key, directly or through others, get one number."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = len(keys[0])
    codes, offset = [], count
    for key in keys:
        code, names = pd.factorize(key)
        codes.append(code + offset)
        offset += len(names)
    rows = np.tile(np.arange(count), len(keys))
    links = coo_array((np.ones(len(rows), bool), (rows, np.concatenate(codes))), shape=(offset, offset))
    return connected_components(links, directed=False)[1][:count].astype(np.int64)


def draw_groups(labels: np.ndarray, groups: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Draws whole groups so that about a share of each class's images is drawn, and at least one of its groups.

    Args:
        labels: `[N]` class names; a group counts as the class that most of its images have.
        groups: int64 `[N]`.
        fraction: share of the images, in (0, 1).

    Returns:
        bool `[N]`.
    """
    table = pd.DataFrame({"label": labels, "group": groups})
    sizes = table.groupby("group").size()
    stratum = table.groupby(["group", "label"]).size().unstack(fill_value=0).idxmax(axis=1)
    generator = np.random.default_rng(seed)
    drawn: list[np.ndarray] = []
    for label in sorted(stratum.unique()):
        members = generator.permutation(stratum.index[stratum == label].to_numpy())
        before = np.cumsum(sizes[members].to_numpy()) - sizes[members].to_numpy() / 2
        chosen = before <= fraction * sizes[members].sum()
        drawn.append(members[chosen] if chosen.any() else members[[sizes[members].to_numpy().argmin()]])
    return np.isin(groups, np.concatenate(drawn))


def _refuse_too_small(rows: pd.DataFrame) -> None:
    patients = rows.groupby("label")["patient_id"].nunique()
    if len(patients) < 2:
        raise DataError(
            "labels",
            expected="at least two classes",
            found=f"only {', '.join(map(str, patients.index)) or 'none'}",
            way_out="Give a folder with one sub-folder a class, or say how to read the labels with --labels.",
        )
    images = rows["label"].value_counts()
    smallest = patients.index[patients < 3]
    if len(smallest):
        name = smallest[0]
        raise DataError(
            f"class {name}",
            expected="images of at least 3 patients, one for each of training, validation and test",
            found=f"{images[name]} image{'s' if images[name] != 1 else ''} of {patients[name]}",
            way_out="Add images, merge the class into another, leave its folder out, or check --patient-pattern.",
        )


def _refuse_missing(labels: pd.Series, split: pd.Series) -> None:
    for part, name in (("train", "training"), ("val", "validation")):
        missing = sorted(set(labels) - set(labels[split == part]))
        if missing:
            found = ", ".join(
                f"{count} in {where}" for where, count in split[labels == missing[0]].value_counts().items()
            )
            raise DataError(
                f"class {missing[0]}",
                expected=f"images of some patient for {name}",
                found=f"none ({found or 'all left out'})",
                way_out="Add images, merge the class into another, leave its folder out, or check --patient-pattern.",
            )


def _test_rows(
    rows: pd.DataFrame, given: pd.Series, groups: np.ndarray, fraction: float, seed: int
) -> tuple[np.ndarray, str]:
    if (given == "test").any():
        is_test = (given == "test").to_numpy()
        absent = sorted(set(rows["label"]) - set(rows["label"][~is_test]))
        if absent:
            raise DataError(f"class {absent[0]}", expected="training images", found="images in the test split only")
        return is_test, "The test split is the one that came with the data."
    kept = np.isin(groups, groups[_honoured_val(given)])
    is_test = np.zeros(len(rows), bool)
    is_test[~kept] = draw_groups(rows["label"].to_numpy()[~kept], groups[~kept], fraction, seed)
    return is_test, f"The data came without a test split: {fraction:.0%} of the images were drawn, patient by patient."


def _val_rows(
    rows: pd.DataFrame, given: pd.Series, groups: np.ndarray, pool: np.ndarray, fraction: float, seed: int
) -> tuple[np.ndarray, str, list[str]]:
    is_val = _honoured_val(given) & pool
    warnings = []
    if is_val.any():
        warnings = _shared_with_val(groups, pool, is_val)
        is_val = np.isin(groups, groups[is_val]) & pool
        return is_val, "The validation split is the one that came with the data.", warnings
    if (given == "val").any():
        warnings.append(
            f"The validation split that came with the data has only {(given == 'val').sum()} images, too few to choose "
            "anything by; it was merged into training and redrawn."
        )
    labels, members = rows["label"].to_numpy()[pool], groups[pool]
    drawn = np.zeros(len(rows), bool)
    drawn[np.flatnonzero(pool)] = draw_groups(labels, members, fraction, seed + 1)
    return drawn, f"Validation is {fraction:.0%} of the rest, drawn patient by patient within each class.", warnings


def _honoured_val(given: pd.Series) -> np.ndarray:
    is_val = (given == "val").to_numpy()
    return is_val if is_val.sum() >= LEAST_VAL else np.zeros(len(given), bool)


def _shared_with_val(groups: np.ndarray, pool: np.ndarray, is_val: np.ndarray) -> list[str]:
    shared = np.isin(groups, groups[is_val]) & pool & ~is_val
    if not shared.any():
        return []
    return [
        f"{shared.sum()} training images belong to patients (or are the very files) of the given validation split; "
        "they were moved into it."
    ]


def _left_out(rows: pd.DataFrame, groups: np.ndarray, is_test: np.ndarray) -> dict[int, str]:
    """Rows that a patient or a file links to the test split, directly or by way of other rows."""
    linked = np.isin(groups, groups[is_test]) & ~is_test
    same_file = rows["sha256"].isin(set(rows["sha256"][is_test])).to_numpy()
    same_patient = rows["patient_id"].isin(set(rows["patient_id"][is_test])).to_numpy()
    return {
        int(row): "file-in-test" if same_file[row] and not same_patient[row] else "patient-in-test"
        for row in np.flatnonzero(linked)
    }


def _left_out_warning(left_out: dict[int, str]) -> list[str]:
    if not left_out:
        return []
    patients = sum(code == "patient-in-test" for code in left_out.values())
    files = len(left_out) - patients
    parts = [f"{patients} of patients in the test split"] * bool(patients) + [
        f"{files} identical to a test file"
    ] * bool(files)
    return [f"{len(left_out)} training images were left out so that the test stays untouched: {' and '.join(parts)}."]
