"""Originals beside their augmented versions: in words, as pictures of a page, as one sheet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hilum.transforms import Augmentation, augment

if TYPE_CHECKING:
    from PIL.Image import Image

CELL, GAP, MARGIN, CAPTION = 168, 8, 20, 20
"""Pixels of a sheet: side of a picture, space between two, around all, and for a line of words."""

PAPER, INK, QUIET = "#ffffff", "#1c1f23", "#5c6570"


def make_versions(canvas: np.ndarray, augmentation: Augmentation, *, seed: int, row: int, count: int) -> np.ndarray:
    """The looks of one image in the first `count` epochs of training.

    Args:
        canvas: uint8 `[S, S]`.
        row: number of the image; another one is changed in another way.

    Returns:
        uint8 `[count, S, S]`.
    """
    repeated = np.repeat(canvas[None], count, axis=0)
    return augment(repeated, augmentation, [(seed, epoch, row) for epoch in range(count)])


def describe_augmentation(augmentation: Augmentation) -> str:
    """What is done to training pictures and how far, in one sentence."""
    a = augmentation
    parts = [
        (a.rotation, f"rotation up to {a.rotation:g}° either way"),
        (a.shift, f"shift up to {100 * a.shift:.3g} % of the side"),
        (a.zoom, f"zoom by {1 - a.zoom:.2g} to {1 + a.zoom:.3g}"),
        (a.shear, f"shear up to {a.shear:g}°"),
        (a.flip, f"left-right flip of {100 * a.flip:.3g} %"),
        (a.brightness, f"brightness by up to {100 * a.brightness:.3g} % of the range"),
        (a.contrast, f"contrast by {1 - a.contrast:.2g} to {1 + a.contrast:.3g}"),
        (a.gamma, f"gamma of {np.exp(-a.gamma):.2g} to {np.exp(a.gamma):.3g}"),
        (a.blur, f"blur up to {a.blur:g} pixels"),
        (a.noise, f"noise up to {100 * a.noise:.2g} % of the range"),
        (a.equalise, f"histogram equalisation of {100 * a.equalise:.3g} %"),
        (a.erase, f"a grey rectangle in {100 * a.erase:.3g} %"),
        (a.collimate, f"a collimator's border in {100 * a.collimate:.3g} %"),
        (a.crop, f"a crop of up to {100 * a.crop:.3g} % of each side"),
        (a.sharpen, f"sharpening up to {a.sharpen:g} times"),
        (a.shade, f"a ramp of light of up to {100 * a.shade:.3g} % of the range"),
        (a.jpeg, f"storing as JPEG of quality 15 to 95 in {100 * a.jpeg:.3g} %"),
    ]
    named = [words for value, words in parts if value]
    return f"Training pictures meet {', '.join(named)}." if named else "Training pictures are shown as they are."


@dataclass(frozen=True)
class SheetRow:
    """One image of a sheet.

    Args:
        caption: whose it is.
        pictures: uint8 `[S, S]` each, the original first.
    """

    caption: str
    pictures: Sequence[np.ndarray]


def draw_sheet(rows: Sequence[SheetRow], columns: Sequence[str], title: str, sentence: str) -> Image:
    """Rows of pictures under column heads, with a title and a sentence above.

    Args:
        rows: each with as many pictures as there are columns.

    Returns:
        An RGB picture of Pillow.
    """
    from PIL import Image, ImageDraw, ImageFont

    width = 2 * MARGIN + len(columns) * (CELL + GAP) - GAP
    bold, plain = ImageFont.load_default(17), ImageFont.load_default(12)
    lines = _wrapped(sentence, width - 2 * MARGIN, plain)
    top = MARGIN + 28 + len(lines) * 16 + CAPTION + 4
    height = top + len(rows) * (CELL + CAPTION + GAP) + MARGIN - GAP
    sheet = Image.new("RGB", (width, height), PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.text((MARGIN, MARGIN - 4), title, INK, bold)
    for number, line in enumerate(lines):
        pen.text((MARGIN, MARGIN + 22 + 16 * number), line, QUIET, plain)
    for column, head in enumerate(columns):
        pen.text((MARGIN + column * (CELL + GAP), top - CAPTION), _fitting(head, CELL, plain), INK, plain)
    for number, row in enumerate(rows):
        y = top + number * (CELL + CAPTION + GAP)
        for column, picture in enumerate(row.pictures):
            small = Image.fromarray(picture).resize((CELL, CELL), Image.Resampling.LANCZOS)
            sheet.paste(small, (MARGIN + column * (CELL + GAP), y))
        pen.text((MARGIN, y + CELL + 3), _fitting(row.caption, width - 2 * MARGIN, plain), QUIET, plain)
    return sheet


def _wrapped(text: str, width: int, font) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) > width and lines[-1]:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _fitting(text: str, width: int, font) -> str:
    shown = "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)
    while font.getlength(shown) > width and len(shown) > 1:
        shown = shown[:-2] + "…"
    return shown
