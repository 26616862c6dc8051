"""The map of embeddings as a page of its own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from markupsafe import Markup

from hilum.report.page import Chapter, render_document
from hilum.report.sections.headline import NOT_FOR
from hilum.report.sections.projection import describe_purity, render_map
from hilum.report.writing import write_text
from hilum.version import __version__


def write_map_page(folder: Path, labels: Sequence[str], run: str, path: Path) -> Path:
    """Writes a page that loads nothing, beside and renamed into place.

    Args:
        folder: with `projection.json` and `sprite.jpg`.
    """
    document = json.loads((folder / "projection.json").read_text(encoding="utf-8"))
    sentence = describe_map(document)
    head = Markup(
        '<section class="first"><h1>{}</h1><p class="not-for"><strong>Not for patients.</strong> {}</p></section>'
    )
    now = datetime.now(UTC).isoformat(timespec="seconds")
    about = SimpleNamespace(facts=SimpleNamespace(name=run, started=now, hilum=__version__))
    chapters = [(Chapter("map", "The map", ()), [render_map(folder, labels, run)])]
    page = render_document(about, sentence, head.format(sentence, NOT_FOR), chapters)
    return write_text(path, page)


def describe_map(document: Mapping[str, Any]) -> str:
    """The purity in a sentence."""
    return describe_purity(document, "")
