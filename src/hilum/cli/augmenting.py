"""`hilum augment`: a sheet of originals beside their augmented versions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hilum.cli.terminal import print_json, print_line
from hilum.errors import UsageError

ENDINGS = (".png", ".jpg", ".jpeg", ".webp")
REJECTED = 3


def run_augment_command(
    data: Path,
    recipe: str,
    *,
    changes: Sequence[str],
    labels: str,
    images: int,
    versions: int,
    out: Path | None,
    seed: int,
    as_json: bool,
) -> int:
    """Writes the sheet; returns the exit code."""
    from hilum.workflow.recipe_file import find_recipe
    from hilum.workflow.sheet import make_sheet

    chosen = find_recipe(recipe, changes)
    path = out or Path(f"augment-{chosen.name}.png")
    if path.suffix.casefold() not in ENDINGS:
        raise UsageError("--out", expected=f"a file that ends with {', '.join(ENDINGS)}", found=str(path))
    sheet = make_sheet(chosen, data, labels=labels, images=images, versions=versions, seed=seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}")
    sheet.picture.save(
        partial, format={".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}.get(path.suffix.casefold(), "PNG")
    )
    partial.replace(path)
    if as_json:
        facts = {"out": str(path), "sentence": sheet.sentence, "images": sheet.images, "columns": sheet.columns}
        print_json({**facts, "recipe": chosen.name, "skipped": sheet.skipped})
    else:
        print_line(sheet.sentence)
        print_line(str(path))
    return REJECTED if sheet.skipped else 0
