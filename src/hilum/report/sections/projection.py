"""The map of the embedding: a point a picture, the picture itself under the pointer, the purity beside it."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from hilum.evaluation.values import Estimate, estimate_of
from hilum.report.charts.palette import class_colour
from hilum.report.charts.svg import Figure, element, polyline
from hilum.report.sections.section import TEMPLATES, Section, render
from hilum.report.study_folder import Study
from hilum.report.words import join_words, render_estimate, render_interval, render_percent

WIDTH, INSET = 720.0, 14.0
NAMES = {"train": "training", "val": "validation", "test": "test", "copy": "oversampled copy"}
METHODS = {"tsne": "t-SNE", "umap": "UMAP", "pca": "PCA"}


@dataclass(frozen=True)
class Purity:
    """A row of the table."""

    name: str
    key: str
    estimate: Estimate
    by_chance: Estimate
    chance: str


def make_projection(study: Study) -> Section | None:
    """The map of the chosen run; nothing where none was drawn."""
    folder = study.chosen.folder / "inspection" / "projection" if study.chosen else None
    if folder is None or not (folder / "projection.json").exists() or not (folder / "sprite.jpg").exists():
        return None
    return render_map(folder, study.labels, study.chosen.name if study.chosen else "")


def render_map(folder: Path, labels: Sequence[str], run: str) -> Section:
    """The section of any folder that holds a map.

    Args:
        folder: with `projection.json` and `sprite.jpg`.
    """
    document = json.loads((folder / "projection.json").read_text(encoding="utf-8"))
    sprite = base64.b64encode((folder / "sprite.jpg").read_bytes()).decode()
    rows = [[name.rsplit("/", 1)[-1], label, NAMES.get(split, split)] for name, label, split in document["rows"]]
    present = [split for split in NAMES if document["shown"].get(split, [0])[0]]
    purities = [_purity(name, each, run) for name, each in document["purity"].items()]
    html = render(
        "projection.html",
        sentence=_sentence(document, present),
        rows=json.dumps(rows, ensure_ascii=False),
        side=document["sprite"]["side"],
        columns=document["sprite"]["columns"],
        labels=[(label, class_colour(i)) for i, label in enumerate(labels)],
        shapes=[(_shape(split), NAMES[split]) for split in present],
        drawing=plot_map(document, labels),
        sprite=f"data:image/jpeg;base64,{sprite}",
        settings=describe_settings(document),
        neighbors=next(iter(document["purity"].values()), {"neighbors": 0})["neighbors"],
        purities=purities,
        ends=(0.0, 1.0),
        reading=describe_purity(document, run),
    )
    return Section("The map of its embedding", html, (TEMPLATES / "projection.js").read_text(encoding="utf-8"))


def plot_map(document: Mapping[str, Any], labels: Sequence[str]) -> Figure:
    """Training points first, so that the others lie on top; colour by class, shape by split."""
    order = sorted(range(len(document["rows"])), key=lambda i: list(NAMES).index(document["rows"][i][2]))
    reach = WIDTH / 2 - INSET
    height = 2 * INSET + 2 * reach * max((abs(y) for _, y in document["points"]), default=0.1)
    body = Markup("").join(
        mark_of(
            document["rows"][i][2],
            WIDTH / 2 + document["points"][i][0] * reach,
            height / 2 - document["points"][i][1] * reach,
            class_colour(list(labels).index(document["rows"][i][1])),
            i,
        )
        for i in order
    )
    method = METHODS[document["method"]]
    counts = join_words([f"{shown:,} {NAMES[split]}" for split, (shown, _) in document["shown"].items() if shown])
    description = f"{method} map of {counts} pictures, coloured by class; the purity below it says what it shows."
    return Figure(WIDTH, height, f"{method} map of the embedding", description, body)


def mark_of(split: str, x: float, y: float, colour: str, number: int | None = None) -> Markup:
    """One point: a disc for training, a triangle for validation, a square for test, a ring for a copy."""
    if split == "val":
        triangle = [(x, y - 4.6), (x + 4.2, y + 3), (x - 4.2, y + 3)]
        way = str(polyline(triangle, f"filled f-{colour}", close=True))
        return Markup(way.replace("<path", f'<path data-i="{number}"', 1)) if number is not None else Markup(way)
    if split == "test":
        return element("rect", x=x - 3.4, y=y - 3.4, width=6.8, height=6.8, class_=f"f-{colour} edged", data_i=number)
    if split == "copy":
        return element("circle", cx=x, cy=y, r=3.4, class_=f"ring s-{colour}", data_i=number)
    return element("circle", cx=x, cy=y, r=2.8, class_=f"f-{colour} faint", data_i=number)


def _shape(split: str) -> Figure:
    return Figure(14, 14, "", "", mark_of(split, 7, 7, "muted"))


def _purity(name: str, each: Mapping[str, Any], run: str) -> Purity:
    estimate, chance = estimate_of(each["estimate"]), estimate_of(each["by_chance"])
    split, _, where = name.partition(" ")
    shown = f"{NAMES.get(split, split)} pictures{f', {where}' if where else ', in the embedding'}"
    return Purity(shown, f"{run}/projection/{name}/purity", estimate, chance, render_interval(chance, percent=True))


def _sentence(document: Mapping[str, Any], present: Sequence[str]) -> str:
    some = [
        f"{shown:,} of {of:,} {NAMES[split]}" if shown < of else f"all {shown:,} {NAMES[split]}"
        for split, (shown, of) in document["shown"].items()
        if shown and split != "copy"
    ]
    copies = document["shown"].get("copy", [0])[0]
    extra = f" and {copies:,} oversampled copies" if copies else ""
    return (
        f"{METHODS[document['method']]} of what enters the head: a point is a picture ({join_words(some)}{extra}), "
        "drawn by the seed where not all are shown. Point at one, or walk with the arrow keys, to see the X-ray. "
        "Distances between clusters, and their sizes, mean nothing on such a map; clusters of training pictures show "
        "what was learned by heart, and only the other shapes show what holds for new patients."
    )


def describe_settings(document: Mapping[str, Any]) -> str:
    """What it takes to draw the map again, in a line."""
    settings = document["settings"]
    parts = [f"seed {settings['seed']}"]
    if "perplexity" in settings:
        parts.append(f"perplexity {settings['perplexity']:.3g}")
    if "neighbors" in settings:
        parts.append(f"{settings['neighbors']} neighbours")
    parts.append(
        f"{settings['components']} principal components ({render_percent(settings['variance_kept'])} of the variance)"
    )
    parts += [settings["version"]] if "version" in settings else []
    return f"{METHODS[document['method']]}: {', '.join(parts)}."


def describe_purity(document: Mapping[str, Any], run: str) -> str:
    """What the purity of the last split that was held out says, in a sentence."""
    purities = [_purity(name, each, run) for name, each in document["purity"].items()]
    held = [each for each in purities if "embedding" in each.name and not each.name.startswith("training")]
    if not held:
        return ""
    last = held[-1]
    clear = last.estimate.ci_low > last.by_chance.ci_high
    words = "more than shuffled labels give" if clear else "no more than shuffled labels can give"
    seen = next((each for each in purities if each.name.startswith("training")), None)
    beside = f"; of training pictures it is {render_estimate(seen.estimate, percent=True)}" if seen else ""
    pure = f"{last.name.replace(', in the embedding', '')} are {render_estimate(last.estimate, percent=True)} pure"
    return f"The neighbourhoods of {pure}, {words}{beside}."
