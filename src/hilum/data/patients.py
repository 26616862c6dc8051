"""Who is in a picture: the patient key, from a column, a header, or the file name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from hilum.errors import UsageError

OWN = "image:"
"""Prefix of the key of an image whose patient is not known: a patient of its own."""

BLANK = ("", "nan", "na", "n/a", "none", "null", "unknown", "anonymous", "anon", "-", "?")
"""What tables and headers hold where no patient is known."""

ENOUGH = 0.9
"""Share of the images that a rule must name a patient for before it is believed."""


@dataclass(frozen=True)
class PatientRule:
    """How a patient key is read from an image's path.

    Args:
        name: what to call the rule.
        pattern: a regular expression searched in `image_path`; the key is made of its groups.
        sentence: what it does, in words.
    """

    name: str
    pattern: str
    sentence: str

    def key(self, image_path: str) -> str | None:
        """The patient key of one image, None where the pattern is not found."""
        found = re.search(self.pattern, image_path)
        if not found:
            return None
        groups = found.groups() or (found.group(0),)
        return "-".join(group for group in groups if group) or None


RULES = (
    PatientRule(
        "kermany",
        r"(?:^|/)(NORMAL2-IM|IM|person|BACTERIA|VIRUS|NORMAL)-?(\d+)(?:_(bacteria|virus)_|-)[^/]*$",
        "the number series and the number in Kermany's file names (four series that count separately)",
    ),
    PatientRule(
        "person-number",
        r"(?i)(?:^|/)(?:patient|pat|subject|sub|person|case|p)[-_]?(\d+)(?=[-_./])",
        "the number behind `patient`, `subject`, `case` or `p` in the path",
    ),
    PatientRule(
        "leading-number",
        r"(?:^|/)(\d{4,})_\d+\.[^./]+$",
        "the number before the underscore in the file name (as in NIH ChestX-ray14)",
    ),
)


def patient_keys(rows: pd.DataFrame, pattern: str | None = None) -> tuple[pd.Series, dict[str, Any]]:
    """A patient key for every image.

    Args:
        rows: `image_path`, and `patient_id` where a manifest or a header gave one (else missing or None).
        pattern: the user's regular expression on `image_path`; its groups make the key.

    Returns:
        The keys, and a rule for the manifest's facts: name, pattern, sentence, examples, images without a patient.

    Raises:
        UsageError: a pattern that is no regular expression or finds no patient at all.
    """
    paths = rows["image_path"].tolist()
    given = _given(rows)
    if pattern is not None:
        rule, keys = _by_pattern(pattern, paths)
    elif given.notna().any():
        rule, keys = _given_and_inferred(list(given), paths)
    else:
        rule, keys = _inferred(paths)
    own = [key is None or key is pd.NA or key != key for key in keys]
    series = pd.Series([f"{OWN}{path}" if alone else key for key, alone, path in zip(keys, own, paths, strict=True)])
    examples = _examples(paths, series, own)
    return series, {**asdict(rule), "examples": examples, "images_without_patient": sum(own)}


def _given(rows: pd.DataFrame) -> pd.Series:
    if "patient_id" not in rows:
        return pd.Series([None] * len(rows), dtype=object)
    text = rows["patient_id"].astype("string").str.strip().str.replace(r"^(\d+)\.0$", r"\1", regex=True)
    blank = text.isna() | text.str.casefold().isin(BLANK)
    return text.astype(object).where(~blank, None)


def _given_and_inferred(given: list[str | None], paths: Sequence[str]) -> tuple[PatientRule, list[str | None]]:
    """The ids that are given; where some are missing, the file names say more if a rule fits all images.

    A name whose number belongs to just one given id elsewhere is that patient.
    """
    sentence = "the patient id that the manifest or the file header gives"
    missing = sum(key is None for key in given)
    rule, names = _inferred(paths) if missing else (None, given)
    if rule is None or rule.name == "none":
        return PatientRule("given", "", sentence), given
    ids: dict[str | None, set[str]] = {}
    for name, key in zip(names, given, strict=True):
        if key is not None:
            ids.setdefault(name, set()).add(key)
    only = {name: next(iter(keys)) for name, keys in ids.items() if len(keys) == 1}
    keys = [key if key is not None else only.get(name, name) for key, name in zip(given, names, strict=True)]
    return PatientRule("given", rule.pattern, f"{sentence}, and for {missing} images without one {rule.sentence}"), keys


def _by_pattern(pattern: str, paths: Sequence[str]) -> tuple[PatientRule, list[str | None]]:
    try:
        rule = PatientRule("pattern", pattern, f"the pattern {pattern} in the path")
        keys = [rule.key(path) for path in paths]
    except re.error as error:
        raise UsageError("--patient-pattern", expected="a regular expression", found=f"{pattern} ({error})") from None
    if not any(keys):
        raise UsageError(
            "--patient-pattern",
            expected="a pattern that is found in the images' paths",
            found=f"no match in any of {len(paths)} paths, such as {paths[0] if paths else 'none'}",
        )
    return rule, keys


def _inferred(paths: Sequence[str]) -> tuple[PatientRule, list[str | None]]:
    for rule in (*RULES, _folder_rule(paths)):
        keys = [rule.key(path) for path in paths] if rule.pattern else []
        if keys and sum(key is not None for key in keys) >= ENOUGH * len(paths):
            return rule, keys
    alone = PatientRule("none", "", "no patient could be read from the file names; each image counts as a patient")
    return alone, [None] * len(paths)


def _folder_rule(paths: Sequence[str]) -> PatientRule:
    """A folder for each patient below the class folder, where that is how the data lie."""
    parents = [path.rpartition("/")[0] for path in paths]
    deep = all(parent.count("/") >= 1 for parent in parents)
    if deep and len(set(parents)) > max(20, len(paths) // 50):
        below_class = r"^(?:(?:train|training|val|valid|validation|test|testing)/)?[^/]+/([^/]+)/"
        return PatientRule("folder", below_class, "the folder below the class folder")
    return PatientRule("folder", "", "")


def _examples(paths: Sequence[str], keys: pd.Series, own: Sequence[bool]) -> list[dict[str, str]]:
    """Up to five images with their keys, from patients with several images first: there a wrong rule shows."""
    sizes = keys.map(keys.value_counts())
    order = sizes.where(~pd.Series(own), 0).sort_values(ascending=False, kind="stable").index
    seen: dict[str, int] = {}
    chosen: list[dict[str, str]] = []
    names = keys.tolist()
    for position in order:
        if len(chosen) == 5:
            break
        key = str(names[position])
        seen[key] = seen.get(key, 0) + 1
        if seen[key] <= 2:
            chosen.append({"image_path": paths[position], "patient_id": key})
    return chosen
