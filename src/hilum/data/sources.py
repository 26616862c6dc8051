"""What lies in a folder, or stands in a manifest file: paths, labels, and splits that are given."""

from __future__ import annotations

import hashlib
import os
import posixpath
import unicodedata
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from hilum.data.label_rules import label_rule
from hilum.errors import DataError
from hilum.images import find_images

SPLIT_FOLDERS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}
LAYOUT = "Give a folder with one sub-folder a class, train/ and test/ folders of those, or a CSV with `path,label`."


@dataclass(frozen=True)
class Listing:
    """Files with what is known of them before they are opened.

    Args:
        table: `image_path` (relative to `root`, `/`), `label`, `split` (None = not given), `source`, `view`, and
            `patient_id` where a manifest file gives one.
        root: the folder that `image_path` is relative to.
        unlabelled: files that the label rule says nothing of.
        unwritable: files whose name is in no known encoding, written with escapes.
        warnings: sentences.
        labels_from: what gave the labels: the label rule as it was typed, or the name of a manifest file.
    """

    table: pd.DataFrame
    root: Path
    unlabelled: tuple[str, ...] = ()
    unwritable: tuple[str, ...] = ()
    warnings: tuple[str, ...] = field(default=())
    labels_from: str = "folders"

    def digest(self) -> str:
        """Changes when a file is added, removed, replaced or touched, or a label or split changes."""
        lines, root, at = [], str(self.root), self.table.columns.get_loc("image_path")
        for row in self.table.itertuples(index=False, name=None):
            try:
                stat = os.stat(os.path.join(root, row[at]))  # noqa: PTH116, PTH118 - a Path for each takes twice as long
                state = f"{stat.st_size} {stat.st_mtime_ns}"
            except OSError:
                state = "gone"
            lines.append("\t".join([*map(str, row), state]))
        return hashlib.sha256("\n".join([str(self.root), *lines]).encode()).hexdigest()


def list_images(data: Path, labels: str = "folders") -> Listing:
    """Finds the images of a data root and their labels; opens none of them.

    Args:
        data: a folder, or a CSV or Parquet manifest.
        labels: see `label_rule`; a manifest file brings its own labels, and so does a `manifest.csv` or
            `manifest.parquet` that lies in the folder, unless another rule than `folders` is asked for.

    Raises:
        DataError: nothing there, or nothing that can be used.
        UsageError: an impossible `labels`.
    """
    rule = label_rule(labels)
    if not data.exists():
        raise DataError(
            str(data), expected="a folder of X-rays or a manifest file", found="nothing there", way_out=_nearby(data)
        )
    inside = _manifest_inside(data) if labels == "folders" else None
    if inside is not None:
        listing = _list_manifest_inside(inside)
    else:
        listing = _list_folder(data, rule, labels) if data.is_dir() else _list_manifest(data, asked_for=labels)
    if listing.table.empty:
        found = f"{len(listing.unlabelled)} images without a label" if listing.unlabelled else "no image files"
        raise DataError(str(data), expected="labelled X-rays", found=found, way_out=LAYOUT)
    return _one_spelling(listing)


def _manifest_inside(data: Path) -> Path | None:
    """A manifest that lies in the folder: it knows more (patients, splits) than folder names do."""
    for name in ("manifest.csv", "manifest.parquet"):
        if data.is_dir() and (data / name).is_file() and {"image_path", "label"} <= set(_read_rows(data / name)):
            return data / name
    return None


def _list_manifest_inside(path: Path) -> Listing:
    listing = _with_splits_of_folders(_list_manifest(path), path.parent)
    named = set(listing.table["image_path"]) | set(listing.unlabelled)
    others = sum(each.relative_to(path.parent).as_posix() not in named for each in find_images(path.parent))
    warning = f"Labels and patients were taken from {path.name} in the folder"
    warning += f"; {others} images that it does not name were left out." if others else "."
    return replace(listing, warnings=(*listing.warnings, warning))


def _with_splits_of_folders(listing: Listing, data: Path) -> Listing:
    """Where the manifest names no split but its images lie in train/ and test/, these folders are the splits."""
    folders = _split_folders(data)
    if not folders or listing.table["split"].notna().any():
        return listing
    splits = [folders.get(path.partition("/")[0]) for path in listing.table["image_path"]]
    return replace(listing, table=listing.table.assign(split=pd.Series(splits, dtype=object)))


