"""What a study looks at once its run is chosen: each part by itself, none able to lose the study."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hilum.data.manifest import Manifest
from hilum.errors import HilumError
from hilum.workflow.options import Options
from hilum.workflow.voice import Voice

INSPECTION = "inspection"


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


PARTS: tuple[tuple[str, str, Part], ...] = (
    ("neighbors", "k-NN on the embedding was not evaluated to the end", _neighbors),
    ("projection", "The map of the embedding was not drawn", _projection),
    ("anomaly", "Anomalies were not looked for to the end", _anomaly),
    ("cam", "The heat maps were not examined to the end", _heat_maps),
)
"""Name of the folder, words for what failed, the part."""


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
    took: dict[str, float] = {}
    ends = time.monotonic() + seconds
    for number, (name, words, part) in enumerate(PARTS):
        share = max(ends - time.monotonic(), 1.0) / (len(PARTS) - number)
        began = time.monotonic()
        try:
            part(InspectionContext(study_dir, run, manifest, options, test_opened, share, on_step))
        except HilumError as error:
            voice.warn(f"{words}: {error}")
        except Exception as error:  # the figures that are there already go into the report all the same
            voice.warn(f"{words}: {type(error).__name__}: {' '.join(str(error).split())[:200]}")
        else:
            took[name] = round(time.monotonic() - began, 2)
    return took
