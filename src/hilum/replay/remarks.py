"""What must be known of a run to read its figures: no weights, or fewer epochs than its recipe asks for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hilum.data.manifest import Manifest
from hilum.errors import HilumError, WeightsNotFound
from hilum.recipes.registry import RECIPES
from hilum.replay.networks import Network
from hilum.workflow.network import network_of
from hilum.workflow.options import Options
from hilum.workflow.record import read_json

FROM_RANDOM = "Its pre-trained weights were not found; as --weights none asks, it started from random values."


def start_without_weights(network: Network, manifest: Manifest, options: Options) -> tuple[Network, str]:
    """The same network from random values where its weights are nowhere, and the sentence that says so.

    What its recipe freezes stays frozen, now at random values, so the guard against that is lifted.
    """
    try:
        network_of(network.recipe, manifest, options)
    except WeightsNotFound:
        recipe = replace(network.recipe, model=replace(network.recipe.model, weights="none"))
        return replace(network, recipe=recipe, allow=("frozen-random",)), FROM_RANDOM
    except HilumError:
        pass  # training meets it again, and says it in its place
    return network, ""


def describe_cut(run_dir: Path, epochs: int | None) -> str:
    """A sentence where a run had fewer epochs than its recipe asks for; empty otherwise.

    Args:
        epochs: of each phase, where they were given instead of the recipe's.
    """
    environment, recipe = read_json(run_dir / "environment.json") or {}, read_json(run_dir / "recipe.json") or {}
    name, phases = recipe["name"].removesuffix("-first-phase"), len(recipe["phases"])
    asked = sum(phase.max_epochs for phase in RECIPES[name].phases[:phases])
    planned, done = environment["epochs_planned"], environment["epochs_done"]
    if epochs is not None and planned < asked:
        return f"Cut to {planned} of up to {asked} epochs by --epochs."
    if environment.get("shortened") or "time budget" in environment["stopped"]:
        return f"Cut to {done} of up to {asked} epochs by the time budget."
    return ""
