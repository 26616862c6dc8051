"""The table of a drawn data set: every image with its seed, its truth and its faults, before anything is drawn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from hilum.data.phantom.faults import CHANGES, DAMAGES, PLANTED_QUALITIES, Faults
from hilum.data.phantom.machine import MACHINES

CLASS_FINDINGS: dict[str, tuple[str, ...]] = {
    "normal": ("normal",),
    "bacterial": ("bacterial",),
    "viral": ("viral",),
    "covid": ("covid",),
    "pneumonia": ("bacterial", "viral"),
}
"""The classes that can be asked for, and the findings that each is drawn with."""

PLAN_COLUMNS = (
    "name", "label", "true_label", "finding", "patient_id", "image_number", "split", "machine", "view", "origin",
    "copy_of", "change", "wrong_label", "in_both", "marker", "border", "planted_quality", "jpeg_quality", "shift",
    "damage", "patient_seed", "image_seed",
)  # fmt: skip
"""The columns of a plan.

`name`: file name without its ending; `label`: the folder it is filed in; `true_label`: the class that it belongs to;
`finding`: what is drawn; `origin`: `drawn`, `further` (another image of a test patient, in train), `copy` (the bytes
of `copy_of`) or `near-copy`; `change`: what was done to a near copy; `in_both`: the patient has images in both splits;
`marker`, `border`: number of the planted marker or frame, -1 = none; `planted_quality`: whether `jpeg_quality` follows
the class; `shift`: how far the picture is moved away from what its machine makes, in [0, 1]; `damage`: why the file
cannot be read.
"""

_STREAMS = (
    "series", "class", "finding", "patient", "split", "image", "machine", "quality", "marker", "border", "jpeg_quality",
    "scarce_class", "patients_in_both", "duplicates", "near_duplicates", "wrong_labels", "unreadable",
)  # fmt: skip


def _stream(seed: int, name: str) -> np.random.Generator:
    """Random numbers for one purpose, so that no fault changes what another one hits."""
    return np.random.default_rng([seed, 31, _STREAMS.index(name)])


def _blocks(count: int, kinds: int, generator: np.random.Generator) -> np.ndarray:
    """`count` numbers below `kinds`, in random order but evenly spread."""
    blocks = np.tile(np.arange(kinds), (-(-count // kinds), 1))
    return generator.permuted(blocks, axis=1).ravel()[:count]


def _patients(images: int, classes: Sequence[str], per_patient: float, independent: bool, seed: int) -> pd.DataFrame:
    series = 1 + _stream(seed, "series").poisson(per_patient - 1, images)
    count = int(np.searchsorted(np.cumsum(series), images)) + 1
    series = series[:count]
    series[-1] -= series.sum() - images
    names = np.array(classes, dtype=object)
    label = names[_blocks(count, len(classes), _stream(seed, "class"))]
    choose = _stream(seed, "finding")
    shown = names[_blocks(count, len(classes), choose)] if independent else label
    pick = choose.random(count)
    finding = [CLASS_FINDINGS[name][int(u * len(CLASS_FINDINGS[name]))] for name, u in zip(shown, pick, strict=True)]
    return pd.DataFrame(
        {
            "patient": np.arange(count),
            "series": series,
            "true_label": label,
            "finding": finding,
            "patient_seed": _stream(seed, "patient").integers(0, 2**62, count),
        }
    )


def _split(patients: pd.DataFrame, test_fraction: float, seed: int) -> np.ndarray:
    """Which patients are test, stratified by class; one a class at least goes to either side where there are two."""
    by_class = pd.Series(_stream(seed, "split").random(len(patients))).groupby(patients["true_label"])
    size = by_class.transform("size")
    wanted = np.rint(size * test_fraction).clip(lower=int(test_fraction > 0)).clip(upper=size - 1)
    return np.where(by_class.rank() <= wanted, "test", "train").astype(object)


def _kept(patients: pd.DataFrame, last: str, strength: float, seed: int) -> np.ndarray:
    """Which patients stay when the last class is made scarce."""
    chance = pd.Series(_stream(seed, "scarce_class").random(len(patients)))
    first = ~patients.duplicated(["true_label", "split"])
    return ((patients["true_label"] != last) | (chance >= strength) | first).to_numpy()


def _images(patients: pd.DataFrame, seed: int) -> pd.DataFrame:
    """One row an image, with one row more for each patient, `further`, of whom some may be wanted."""
    rows = patients.loc[patients.index.repeat(patients["series"] + 1)].reset_index(drop=True)
    rows["image_number"] = rows.groupby("patient").cumcount() + 1
    rows["origin"] = np.where(rows["image_number"] > rows["series"], "further", "drawn").astype(object)
    rows["image_seed"] = _stream(seed, "image").integers(0, 2**62, len(rows))
    machine = _stream(seed, "machine").integers(0, len(MACHINES), len(rows))
    rows["machine"] = np.array([machine.name for machine in MACHINES], dtype=object)[machine]
    rows["view"] = np.array([machine.view for machine in MACHINES], dtype=object)[machine]
    usual = np.array([machine.jpeg_quality for machine in MACHINES])[machine]
    rows["jpeg_quality"] = usual + _stream(seed, "quality").integers(-3, 4, len(rows))
    return rows


def _number(rows: pd.DataFrame, classes: Sequence[str]) -> np.ndarray:
    """Position of each row's true class."""
    return rows["true_label"].map({name: index for index, name in enumerate(classes)}).to_numpy(dtype=np.int64)


