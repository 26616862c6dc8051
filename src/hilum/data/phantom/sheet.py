"""A sheet of drawn radiographs for people to look at."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from hilum.data.phantom.drawing import draw_image
from hilum.data.phantom.findings import FINDINGS
from hilum.data.phantom.machine import MACHINES
from hilum.data.phantom.patient import draw_patient

OUTLINE = (0, 158, 115)
"""Red, green, blue of the line around a lesion."""


def draw_contact_sheet(
    *,
    findings: Sequence[str] = FINDINGS,
    columns: int = 5,
    size: int = 224,
    difficulty: float = 0.3,
    outlines: bool = False,
    seed: int = 0,
) -> np.ndarray:
    """A row of radiographs for each finding, a column for each machine in turn.

    Args:
        outlines: draws a line around each lesion.

    Returns:
        uint8 `[rows * size, columns * size, 3]`, red, green, blue; pictures that are not square lie on black.
    """
    sheet = np.zeros((len(findings), columns, size, size, 3), np.uint8)
    for row, finding in enumerate(findings):
        for column in range(columns):
            key = [seed, row, column]
            number = int(np.random.default_rng(key).integers(2**62))
            machine, rng = MACHINES[column % len(MACHINES)], np.random.default_rng([*key, 1])
            drawing = draw_image(draw_patient(number), finding, machine, rng, difficulty, size=size)
            picture = cv2.cvtColor(drawing.pixels, cv2.COLOR_GRAY2RGB)
            if outlines:
                edge = cv2.findContours(drawing.lesion_mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
                cv2.drawContours(picture, edge[0], -1, OUTLINE, max(1, size // 224))
            height, width = picture.shape[:2]
            top, left = (size - height) // 2, (size - width) // 2
            sheet[row, column, top : top + height, left : left + width] = picture
    return sheet.swapaxes(1, 2).reshape(len(findings) * size, columns * size, 3)
