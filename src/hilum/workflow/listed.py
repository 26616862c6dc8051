"""Listed files -> facts and canvases of those that can be read: what commands on somebody else's pictures share."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pandas as pd

from hilum.data.cache import CanvasCache, CanvasWriter
from hilum.data.scan import scan_images
from hilum.errors import DataError
from hilum.transforms import Preprocessing
from hilum.workflow.voice import Bar


def read_listed(
    listed: pd.DataFrame, root: Path, preprocessing: Preprocessing, cache_dir: Path, bar: Bar
) -> tuple[pd.DataFrame, pd.DataFrame, CanvasCache]:
    """Decodes each file once.

    Args:
        listed: with `image_path`, relative to `root`.
        cache_dir: where the canvases are written.

    Returns:
        The rows of the readable files, those of the others (`code`, `reason`), both with what the scan found and the
        row numbers of `listed`, and the canvases. `patient_id` is that of the list, else that of the file's header.

    Raises:
        DataError: not one of them can be read.
    """
    paths, done = [root / name for name in listed["image_path"]], 0

    def on_progress(more: int) -> None:
        nonlocal done
        done += more
        bar(done, len(paths), "images read")

    with ExitStack() as stack:
        writer = stack.enter_context(CanvasWriter(cache_dir, len(paths), preprocessing))
        facts = scan_images(paths, [writer], on_progress)
        sound = facts["code"].isna().to_numpy()
        if not sound.any():
            found = str(facts["reason"].iloc[0]) if len(facts) else "none"
            raise DataError(str(paths[0] if len(paths) == 1 else root), expected="readable X-rays", found=found)
        digests = facts["sha256"].where(facts["sha256"].notna(), None).tolist()
        cache = writer.finish(digests, facts["sha256"][sound])
    table = pd.concat([listed, facts], axis=1)
    given = table["patient_id"] if "patient_id" in table else pd.Series(None, index=table.index, dtype=object)
    table["patient_id"] = given.where(given.notna(), table["header_patient_id"])
    return table[sound], table[~sound], cache
