"""File names as features, without the words that the label was read from."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

import numpy as np
import pandas as pd

from hilum.audit.columns import encode_columns
from hilum.errors import UsageError

LONGEST = 3
"""Characters of the longest piece of a name that is a feature."""

MOST_PIECES = 200
LEAST_SHARE = 0.01
"""A piece counts when at least this share of the names has it, and as many have it not."""

KERMANY_WORDS = ("bacteria", "virus", "normal")


def name_features(paths: Sequence[str], labels: Iterable[str], rule: str = "folders") -> np.ndarray:
    """What a file's name says: its length, how many digits, the numbers in it, which pieces of up to three characters.

    Folders and ending are left out; so are class names, the words of Kermany's names that stand for one, and whatever
    the label rule's group `label` matches. Digits count as one character, so that a piece is a pattern, not a number.

    Args:
        paths: `image_path` values, N of them.
        labels: class names.
        rule: the manifest's `labels_rule`.

    Returns:
        float32 `[N, D]`.
    """
    stems = [without_label(path, labels, rule) for path in paths]
    numbers = [[int(digits) for digits in re.findall(r"\d{1,15}", stem)] for stem in stems]
    plain = pd.DataFrame(
        {
            "length": [float(len(stem)) for stem in stems],
            "digits": [float(sum(character.isdigit() for character in stem)) for stem in stems],
            "first": [float(each[0]) if each else np.nan for each in numbers],
            "last": [float(each[-1]) if each else np.nan for each in numbers],
        }
    )
    varying = plain.loc[:, plain.nunique(dropna=False) > 1]
    return np.concatenate([encode_columns(varying), _pieces([re.sub(r"\d", "0", stem) for stem in stems])], axis=1)


def without_label(path: str, labels: Iterable[str], rule: str = "folders") -> str:
    """A file's name in small letters, without its ending and without what the label was read from."""
    name = PurePosixPath(path).name
    stem = PurePosixPath(path).stem.casefold()
    matched = _matched_label(path, rule)
    words = [*map(str.casefold, labels), *KERMANY_WORDS, *([matched.casefold()] if matched else [])]
    if rule == "kermany3" and name.casefold().startswith("im-"):
        stem = stem.removeprefix("im-")
    for word in sorted(words, key=len, reverse=True):
        stem = stem.replace(word, "")
    return stem


def _matched_label(path: str, rule: str) -> str | None:
    if "(?P<label>" not in rule:
        return None
    try:
        found = re.search(rule, path)
    except re.error as error:
        raise UsageError("label rule", expected="a regular expression", found=f"{rule} ({error})") from None
    return found["label"] if found else None


def _pieces(shapes: Sequence[str]) -> np.ndarray:
    """float32 `[N, D]`: whether a name has each of the most frequent pieces."""
    own = [{shape[at : at + size] for size in range(1, LONGEST + 1) for at in range(len(shape) - size + 1)}
           for shape in shapes]  # fmt: skip
    least = max(2.0, LEAST_SHARE * len(shapes))
    counts = Counter(piece for pieces in own for piece in pieces)
    frequent = [piece for piece, n in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
                if least <= n <= len(shapes) - least]  # fmt: skip
    column = {piece: number for number, piece in enumerate(frequent[:MOST_PIECES])}
    features = np.zeros((len(shapes), len(column)), np.float32)
    for row, pieces in enumerate(own):
        features[row, [column[piece] for piece in pieces if piece in column]] = 1
    return features
