"""The page of `hilum explain`: each X-ray with its heat map, and whether such maps can be believed."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from hilum.report.charts.palette import class_colour
from hilum.report.page import Chapter, render_document
from hilum.report.sections.cams import NAMES, describe_exam
from hilum.report.sections.section import Section, render
from hilum.report.words import render_count
from hilum.report.writing import write_text
from hilum.version import __version__

PAGE = "explain.html"
SIDE = 384
"""Longer side of a picture on the page, pixels; the PNG files are larger."""


def write_explain_page(folder: Path, document: Mapping[str, Any]) -> Path:
    """Writes `explain.html` into a folder that holds the overlays, renamed into place.

    Args:
        document: as in `explain.json` beside them.
    """
    name = Path(document["model"]).name
    about = SimpleNamespace(facts=SimpleNamespace(name=name, started=document["written"], hilum=__version__))
    count = render_count(len(document["images"]), "heat map")
    title = f"{count} of {document['architecture']}"
    labels = list(document["images"][0]["probs"])
    head = render(
        "explain_head.html",
        title=title,
        question=_question(document),
        believed=_describe_belief(document),
        rejected=document["rejected"],
    )
    rows = [_row(folder, each, labels) for each in document["images"]]
    chapters = [(Chapter("maps", "The heat maps", ()), [Section("", render("explain_maps.html", rows=rows))])]
    return write_text(folder / PAGE, render_document(about, title, head, chapters))


def _question(document: Mapping[str, Any]) -> str:
    what = document["target"] or "the class that it finds most probable"
    than = f" rather than {document['against']}" if document["against"] else ""
    return (
        f"Where the network sees what speaks for {what}{than}, by {NAMES[document['method']]} at {document['layer']}. "
        "Yellow is where a map is strongest, the blue line runs where it is half as strong. Each map is scaled to its "
        "own maximum: maps of two pictures say nothing about which has more."
    )


def _describe_belief(document: Mapping[str, Any]) -> str:
    exam = document["exam"]
    if not exam:
        return (
            "Whether these maps can be believed is not known: no exam was held for this model. `hilum study` holds one "
            "for the run that it chooses."
        )
    if document["method"] not in exam["methods"]:
        return f"The exam of this model's study did not look at {NAMES[document['method']]}."
    return f"The exam in its study: {describe_exam({**exam, 'shown': document['method']})}"


def _row(folder: Path, each: Mapping[str, Any], labels: list[str]) -> dict[str, Any]:
    uri, width, height = _embedded(folder / each["overlay"])
    probs = sorted(each["probs"].items(), key=lambda item: -item[1])
    return {
        **each,
        "uri": uri,
        "width": width,
        "height": height,
        "name": each["image_path"].rsplit("/", 1)[-1],
        "said": (each["said"], class_colour(labels.index(each["said"]))),
        "listed": [(name, value) for name, value in probs],
    }


def _embedded(path: Path) -> tuple[str, int, int]:
    from PIL import Image

    with Image.open(path) as picture:
        small = picture.convert("RGB")
    small.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    small.save(file, "WEBP", quality=85, method=4)
    uri = f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"
    return uri, small.width, small.height
