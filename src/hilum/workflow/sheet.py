"""`hilum augment`: what a recipe does to pictures of one's own, before anything is trained with it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from hilum.data.sources import list_images
from hilum.errors import DataError, ImageRejected, UsageError
from hilum.images import read_image
from hilum.recipes.schema import Recipe
from hilum.report.augmented import SheetRow, describe_augmentation, draw_sheet, make_versions
from hilum.report.pictures import draw_sample
from hilum.transforms import View, look, to_canvas
from hilum.transforms.preprocessing import shorter_side_needed
from hilum.workflow.network import augmentation_of, preprocessing_of, views_of

if TYPE_CHECKING:
    from PIL.Image import Image

MOST = 64


@dataclass(frozen=True)
class Sheet:
    """A sheet of pictures.

    Args:
        picture: RGB, of Pillow.
        sentence: what the augmentation does and how far.
        images: paths of the images that are shown, below the data root.
        columns: what stands above the pictures.
        skipped: files that were drawn and could not be read.
    """

    picture: Image
    sentence: str
    images: tuple[str, ...]
    columns: tuple[str, ...]
    skipped: int


def make_sheet(
    recipe: Recipe, data: Path, *, labels: str = "folders", images: int = 6, versions: int = 5, seed: int = 0
) -> Sheet:
    """Images of all classes in turn, as the network is given them, augmented, and as test-time views see them.

    Images of a given test split are not shown.

    Args:
        images: rows of the sheet.
        versions: augmented pictures an image.
        seed: of the images that are drawn and of the changes; training with this seed makes other draws, for they
            depend on an image's place in the manifest too.

    Raises:
        UsageError: no or too many pictures, or a seed below 0.
        DataError: no readable image.
    """
    if not (1 <= images <= MOST and 1 <= versions <= 16):
        raise UsageError("--images, --versions", expected=f"1 to {MOST}, 1 to 16", found=f"{images}, {versions}")
    if seed < 0:
        raise UsageError("--seed", expected="a whole number from 0", found=str(seed))
    listing, preprocessing = list_images(data, labels), preprocessing_of(recipe)
    augmentation, rows, skipped = augmentation_of(recipe), list[SheetRow](), 0
    views = _changing_views(recipe)
    count = 0 if augmentation.is_off else versions
    for name, label in _in_turn(listing.table, seed):
        try:
            image = read_image(listing.root / name, shorter_side=shorter_side_needed(preprocessing))
        except ImageRejected:
            skipped += 1
            continue
        canvas = to_canvas(image, preprocessing)
        changed = make_versions(canvas, augmentation, seed=seed, row=len(rows), count=count)
        looks = [look(canvas[None], view, seed=seed)[0] for view in views]
        rows.append(SheetRow(f"{label}, {name}", [canvas, *changed, *looks]))
        if len(rows) == images:
            break
    if not rows:
        raise DataError(str(data), expected="readable X-rays", found="none")
    sentence = describe_augmentation(augmentation)
    columns = ("original", *(f"augmented, {n + 1}" for n in range(count)), *(f"view {view.name}" for view in views))
    picture = draw_sheet(rows, columns, f"Augmentation of {recipe.name}", sentence)
    return Sheet(picture, sentence, tuple(row.caption.partition(", ")[2] for row in rows), columns, skipped)


def _changing_views(recipe: Recipe) -> list[View]:
    """Views of the recipe's test-time augmentation and of its candidates, without the plain one."""
    policies = [recipe.tta, *(policy.views for policy in recipe.tta_candidates)]
    views = dict.fromkeys(chain.from_iterable(views_of(policy) for policy in policies))
    return [view for view in views if view.steps]


def _in_turn(table: pd.DataFrame, seed: int) -> list[tuple[str, str]]:
    """(path, label) of every image that is not test, the classes in turn, in an order drawn by the seed."""
    rows = table[table["split"] != "test"] if "split" in table else table
    by_label = [
        [(name, str(label)) for name in draw_sample(group["image_path"], len(group), seed)]
        for label, group in rows.groupby("label", sort=True)
    ]
    return [each for turn in zip_longest(*by_label) for each in turn if each is not None]
