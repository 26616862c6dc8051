"""Two pictures that every export is tried on when it is opened: does it still say what it said when it was written?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hilum.errors import ModelFileError
from hilum.inference.engine import Engine, Outputs
from hilum.inference.parity import difference

if TYPE_CHECKING:
    from hilum.inference.exported import ExportedHeader


def probe_canvases(side: int) -> np.ndarray:
    """uint8 `[2, S, S]`: a bright field with two dark lobes, and its mirror image with stripes; no random numbers."""
    down, across = np.mgrid[0:side, 0:side] / side
    lobes = sum(np.exp(-(((across - x) / 0.13) ** 2 + ((down - 0.5) / 0.28) ** 2)) for x in (0.3, 0.7))
    chest = 200 - 150 * lobes + 30 * down
    stripes = chest[:, ::-1] + 20 * np.sign(np.sin(25 * down + 9 * across))
    return np.clip(np.stack([chest, stripes]), 0, 255).astype(np.uint8)


def check_probe(engine: Engine, exported: ExportedHeader) -> None:
    """Compares what an engine makes of the probe with what the file says.

    Raises:
        ModelFileError: it says something else here.
    """
    side = int(exported.header.preprocessing["image_size"])
    found = engine.both(probe_canvases(side))
    expected = np.array(exported.probe, np.float32)
    if found.logits.shape != expected.shape:
        raise ModelFileError("probe", expected=f"{expected.shape[1]} logits", found=str(found.logits.shape[1]))
    parity = difference(Outputs(found.logits, found.logits), Outputs(expected, found.logits))
    if not parity.holds(exported.precision):
        raise ModelFileError(
            "probe", expected="what it gave when written", found=f"probabilities {parity.probability:.1e} off"
        )
