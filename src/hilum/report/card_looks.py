"""What a model card says of what was looked into: neighbours, anomalies, neighbourhoods, heat maps, the gate."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hilum.report.markdown import bullets, plain
from hilum.report.sections import anomaly, cams, neighbors, projection
from hilum.report.words import end_sentence, render_count, render_percent

if TYPE_CHECKING:
    from hilum.report.card import CardFacts

NOTHING = (
    "Nothing of the kind was looked into for this run: neither its nearest training pictures, nor what it finds unlike "
    "the normal ones, nor its heat maps."
)
SURE = 0.9
"""A probability from which an answer sounds certain."""


def describe_looks(facts: CardFacts) -> str:
    """A list of what was found, one entry a kind of look."""
    lines = [f"**{title}.** {plain(sentence)}" for title, sentence in _looks(facts) if sentence]
    return bullets(lines) if lines else NOTHING


def find_failures(facts: CardFacts) -> Iterator[str]:
    """Sentences on sure mistakes, and on tests of the heat maps that failed."""
    evaluation = facts.run.evaluation
    predictions = facts.run.read_predictions(evaluation.split) if evaluation else None
    if evaluation is not None and predictions is not None:
        wrong = predictions.probs.argmax(axis=1) != predictions.target
        sure = wrong & (predictions.probs.max(axis=1) >= SURE)
        if sure.any():
            yield (
                f"{int(sure.sum()):,} of its {render_count(int(wrong.sum()), 'wrong answer')} on "
                f"{neighbors.SPLITS.get(evaluation.split, evaluation.split)} came with a probability of "
                f"{render_percent(SURE)} or more: a high probability is no proof."
            )
    exam = cams.read_exam(facts.run.folder)
    for verdict in exam["methods"][exam["shown"]]["verdicts"] if exam else ():
        if verdict["state"] == "fail":
            yield f"Heat maps: {verdict['sentence']}"


def _looks(facts: CardFacts) -> Iterator[tuple[str, str]]:
    folder = facts.run.folder
    yield "Its nearest training pictures", _neighbors(folder)
    yield "How its embedding keeps the classes apart", _purity(folder)
    for place, words in ((anomaly.FOLDER, "What it finds unlike the normal images"), ("anomaly", "`hilum anomaly`")):
        found = anomaly.Found.read(folder / place)
        yield words, anomaly.describe_result(found) if found else ""
    yield "Its heat maps", _maps(folder)
    yield "Its gate", _gate(facts)


def _neighbors(folder: Path) -> str:
    found = neighbors.read_neighbors(folder)
    split = next((name for name in ("test", "val") if found and name in found[1]), None)
    if found is None or split is None:
        return ""
    document, evaluations = found
    said = neighbors.describe_neighbors(
        evaluations[split], neighbors.SPLITS[split], document["in_words"], document["index"]["images"],
        chosen=document["chosen"]["tried"] > 1,
    )  # fmt: skip
    return " ".join([said, *neighbors.describe_sample(document)])


def _purity(folder: Path) -> str:
    path = folder / "inspection" / "projection" / "projection.json"
    if not path.exists():
        return ""
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    said = projection.describe_purity(document, "")
    near = next(iter(document["purity"].values()), {"neighbors": 0})["neighbors"]
    meant = f"Purity is the share of the {near} nearest training pictures that have the same class."
    return f"{said} {meant}" if said else ""


def _maps(folder: Path) -> str:
    exam = cams.read_exam(folder)
    if exam is None:
        return ""
    held = f"Held on {render_count(exam['images'], 'validation image')}, each of another patient."
    return f"{end_sentence(cams.describe_exam(exam))} {held}"


def _gate(facts: CardFacts) -> str:
    gate = facts.header.extras.get("gate") if facts.header else None
    if not gate:
        return ""
    return (
        f"It warns of pictures that look less like training pictures than {render_percent(1 - gate['rejection'])} of "
        f"the validation pictures do; of these themselves it would have refused {gate['refused']:,} of "
        f"{gate['tried_on']:,}."
    )
