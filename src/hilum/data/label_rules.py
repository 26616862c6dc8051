"""What class a file belongs to: by its folder, by Kermany's file names, or by a regular expression."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from pathlib import PurePosixPath

from hilum.errors import UsageError

LabelOf = Callable[[str], str | None]
"""From a path relative to the split's folder (or the data root) to a class name, None where it names none."""


def label_rule(labels: str) -> LabelOf:
    """The rule that a `--labels` value stands for.

    Args:
        labels: `folders`, `kermany3`, or a regular expression with a group named `label`.

    Raises:
        UsageError: neither a known rule nor such an expression.
    """
    if labels in RULES:
        return RULES[labels]
    near = difflib.get_close_matches(labels, RULES, n=1, cutoff=0.5)
    way_out = (
        f"Did you mean `{near[0]}`?"
        if near
        else "Give `folders`, `kermany3`, or an expression like `(?P<label>covid|normal)`."
    )
    try:
        pattern = re.compile(labels)
    except re.error as error:
        raise UsageError(
            "--labels", expected="a rule or a regular expression", found=f"{labels} ({error})", way_out=way_out
        ) from None
    if "label" not in pattern.groupindex:
        raise UsageError(
            "--labels", expected="`folders`, `kermany3` or a group named `label`", found=labels, way_out=way_out
        )

    def by_pattern(path: str) -> str | None:
        found = pattern.search(path)
        return found["label"] if found else None

    return by_pattern


def by_folder(path: str) -> str | None:
    """The first folder below the split's folder."""
    folder, below, _ = path.partition("/")
    return folder if below else None


def by_kermany_name(path: str) -> str | None:
    """`bacteria`, `virus` or `normal`, from the file name and, for normal images, the folder (Kermany et al. 2018)."""
    name = PurePosixPath(path).name.casefold()
    for label in ("bacteria", "virus"):
        if label in name:
            return label
    folders = {part.casefold() for part in PurePosixPath(path).parts[:-1]}
    return "normal" if "normal" in folders or name.startswith(("normal", "im-")) else None


RULES: dict[str, LabelOf] = {"folders": by_folder, "kermany3": by_kermany_name}
