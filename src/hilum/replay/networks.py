"""Which networks the rows of a system need: rows that differ in how they predict share one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from hilum.recipes.registry import RECIPES
from hilum.recipes.schema import Recipe
from hilum.replay.mistakes import lifted_guards
from hilum.replay.systems import System

LegName = Literal["followed", "corrected"]
LEGS: tuple[LegName, ...] = ("followed", "corrected")


@dataclass(frozen=True)
class Network:
    """Something to train.

    Args:
        run: name of its run folder below the leg's.
        recipe: what is trained: no k-NN, no views.
        allow: guards that are lifted for it.
    """

    run: str
    recipe: Recipe
    allow: tuple[str, ...] = ()


def network_of_row(
    system: System, row: str, leg: LegName, *, first_phase: bool = False, epochs: int | None = None
) -> Network:
    """The network under a row.

    Args:
        first_phase: as it is before fine-tuning.
        epochs: of each phase, instead of the recipe's.
    """
    owner = next(each for each in system.rows if _trained(each) == _trained(row))
    recipe = replace(_trained(row), name=owner)
    allow = lifted_guards([name for each in system.figures if each.row == row for name in each.mistakes])
    if leg == "corrected":
        allow = ()
    if allow:
        recipe = replace(recipe, model=replace(recipe.model, weights="none"))
    if epochs is not None:
        recipe = replace(recipe, phases=tuple(replace(phase, max_epochs=epochs) for phase in recipe.phases))
    if first_phase:
        recipe = replace(recipe, name=f"{owner}-first-phase", phases=recipe.phases[:1])
    return Network(recipe.name, recipe, allow)


def networks_of(system: System, rows: Iterable[str], leg: LegName, *, epochs: int | None = None) -> list[Network]:
    """Every network that these rows need, each once; none for anomaly rows, which have an autoencoder of their own."""
    wanted = {(each.row, each.first_phase) for each in system.figures if each.row in set(rows)}
    ordered = [pair for row in system.rows for pair in ((row, True), (row, False)) if pair in wanted]
    made = (
        network_of_row(system, row, leg, first_phase=first, epochs=epochs)
        for row, first in ordered
        if RECIPES[row].anomaly is None
    )
    return list({network.run: network for network in made}.values())


def _trained(row: str) -> Recipe:
    """What of a row's recipe training depends on."""
    return replace(RECIPES[row], name="", description="", tta=("plain",), tta_candidates=(), neighbors=None, search=())
