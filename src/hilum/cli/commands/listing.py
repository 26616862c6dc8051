"""Commands that list what there is: recipes, models, this machine."""

from __future__ import annotations

from typing import Annotated

import tyro

from hilum.cli.types import Folder


def recipes(
    name: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="[show] [NAME]")] = (),
    /,
    *,
    json: bool = False,
) -> int:
    """List the recipes, or print one.

    Example: hilum recipes show d-mobilenetv2-frozen

    Args:
        name: show NAME prints the header of its file and every setting; NAME alone prints it as JSON.
        json: print one JSON document.
    """
    from hilum.cli.listing import list_recipes

    return list_recipes(name, as_json=json)


def models(*, json: bool = False) -> int:
    """List the networks that recipes can name.

    Example: hilum models

    Args:
        json: print one JSON document.
    """
    from hilum.cli.listing import list_networks

    return list_networks(as_json=json)


def doctor(*, weights_dir: Folder = None, json: bool = False) -> int:
    """Versions, devices, where weights are found, what is missing and how to get it.

    Example: hilum doctor

    Args:
        weights_dir: a folder of pre-trained weights to look into as well.
        json: print one JSON document.
    """
    from hilum.cli.listing import run_doctor

    return run_doctor(weights_dir, as_json=json)
