"""`hilum train` in several processes: the first one does everything, the others only train beside it.

    torchrun --nproc-per-node 2 -m hilum train RECIPE DATA

The first process reads the data, holds the folder, writes and predicts. It tells the others when a training begins and
on what; they read the same manifest and cache, make the same network, and leave when it is trained.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hilum.errors import HilumError, UsageError

if TYPE_CHECKING:
    from hilum.recipes.schema import Recipe
    from hilum.workflow.options import Options

_waiting: list[bool] = []
"""One entry while other processes wait for a word."""


def launched() -> tuple[int, int]:
    """This process' number, and how many `torchrun` started: (0, 1) without it."""
    return int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))


def refuse_several(what: str) -> None:
    """Some work is for one process.

    Raises:
        UsageError: there are several.
    """
    count = launched()[1]
    if count > 1:
        way_out = "Start it without torchrun, or train one recipe with `hilum train RECIPE DATA`."
        raise UsageError(what, expected="one process", found=f"{count} that torchrun started", way_out=way_out)


@contextmanager
def leading() -> Iterator[None]:
    """Within it the others wait; whatever happens, they are told in the end."""
    if launched()[1] > 1:
        _waiting.append(True)
    try:
        yield
    finally:
        announce(None)


def announce(about: dict[str, Any] | None, device: str = "auto") -> bool:
    """Tells the others what is trained now, or that nothing is; does nothing where none waits.

    Args:
        about: what `follow` reads; has to be one that can be pickled.

    Returns:
        Whether others train along; `hilum.training.processes.leave` parts from them.
    """
    if not _waiting:
        return False
    from hilum.inference.device import choose_device
    from hilum.training.processes import join, leave, share

    _waiting.clear()
    join(choose_device(device), patient=True)
    share(about)
    if about is None:
        leave()
    return about is not None


@contextmanager
def alone() -> Iterator[None]:
    """Within it this process trains by itself while the others wait."""
    count = os.environ.pop("WORLD_SIZE", None)
    try:
        yield
    finally:
        if count is not None:
            os.environ["WORLD_SIZE"] = count


def follow(recipe: Recipe, options: Options) -> None:
    """What every process but the first does: waits for the word, trains its share, leaves.

    What goes wrong in the training is for the first process to say.
    """
    from hilum.data.build import open_cache
    from hilum.data.manifest import read_manifest
    from hilum.inference.device import choose_device
    from hilum.inference.memory import remembering
    from hilum.recipes.convert import from_json, to_json
    from hilum.training.fit import fit
    from hilum.training.processes import join, leave, share
    from hilum.workflow.network import network_of, phases_of, settings_of
    from hilum.workflow.run_training import examples_of

    device = join(choose_device(options.device), patient=True)
    about = share(None)
    if about is not None:
        recipe, study_dir = from_json(to_json(recipe)), Path(about["study_dir"])
        manifest = read_manifest(study_dir / "manifest.parquet")
        model, preprocessing = network_of(recipe, manifest, options)
        cache = open_cache(manifest, preprocessing, study_dir / "cache")
        with suppress(HilumError), remembering():  # as the first process does: the same features in all of them
            fit(
                model,
                replace(examples_of(manifest, cache, "train"), soft=about["soft"]),
                examples_of(manifest, cache, "val"),
                preprocessing=preprocessing,
                phases=phases_of(recipe),
                settings=settings_of(recipe, options),
                run_dir=study_dir / about["run"],
                device=device,
                time_budget=about["time_budget"],
                allow=about["allow"],
            )
    leave()
