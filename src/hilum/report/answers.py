"""What only people can say (licence, ethics, funding, ...): `answers.csv` of a study, which they fill in."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path

from hilum.errors import DataError

FILE = "answers.csv"
COLUMNS = ("list", "item", "topic", "answer")
CARD = "card"
CARD_FIELDS = {
    "licence": "Licence of the model file",
    "data-licence": "Licence and terms of the data it was trained on",
    "contact": "Who answers for it, and how to reach them",
    "users": "Who is meant to use it, and for what question",
}
"""Fields of every model card."""


def read_answers(study_dir: Path) -> dict[tuple[str, str], str]:
    """(list, item) -> answer, of those that somebody filled in; empty where there is no such file.

    Raises:
        DataError: a file without the columns.
    """
    path = study_dir / FILE
    if not path.exists():
        return {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
        return {(row["list"], row["item"]): row["answer"].strip() for row in rows if (row["answer"] or "").strip()}
    except (KeyError, ValueError, csv.Error, AttributeError, TypeError) as error:
        way_out = f"Save it as CSV in UTF-8, or delete it and run `hilum checklist {study_dir}` again."
        expected = f"a CSV file with the columns {', '.join(COLUMNS)}"
        raise DataError(
            str(path), expected=expected, found=f"{type(error).__name__}: {error}", way_out=way_out
        ) from None


def write_answers(study_dir: Path, asked: Iterable[tuple[str, str, str]]) -> Path:
    """Writes the form: a line an open question, with the answers that are there already, none of which is lost.

    Args:
        asked: (list, item, topic) of the open questions.
    """
    path, known = study_dir / FILE, read_answers(study_dir)
    topics: Mapping[tuple[str, str], str] = {
        **{(CARD, name): words for name, words in CARD_FIELDS.items()},
        **{(name, item): topic for name, item, topic in asked},
    }
    keys = [*topics, *(key for key in known if key not in topics)]
    partial = path.with_name(f"{FILE}.partial")
    with partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows([*key, topics.get(key, ""), known.get(key, "")] for key in keys)
    partial.replace(path)
    return path
