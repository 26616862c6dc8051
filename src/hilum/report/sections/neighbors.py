"""What the nearest training pictures say: k-NN on the embedding, with the pictures themselves."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from hilum.evaluation.values import Estimate, Evaluation, read_evaluations
from hilum.report.charts.intervals import find_range
from hilum.report.charts.palette import class_colour
from hilum.report.pictures import Thumbnail, thumbnail_of
from hilum.report.sections.confusion import render_confusion
from hilum.report.sections.section import Section, render
from hilum.report.study_folder import Study
from hilum.report.words import end_sentence, render_count, render_estimate, render_metric, render_percent

SPLITS = {"test": "test", "val": "validation", "other": "other data", "leak": "all, seen ones too"}
SHOWN = ("accuracy", "balanced_accuracy", "auroc")
NEIGHBORS_SHOWN = 5


@dataclass(frozen=True)
class Row:
    """One figure of the table."""

    name: str
    estimate: Estimate
    key: str
    percent: bool


@dataclass(frozen=True)
class Neighbor:
    """A training picture; label with the name of its colour."""

    picture: Thumbnail
    label: tuple[str, str]
    distance: str


@dataclass(frozen=True)
class Example:
    """A picture that was asked about; `true` is None where nobody knows it."""

    picture: Thumbnail
    true: tuple[str, str] | None
    said: tuple[str, str]
    share: float
    neighbors: tuple[Neighbor, ...]
    leak: str = ""
    refused: str = ""


def make_neighbors(study: Study) -> Section | None:
    """The figures of the chosen run's k-NN; nothing where none was made."""
    found = read_neighbors(study.chosen.folder) if study.chosen else None
    if found is None:
        return None
    document, evaluations = found
    run = study.chosen.name if study.chosen else ""
    return Section(
        "What its nearest training pictures say",
        render_figures(
            evaluations,
            document["in_words"],
            document["index"]["images"],
            f"{run}/neighbors",
            describe_sample(document),
            chosen=document["chosen"]["tried"] > 1,
        ),
    )


def make_neighbor_examples(study: Study) -> Section | None:
    """Some pictures beside the training pictures that lie nearest to them."""
    found = read_neighbors(study.chosen.folder) if study.chosen else None
    if found is None or not found[0]["examples"]:
        return None
    document, evaluations = found
    digests = dict(zip(study.manifest.table["image_path"], study.manifest.table["sha256"].astype(str), strict=True))

    def picture(name: str) -> Thumbnail:
        return thumbnail_of(study.manifest.path(name), name, digests.get(name, ""))

    examples = [_example(each, study.labels, picture) for each in document["examples"]]
    split = SPLITS["test" if "test" in evaluations else "val"]
    sentence = (
        f"Pictures of the {split} split, drawn by the seed {document['seed']}, wrong answers first; beside each the "
        f"{NEIGHBORS_SHOWN} training pictures that lie nearest. Where they look alike for another reason than the "
        "disease, such as a border or a marker, the network may have learned that."
    )
    return Section("Neighbours as pictures", render("neighbor_examples.html", examples=examples, sentence=sentence))


def render_figures(
    evaluations: Mapping[str, Evaluation],
    settings: str,
    images: int,
    key: str,
    remarks: Iterable[str] = (),
    *,
    chosen: bool = True,
) -> Markup:
    """The table of figures, the leak beside it, and the matrix of the figure that counts."""
    main = next((name for name in SPLITS if name in evaluations), None)
    if main is None:
        return Markup()
    rows = [
        Row(
            f"{SPLITS[split]}: {render_metric(name)}",
            evaluations[split].overall[name],
            f"{key}/{split}/{name}",
            name != "auroc",
        )
        for split in SPLITS
        if split in evaluations
        for name in SHOWN
    ]
    evaluation = evaluations[main]
    return render(
        "neighbors.html",
        sentence=describe_neighbors(evaluation, SPLITS[main], settings, images, chosen=chosen),
        rows=rows,
        ends=find_range([row.estimate for row in rows]),
        leak=describe_leak(evaluations),
        remarks=list(remarks),
        matrix=render_confusion(evaluation, str(evaluation.source.get("predictions", ""))),
    )


