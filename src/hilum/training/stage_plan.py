"""Which stages each phase will train, known before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hilum.models.classifier import Classifier
from hilum.models.stages import select_stages
from hilum.training.phase import Phase


@dataclass(frozen=True)
class PhaseStages:
    """What one phase trains.

    Args:
        train: the recipe's words.
        stages: (name, parameters, how many of them are trained) of every stage, in the network's order.
    """

    train: str
    stages: tuple[tuple[str, int, int], ...]

    @property
    def trained(self) -> int:
        """Parameters that are trained."""
        return sum(trained for _, _, trained in self.stages)

    def __str__(self) -> str:
        whole = [name for name, parameters, trained in self.stages if trained and trained == parameters]
        partly = [f"{name} (in part)" for name, parameters, trained in self.stages if 0 < trained < parameters]
        frozen = [name for name, parameters, trained in self.stages if parameters and not trained]
        trains = ", ".join([*partly, *whole]) if frozen or partly else "all stages"
        return f"trains {trains}: {self.trained:,} parameters" + (f"; frozen: {', '.join(frozen)}" if frozen else "")


def stages_of_phases(model: Classifier, phases: Sequence[Phase]) -> tuple[PhaseStages, ...]:
    """What each phase of a recipe trains in a network; nothing is frozen or thawed yet.

    Raises:
        RecipeError: a phase that names no stage or module of the network.
    """
    return tuple(PhaseStages(phase.train, _sizes(model, phase.train)) for phase in phases)


def _sizes(model: Classifier, selection: str) -> tuple[tuple[str, int, int], ...]:
    stages = model.stages
    parts = [stages.get(name) or model.backbone.get_submodule(name) for name in select_stages(model, selection)]
    trained = {id(parameter) for part in parts for parameter in part.parameters()}
    rows = []
    for name, stage in stages.items():
        sizes = [(each.numel(), id(each) in trained) for each in stage.parameters()]
        rows.append((name, sum(size for size, _ in sizes), sum(size for size, trains in sizes if trains)))
    return tuple(rows)
