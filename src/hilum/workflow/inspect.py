"""What a study looks at once its run is chosen: each part by itself, none able to lose the study."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hilum.data.manifest import Manifest
from hilum.errors import HilumError
from hilum.models.weights import file_sha256
from hilum.version import __version__
from hilum.workflow.options import Options
from hilum.workflow.record import read_json, write_json
from hilum.workflow.voice import Voice

INSPECTION, DONE = "inspection", "done.json"


@dataclass(frozen=True)
class InspectionContext:
    """What a part may read, and how long it may take.

    Args:
        study_dir: the study's folder.
        run: name of the chosen run, a folder below it.
        test_opened: the test split has been opened for this run; a part leaves test alone otherwise.
        seconds: of this part; what would take longer is done on a sample, and said so.
        on_step: told (done, of how many, what) now and then.
    """

    study_dir: Path
    run: str
    manifest: Manifest
    options: Options
    test_opened: bool
    seconds: float
    on_step: Callable[[int, int, str], None]

    def folder(self, part: str) -> Path:
        """Where a part writes; made when it is not there."""
        folder = self.study_dir / self.run / INSPECTION / part
        folder.mkdir(parents=True, exist_ok=True)
        return folder


Part = Callable[[InspectionContext], None]


def _anomaly(context: InspectionContext) -> None:
    from hilum.workflow.inspect_anomaly import find_anomalies  # which needs the context from here

    find_anomalies(context)


def _heat_maps(context: InspectionContext) -> None:
    from hilum.workflow.inspect_cam import examine_run  # likewise

    examine_run(context)


def _neighbors(context: InspectionContext) -> None:
    from hilum.workflow.inspect_neighbors import inspect_neighbors

    inspect_neighbors(context)


def _projection(context: InspectionContext) -> None:
    from hilum.workflow.inspect_projection import inspect_projection

    inspect_projection(context)


PARTS: tuple[tuple[str, str, Part, float], ...] = (
    ("neighbors", "k-NN on the embedding was not evaluated to the end", _neighbors, 1.0),
    ("projection", "The map of the embedding was not drawn", _projection, 1.0),
    ("anomaly", "Anomalies were not looked for to the end", _anomaly, 1.5),
    ("cam", "The heat maps were not examined to the end", _heat_maps, 2.5),
)
"""Name of the folder, words for what failed, the part, and how much of the time it needs beside the others."""

EMBEDDING, LEAST = 0.5, 0.1
"""Of the seconds for all parts: what the one pass over all images may take at most, and what each part has at least."""


def inspect_run(
    study_dir: Path,
    run: str,
    manifest: Manifest,
    options: Options,
    *,
    test_opened: bool,
    seconds: float,
    voice: Voice,
    on_step: Callable[[int, int, str], None],
) -> dict[str, float]:
    """Runs every part on the chosen run.

    Args:
        seconds: for all parts together.

    Returns:
        Name of each part that came through -> its seconds.
    """
    ends = time.monotonic() + seconds

    def context_of(share: float) -> InspectionContext:
        return InspectionContext(study_dir, run, manifest, options, test_opened, share, on_step)

    whole = sum(weight for *_, weight in PARTS)
    pending = [part for part in PARTS if not _is_done(context_of(seconds * part[3] / whole), part[0])]
    if pending:
        with _told("The images were not all embedded", voice):
            _embed_all(context_of(EMBEDDING * seconds))
    took: dict[str, float] = {}
    for number, (name, words, part, weight) in enumerate(pending):
        share = weight / sum(each[3] for each in pending[number:]) * (ends - time.monotonic())
        context, began = context_of(max(share, LEAST * seconds)), time.monotonic()
        with _told(words, voice):
            part(context)
            took[name] = round(time.monotonic() - began, 2)
            write_json(context.folder(name) / DONE, _record(context, name))
    return took


@contextmanager
def _told(words: str, voice: Voice) -> Iterator[None]:
    """What fails within is a warning: the figures that are there already go into the report all the same."""
    try:
        yield
    except HilumError as error:
        voice.warn(f"{words}: {error}")
    except Exception as error:
        voice.warn(f"{words}: {type(error).__name__}: {' '.join(str(error).split())[:200]}")


def _embed_all(context: InspectionContext) -> None:
    """One pass over all images, or as many as the time allows: every part takes what it gives."""
    from hilum.workflow.inspect_embeddings import embeddings_of

    splits = ("train", "val", "test") if context.test_opened else ("train", "val")
    embeddings_of(context, splits, seconds=context.seconds)


MORE_TIME = 2.0
"""Times the seconds that a part had before, from which it is done again: it may have looked at a sample only."""


def _is_done(context: InspectionContext, name: str) -> bool:
    """Whether an earlier call has done a part for the same model and data, in not much less time, and left it whole."""
    known = read_json(context.folder(name) / DONE) or {}
    identity = _identity(context)
    same = {key: known.get(key) for key in identity} == identity
    return same and context.seconds < MORE_TIME * known["seconds"] and known["files"] == _files(context, name)


def _record(context: InspectionContext, name: str) -> dict[str, Any]:
    return {**_identity(context), "seconds": context.seconds, "files": _files(context, name)}


def _identity(context: InspectionContext) -> dict[str, Any]:
    return {
        "hilum": __version__,
        "model_sha256": file_sha256(context.study_dir / context.run / "model.safetensors"),
        "manifest": context.manifest.fingerprint,
        "test_opened": context.test_opened,
        "seed": context.options.seed,
        "replicates": context.options.replicates,
    }


def _files(context: InspectionContext, name: str) -> dict[str, str]:
    folder = context.folder(name)
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != DONE)
    return {path.relative_to(folder).as_posix(): file_sha256(path) for path in paths}
