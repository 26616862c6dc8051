"""Labels that a person has corrected: `suspected-labels.csv`, filled in and given back."""

from __future__ import annotations

import difflib
import hashlib
import posixpath
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from hilum.data.manifest import Manifest
from hilum.errors import DataError
from hilum.labels import LabelSet

NEEDED = ("image_path", "corrected")


@dataclass(frozen=True)
class Corrections:
    """What a person wrote into the file.

    Args:
        rows: `image_path` (unique), `label` (what the image carried when the file was written, "" where it does not
            say) and `corrected`; only rows with something in `corrected`.
        name: of the file.
        sha256: of its bytes.
    """

    rows: pd.DataFrame
    name: str
    sha256: str


def read_corrections(path: Path) -> Corrections:
    """Reads a CSV with `image_path,corrected`, and `label` if it is there; other columns are passed over.

    Raises:
        DataError: no such table, or two different corrections of one image.
    """
    way_out = "Fill in the column `corrected` of the suspected-labels.csv that `hilum audit` writes."
    try:
        content = path.read_bytes()
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig", index_col=False)
    except OSError as error:
        raise DataError(
            str(path), expected="a file with corrected labels", found=error.strerror or "none", way_out=way_out
        ) from None
    except ValueError as error:  # what pandas cannot parse or decode
        raise DataError(
            str(path), expected="a CSV with image_path,corrected", found=str(error), way_out=way_out
        ) from None
    table.columns = [str(name).strip().casefold() for name in table.columns]
    missing = [name for name in NEEDED if name not in table]
    if missing:
        found = ", ".join(table.columns[:8]) or "no columns"
        raise DataError(str(path), expected=f"a column `{missing[0]}`", found=found, way_out=way_out)
    if "label" not in table:
        table["label"] = ""
    rows = table[["image_path", "label", "corrected"]].apply(lambda column: column.str.strip())
    rows["image_path"] = [posixpath.normpath(each.replace("\\", "/")) for each in rows["image_path"]]
    rows = rows[rows["corrected"] != ""].drop_duplicates().reset_index(drop=True)
    twice = rows["image_path"][rows["image_path"].duplicated()]
    if len(twice):
        raise DataError(str(path), expected="one correction an image", found=f"different ones of {twice.iloc[0]}")
    return Corrections(rows, path.name, hashlib.sha256(content).hexdigest())


def correct_labels(manifest: Manifest, corrections: Corrections, left_out: Iterable[str] = ()) -> Manifest:
    """The manifest with the corrected labels; who is in which split stays as it is.

    What was done stands in the fact `corrections`: `file`, `sha256`, `changed` (rows of image_path, label, corrected),
    `confirmed` (paths of images whose label was found right), `test` (how many of the changed ones are test images).

    Args:
        left_out: paths of images that the manifest once had or might have had: correcting these does nothing.

    Raises:
        DataError: an unknown image or class, a file made for other labels, or a class left without images in a split.
    """
    table = manifest.table
    row_of = {path: row for row, path in enumerate(table["image_path"])}
    passed_over = set(left_out)
    labels = table["label"].tolist()
    changed, confirmed = list[dict[str, str]](), list[str]()
    for path, was, corrected in corrections.rows.itertuples(index=False):
        if path not in row_of:
            if path in passed_over:
                continue
            raise _unknown_image(corrections, path, row_of)
        row = row_of[path]
        if was and was.casefold() != labels[row].casefold():
            raise _other_labels(corrections, path, was, labels[row])
        name = _class_named(corrections, path, corrected, manifest.labels)
        if name == labels[row]:
            confirmed.append(path)
        else:
            changed.append({"image_path": path, "label": labels[row], "corrected": name})
    for each in changed:
        labels[row_of[each["image_path"]]] = each["corrected"]
    corrected_table = table.assign(label=labels)
    _refuse_empty_class(manifest, corrected_table, corrections)
    test = set(table["image_path"][table["split"] == "test"])
    in_test = sum(each["image_path"] in test for each in changed)
    about = {"file": corrections.name, "sha256": corrections.sha256, "changed": changed, "confirmed": confirmed}
    warnings = [*manifest.facts.get("warnings", ()), *_in_words(corrections, changed, in_test)]
    return manifest.with_table(corrected_table, corrections={**about, "test": in_test}, warnings=warnings)


def _class_named(corrections: Corrections, path: str, text: str, labels: LabelSet) -> str:
    names = {name.casefold(): name for name in labels}
    if text.casefold() in names:
        return names[text.casefold()]
    near = difflib.get_close_matches(text.casefold(), names, n=1)
    raise DataError(
        f"{corrections.name}: {path}",
        expected=f"one of {', '.join(labels)} in `corrected`",
        found=text,
        way_out=f"Did you mean {names[near[0]]}?" if near else "Leave it empty where the label is right.",
    )


def _unknown_image(corrections: Corrections, path: str, known: Iterable[str]) -> DataError:
    near = difflib.get_close_matches(path, list(known), n=1)
    return DataError(
        f"{corrections.name}: {path}",
        expected="images of this data set",
        found="one that it does not have",
        way_out=f"Did you mean {near[0]}?" if near else "Was the file made for other data?",
    )


def _other_labels(corrections: Corrections, path: str, was: str, now: str) -> DataError:
    return DataError(
        f"{corrections.name}: {path}",
        expected=f"the label {now} that the image carries",
        found=was,
        way_out="The file was made for other labels: run `hilum audit` with the same --labels again.",
    )


def _refuse_empty_class(manifest: Manifest, table: pd.DataFrame, corrections: Corrections) -> None:
    for split in manifest.table["split"].unique():
        before, after = (set(each["label"][each["split"] == split]) for each in (manifest.table, table))
        for name in sorted(before - after):
            raise DataError(corrections.name, expected="images of every class", found=f"none of {name} left in {split}")


def _in_words(corrections: Corrections, changed: list[dict[str, str]], in_test: int) -> list[str]:
    if not changed:
        return []
    pairs = Counter((each["label"], each["corrected"]) for each in changed)
    kinds = ", ".join(f"{count} from {old} to {new}" for (old, new), count in sorted(pairs.items()))
    what = "1 label was" if len(changed) == 1 else f"{len(changed)} labels were"
    sentence = f"{what} corrected after {corrections.name} ({kinds})."
    if in_test:
        sentence += (
            f" {in_test} of them in the test split: test figures are for the corrected labels and cannot be compared "
            "with those of others."
        )
    return [sentence]