def _plant_shortcuts(rows: pd.DataFrame, classes: Sequence[str], faults: Faults, seed: int) -> None:
    """Marker, border and quality that follow the class, and the shift of the test set; changes `rows`."""
    number = _number(rows, classes)
    hit = {name: _stream(seed, name).random(len(rows)) for name in ("marker", "border", "jpeg_quality")}
    rows["marker"] = np.where(hit["marker"] < faults.marker, number, -1)
    rows["border"] = np.where(hit["border"] < faults.border, number, -1)
    rows["planted_quality"] = hit["jpeg_quality"] < faults.jpeg_quality
    planted = np.array(PLANTED_QUALITIES)[number]
    rows["jpeg_quality"] = np.where(rows["planted_quality"], planted, rows["jpeg_quality"])
    rows["shift"] = np.where(rows["split"] == "test", faults.shifted_test, 0.0)


def _copies(rows: pd.DataFrame, kind: str, strength: float, test_fraction: float, seed: int) -> pd.DataFrame:
    """Copies of a share of the drawn rows, each a patient of its own in a split drawn anew."""
    near = kind == "near_duplicates"
    size = int(rows.attrs["slots"])
    hit, split, change = _stream(seed, kind).random((3, size))[:, rows["slot"]]
    offset = (1 + near) * size
    copies = rows.assign(
        copy_of=rows["name"],
        origin="near-copy" if near else "copy",
        split=np.where(split < test_fraction, "test", "train").astype(object),
        change=np.array(CHANGES, dtype=object)[(change * len(CHANGES)).astype(int)] if near else "",
        slot=rows["slot"] + offset,
        patient=rows["slot"] + offset - size + rows.attrs["patients"],
        image_number=1,
    )
    return copies[(hit < strength) & (rows["origin"] == "drawn")]


def _mislabel(rows: pd.DataFrame, classes: Sequence[str], strength: float, slots: int, seed: int) -> None:
    """Files a share of the rows under another class; changes `rows`."""
    hit, other = _stream(seed, "wrong_labels").random((2, slots))[:, rows["slot"]]
    names = np.array(classes, dtype=object)
    step = 1 + (other * max(len(classes) - 1, 1)).astype(int)
    rows["wrong_label"] = (hit < strength) & (len(classes) > 1)
    rows["label"] = np.where(
        rows["wrong_label"], names[(_number(rows, classes) + step) % len(classes)], rows["true_label"]
    )


def _damage(rows: pd.DataFrame, strength: float, slots: int, seed: int) -> None:
    """Marks a share of the rows as unreadable; changes `rows`."""
    hit, kind = _stream(seed, "unreadable").random((2, slots))[:, rows["slot"]]
    kinds = np.array(DAMAGES, dtype=object)[(kind * len(DAMAGES)).astype(int)]
    rows["damage"] = np.where(hit < strength, kinds, "")


def _named(rows: pd.DataFrame) -> pd.DataFrame:
    """Adds patient ids and file names such as `p0012_003`."""
    digits = max(4, len(str(int(rows.attrs["patients"] + 2 * rows.attrs["slots"]))))
    patient_id = "p" + (rows["patient"] + 1).astype(str).str.zfill(digits)
    name = patient_id + "_" + rows["image_number"].astype(str).str.zfill(3)
    return rows.assign(patient_id=patient_id.astype(object), name=name.astype(object))


def draw_plan(
    images: int,
    classes: Sequence[str],
    images_per_patient: float,
    test_fraction: float,
    faults: Faults,
    independent: bool,
    seed: int,
) -> pd.DataFrame:
    """The table of a data set, columns `PLAN_COLUMNS`, one row a file; arguments as in `draw_dataset`."""
    patients = _patients(images, classes, images_per_patient, independent, seed)
    patients["split"] = _split(patients, test_fraction, seed)
    rows = _images(patients, seed)
    about = {"slots": len(rows), "patients": len(patients)}
    rows = rows.assign(slot=np.arange(len(rows)), copy_of="", change="")
    rows.attrs = about
    rows = _named(rows)
    _plant_shortcuts(rows, classes, faults, seed)

    leaking = _stream(seed, "patients_in_both").random(len(patients)) < faults.patients_in_both
    further = rows["origin"] == "further"
    wanted = leaking[rows["patient"]] & (rows["split"] == "test").to_numpy()
    kept = _kept(patients, classes[-1], faults.scarce_class, seed)[rows["patient"]]
    rows.loc[further, ["split", "shift"]] = ["train", 0.0]
    rows = rows[kept & (~further | wanted)]

    both = [
        _copies(rows, kind, getattr(faults, kind), test_fraction, seed) for kind in ("duplicates", "near_duplicates")
    ]
    rows = pd.concat([rows, *(_named(copies) for copies in both if len(copies))], ignore_index=True)
    _mislabel(rows, classes, faults.wrong_labels, 3 * about["slots"], seed)
    _damage(rows, faults.unreadable, 3 * about["slots"], seed)
    rows["in_both"] = rows.groupby("patient_id")["split"].transform("nunique") > 1
    text = {name: "str" for name in PLAN_COLUMNS if not pd.api.types.is_numeric_dtype(rows[name])}
    return rows[list(PLAN_COLUMNS)].astype(text)
