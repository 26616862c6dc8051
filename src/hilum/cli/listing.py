"""`hilum recipes`, `hilum models`, `hilum doctor`: what there is."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hilum.cli.terminal import print_json, print_line, render_table
from hilum.errors import UsageError

if TYPE_CHECKING:
    from hilum.recipes.schema import Recipe

EXTRAS = {
    "gdcm": ("JPEG, JPEG-LS and JPEG 2000 inside DICOM", "pip install 'hilum[dicom]'"),
    "jpeg_ls": ("JPEG-LS inside DICOM", "pip install 'hilum[dicom]'"),
    "openjpeg": ("JPEG 2000 inside DICOM", "pip install 'hilum[dicom]'"),
    "torchxrayvision": ("networks trained on chest X-rays, xrv-...", "pip install 'hilum[xrv]'"),
    "tensorboard": ("--log tensorboard", "pip install 'hilum[tensorboard]'"),
    "mlflow": ("--log mlflow", "pip install 'hilum[mlflow]'"),
    "wandb": ("--log wandb", "pip install 'hilum[wandb]'"),
}


def list_recipes(words: Sequence[str], *, as_json: bool) -> int:
    """All recipes, or one: as JSON, or with `show` in words and with the header of its file."""
    from hilum.recipes.convert import to_json
    from hilum.recipes.registry import RECIPES
    from hilum.workflow.recipe_file import find_recipe

    show, names = words[:1] == ("show",), words[1:] if words[:1] == ("show",) else words
    if len(names) > 1 or (show and not names):
        raise UsageError("hilum recipes", expected="show NAME, NAME, or nothing", found=" ".join(words))
    if show and not as_json:
        return _show(find_recipe(names[0]))
    if names or as_json:
        chosen = [find_recipe(name) for name in names] or list(RECIPES.values())
        documents = [to_json(recipe) for recipe in chosen]
        print_json(documents[0] if names else documents)
        return 0
    rows = [(r.name, r.model.name, r.model.weights, r.description) for r in RECIPES.values()]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        print_line("  ".join(cell.ljust(width) for cell, width in zip(row[:3], widths, strict=True)) + "  " + row[3])
    return 0


def _show(recipe: Recipe) -> int:
    from hilum.recipes.convert import flatten
    from hilum.recipes.registry import RECIPES, header_of

    if RECIPES.get(recipe.name) == recipe:
        print_line(header_of(recipe.name))
        print_line()
    rows = [(name, value) for name, value in flatten(recipe) if not (_AUGMENTS.match(name) and float(value) == 0)]
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        print_line(f"{name.ljust(width)}  {value}".rstrip())
    print_line("\nChanges to pictures that are not listed are off.")
    return 0


_AUGMENTS = re.compile(r"augmentation\.|.*\.steps\.")


def list_networks(*, as_json: bool) -> int:
    """Our own networks; any timm model goes by its name."""
    from hilum.models import list_models

    if as_json:
        print_json(list_models())
        return 0
    rows = [_cells(row) for row in list_models()]
    print_line(render_table(rows, ("name", "parameters", "input", "weights", "systems")))
    print_line("\nParameters: with the classes and the input that it is usually run with.")
    print_line("Any other timm model goes by timm's name; xrv- networks need hilum[xrv].")
    return 0


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    shape = f"{row['image_size']}x{row['image_size']}x{row['in_channels']}"
    return row["name"], f"{row['parameters']:,}", shape, row["weights"], " ".join(row["systems"])


def run_doctor(weights_dir: Path | None, *, as_json: bool) -> int:
    """What this machine has."""
    facts = _facts(weights_dir)
    if as_json:
        print_json(facts)
        return 0
    for heading, entries in facts.items():
        print_line(heading)
        for key, value in entries.items():
            print_line(f"  {key:<26}{value}")
    return 0


def _facts(weights_dir: Path | None) -> dict[str, dict[str, Any]]:
    import torch

    from hilum.models import find_local_weights
    from hilum.workflow.record import machine, versions

    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30 if hasattr(os, "sysconf") else None
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    gpus = (
        [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    )
    weights = find_local_weights(weights_dir)
    searched = [str(place) for place in (weights_dir, os.environ.get("HILUM_WEIGHTS")) if place]
    return {
        "machine": {
            "processor": machine(),
            "cores": os.cpu_count(),
            "memory": f"{memory:.1f} GiB" if memory else "unknown",
            "free disk here": f"{free:.0f} GiB",
            "GPUs": ", ".join(gpus) or "none",
        },
        "versions": dict(versions()),
        "weights on this machine": {
            "found": ", ".join(weights) or "none; give a folder with --weights-dir or HILUM_WEIGHTS",
            "looked in": ", ".join(searched) or "HILUM_WEIGHTS is not set, no --weights-dir given",
        },
        "extras": {module: _extra(module) for module in EXTRAS},
    }


def _extra(module: str) -> str:
    purpose, command = EXTRAS[module]
    if util.find_spec(module) is not None:
        return f"there ({purpose})"
    return f"missing ({purpose}): {command}"