def _nearby(data: Path) -> str:
    import difflib

    if not data.parent.is_dir():
        return "Check the path."
    near = difflib.get_close_matches(data.name, [entry.name for entry in data.parent.iterdir()], n=1)
    return f"Did you mean {data.parent / near[0]}?" if near else "Check the path."


def _list_folder(data: Path, rule, labels: str) -> Listing:
    split_folders = _split_folders(data)
    ours, rows, passed_over = _our_folders(data), [], dict[str, int]()
    unlabelled, unwritable = list[str](), list[str]()
    above = f"{data.as_posix().rstrip('/')}/"
    for path in find_images(data):
        relative = path.as_posix().removeprefix(above)
        top, _, below = relative.partition("/")
        split = split_folders.get(top)
        if top in ours or (split_folders and split is None):
            passed_over[top] = passed_over.get(top, 0) + 1
            continue
        label = rule(below if split else relative)
        if not _can_be_written(relative):
            unwritable.append(relative.encode(errors="surrogateescape").decode(errors="backslashreplace"))
        elif label is None:
            unlabelled.append(relative)
        else:
            rows.append((relative, label, split, data.name, None))
    table = pd.DataFrame(rows, columns=["image_path", "label", "split", "source", "view"])
    _refuse_splits_as_classes(data, table)
    warnings = [
        f"{count} images in {top!r} were passed over: "
        + ("hilum wrote that folder." if top in ours else "it is no split.")
        for top, count in passed_over.items()
    ]
    return Listing(table, data.resolve(), tuple(unlabelled), tuple(unwritable), tuple(warnings), labels)


def _split_folders(data: Path) -> dict[str, str]:
    """Folder name -> split, empty where there is no train/ folder among them."""
    found = {entry.name: SPLIT_FOLDERS[entry.name.casefold()] for entry in data.iterdir() if _is_split_folder(entry)}
    return found if "train" in found.values() else {}


def _our_folders(data: Path) -> set[str]:
    """Folders below a data root that hold studies of ours."""
    return {path.relative_to(data).parts[0] for depth in ("*", "*/*") for path in data.glob(f"{depth}/study.json")}


def _can_be_written(relative: str) -> bool:
    """Whether a name can stand in a table at all: names of other encodings come as lone surrogates."""
    try:
        relative.encode()
    except UnicodeEncodeError:
        return False
    return True


def _refuse_splits_as_classes(data: Path, table: pd.DataFrame) -> None:
    classes = sorted(set(table["label"]))
    if classes and all(name.casefold() in SPLIT_FOLDERS for name in classes):
        found = f"{', '.join(classes)} and no train/"
        raise DataError(str(data), expected="class folders, or train/ and test/ folders of those", found=found)


def _is_split_folder(entry: Path) -> bool:
    return entry.name.casefold() in SPLIT_FOLDERS and entry.is_dir()


def _list_manifest(path: Path, asked_for: str = "folders") -> Listing:
    table = _read_rows(path)
    missing = [name for name in ("image_path", "label") if name not in table]
    if missing:
        wanted = "`path` (or `image_path`)" if missing[0] == "image_path" else "`label`"
        found = ", ".join(map(str, table.columns[:12])) or "no columns"
        way_out = "Name the columns so; `patient_id`, `split`, `source` and `view` are read where they stand."
        if _looks_multi_label(table):
            wanted, way_out = "one `label` a row", _ONE_LABEL
            found = "a column of 0 and 1 for each of several findings"
        raise DataError(str(path), expected=f"a column {wanted}", found=found, way_out=way_out)
    _refuse_multi_label(path, table)
    listing = _tidy_rows(path, table)
    if asked_for == "folders":
        return listing
    warning = f"--labels {asked_for} was not used: {path.name} brings its own labels."
    return replace(listing, warnings=(*listing.warnings, warning))


_ONE_LABEL = "hilum handles one label an image for now: keep one class a row, or leave the other rows out."