def describe_neighbors(evaluation: Evaluation, split: str, settings: str, images: int, *, chosen: bool = True) -> str:
    """The result in two sentences.

    Args:
        chosen: validation chose among several settings; otherwise they were given.
    """
    accuracy = render_estimate(evaluation.overall["accuracy"], percent=True)
    how = "chosen on validation" if chosen else "set beforehand"
    if split == "validation":
        how = (
            f"{'' if chosen else 'set beforehand; the network was '}chosen on these very pictures, so a little too good"
        )
    return (
        f"Called by the training pictures whose embedding lies nearest, {accuracy} of "
        f"{render_count(evaluation.images, 'picture')} ({split}) are right. {render_count(images, 'training picture')} "
        f"vote: {settings}, {how}. Ties go to the class whose neighbours are nearer."
    )


def describe_leak(evaluations: Mapping[str, Evaluation]) -> str:
    """What the figure would look like if pictures were asked about that the network knows."""
    seen = evaluations.get("seen")
    if seen is None:
        return ""
    figure = render_estimate(seen.overall["accuracy"], percent=True)
    honest = evaluations.get("test") or evaluations.get("val")
    beside = f", against {render_estimate(honest.overall['accuracy'], percent=True)}" if honest else ""
    higher = honest is None or seen.overall["accuracy"].value > honest.overall["accuracy"].value
    more = "" if higher else " Here that makes it no better; where a network has learned more by heart, it does."
    return (
        f"Not to be believed: a fifth of the training pictures, drawn picture by picture and asked of the other four "
        f"fifths, comes out at {figure}{beside}. The network was trained on them, and patients are on both sides "
        f"wherever they have several pictures.{more}"
    )


def render_examples(answers: Sequence[Any], labels: Sequence[str]) -> Markup:
    """Answers of `hilum neighbors` with pictures.

    Args:
        answers: with the attributes of `hilum.workflow.neighbors.Answer`.
    """
    examples = []
    for each in answers:
        document = {
            "image_path": each.name,
            "label": "",
            "said": each.label,
            "votes": each.votes,
            "neighbors": each.neighbors,
        }

        def picture(name: str, each: Any = each) -> Thumbnail:
            return thumbnail_of(each.path if name == each.name else Path(each.root) / name, name)

        leak = f"Allowed although {each.leak}: this answer is no evidence." if each.leak and each.label else ""
        examples.append(_example(document, labels, picture, leak, "" if each.label else each.leak))
    sentence = "The picture that was asked about stands first, then the training pictures that lie nearest to it."
    return render("neighbor_examples.html", examples=examples, sentence=sentence)


def _example(
    each: Mapping[str, Any], labels: Sequence[str], picture: Any, leak: str = "", refused: str = ""
) -> Example:
    def coloured(name: str) -> tuple[str, str]:
        return name, class_colour(list(labels).index(name)) if name in labels else "muted"

    near = tuple(
        Neighbor(picture(one["image_path"]), coloured(one["label"]), f"{one['distance']:.3g}")
        for one in each["neighbors"][:NEIGHBORS_SHOWN]
    )
    share = float(each["votes"].get(each["said"], 0.0))
    true = coloured(each["label"]) if each["label"] else None
    return Example(picture(each["image_path"]), true, coloured(each["said"]), share, near, leak, end_sentence(refused))


def describe_sample(document: Mapping[str, Any]) -> list[str]:
    """A sentence where not every picture could be embedded in the time there was."""
    images = document["about"].get("images", {})
    short = [f"{done:,} of {of:,} {SPLITS.get(split, split)}" for split, (done, of) in images.items() if done < of]
    if not short:
        return []
    share = render_percent(sum(done for done, _ in images.values()) / max(sum(of for _, of in images.values()), 1))
    return [f"The time was enough for {share} of the pictures, drawn by the seed: {', '.join(short)} pictures."]


def read_neighbors(run_dir: Path) -> tuple[dict[str, Any], dict[str, Evaluation]] | None:
    """What a study found out about a run's neighbours, and the figures by split; None where it did not look."""
    folder = run_dir / "inspection" / "neighbors"
    if not (folder / "neighbors.json").exists() or not (folder / "metrics.json").exists():
        return None
    document = json.loads((folder / "neighbors.json").read_text(encoding="utf-8"))
    return document, read_evaluations(folder / "metrics.json")