def _read_rows(path: Path) -> pd.DataFrame:
    try:
        if path.suffix.casefold() in (".parquet", ".pq"):
            table = pd.read_parquet(path)
        elif path.suffix.casefold() in (".csv", ".tsv", ".txt"):
            table = pd.read_csv(
                path,
                dtype=str,
                sep="\t" if path.suffix.casefold() == ".tsv" else ",",
                keep_default_na=False,
                index_col=False,
            )
        else:
            raise DataError(
                str(path), expected="a folder, or a .csv or .parquet manifest", found=f"a {path.suffix or 'plain'} file"
            )
    except (OSError, ValueError, pd.errors.ParserError) as error:
        raise DataError(str(path), expected="a table with `path,label`", found=str(error), way_out=LAYOUT) from None
    table.columns = [_column_name(str(name)) for name in table.columns]
    table = table.loc[:, ~table.columns.duplicated()]
    return table.rename(columns={"path": "image_path"}) if "image_path" not in table else table


def _column_name(name: str) -> str:
    """`Patient ID`, `PatientID` and `patient_id` are one name."""
    plain = name.strip().casefold()
    return {"patientid": "patient_id", "patient": "patient_id"}.get(plain.replace(" ", "").replace("_", ""), plain)


def _looks_multi_label(table: pd.DataFrame) -> bool:
    flags = [
        name
        for name in table.columns
        if set(table[name].astype(str).str.strip()) <= {"0", "1", "0.0", "1.0", "-1.0", ""}
    ]
    return len(flags) >= 2


def _refuse_multi_label(path: Path, table: pd.DataFrame) -> None:
    several = table["label"].astype(str).str.contains(r"[|;]", regex=True)
    if several.any():
        row = int(several.to_numpy().argmax())
        found = f"{int(several.sum())} rows with several, such as row {row + 2}: {table['label'].iloc[row]}"
        raise DataError(str(path), expected="one label an image", found=found, way_out=_ONE_LABEL)


def _tidy_rows(path: Path, table: pd.DataFrame) -> Listing:
    for name in ("patient_id", "split", "source", "view"):
        if name not in table:
            table[name] = None
    for name in ("image_path", "label", "patient_id", "split", "source", "view"):
        text = table[name].astype("string").str.strip()
        table[name] = text.astype(object).where(text.notna() & (text != ""), None)
    nul = table["image_path"].astype(str).str.contains("\0", regex=False)
    if nul.any():
        found = f"a NUL character in row {int(nul.to_numpy().argmax()) + 2}"
        raise DataError(str(path), expected="paths that a file can have", found=found, way_out="Correct the manifest.")
    table["image_path"] = [None if name is None else posixpath.normpath(name) for name in table["image_path"]]
    table["split"] = [_split_name(path, split) for split in table["split"]]
    table["source"] = table["source"].where(table["source"].notna(), path.parent.name)
    labelled = table["label"].notna() & table["image_path"].notna()
    unlabelled = tuple(table.loc[~labelled, "image_path"].dropna())
    columns = ["image_path", "label", "split", "source", "view", "patient_id"]
    table, warnings = _without_repeats(path, table.loc[labelled, columns].reset_index(drop=True))
    return Listing(table, path.parent.resolve(), unlabelled, warnings=warnings, labels_from=path.name)


def _split_name(path: Path, split: str | None) -> str | None:
    if split is None:
        return None
    try:
        return SPLIT_FOLDERS[split.casefold()]
    except KeyError:
        raise DataError(str(path), expected="`train`, `val` or `test` in the column `split`", found=split) from None


def _without_repeats(path: Path, table: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    repeated = table["image_path"].duplicated(keep=False)
    if not repeated.any():
        return table, ()
    labels = table[repeated].groupby("image_path")["label"].nunique()
    if (labels > 1).any():
        name = labels[labels > 1].index[0]
        raise DataError(
            f"{path}: {name}",
            expected="one row an image",
            found="rows with different labels",
            way_out="Correct the manifest.",
        )
    kept = table.drop_duplicates("image_path").reset_index(drop=True)
    return kept, (
        f"{len(table) - len(kept)} rows of the manifest name an image that an earlier row names; they were left out.",
    )


def _one_spelling(listing: Listing) -> Listing:
    """`Normal` in one folder and `NORMAL` in another are one class, spelt as it is most often."""
    table = listing.table
    spelling: dict[str, str] = {}
    for name in table["label"].value_counts().index:
        spelling.setdefault(_folded(name), unicodedata.normalize("NFC", name.strip()))
    table = table.assign(label=[spelling[_folded(name)] for name in table["label"]])
    return replace(listing, table=table)


def _folded(label: str) -> str:
    """The same text for labels that differ in case, spaces around, or the way an accent is encoded only."""
    return unicodedata.normalize("NFC", label.strip()).casefold()
