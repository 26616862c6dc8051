"""The five systems: their rows, the task of each row, and how the report split its images."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Literal

from hilum.errors import UsageError
from hilum.replay.reported import FIGURES, Reported

BINARY, THREE_CLASS = "binary", "three-class"
TASKS = {
    BINARY: ("folders", ("normal", "pneumonia")),
    THREE_CLASS: ("kermany3", ("normal", "bacterial", "viral")),
    "covid-three-class": ("folders", ("normal", "bacterial", "covid")),
    "covid": ("folders", ("normal", "covid")),
}
"""Task -> how labels are read from a data root, and the classes that are drawn where there is none."""


@dataclass(frozen=True)
class System:
    """A reference system.

    Args:
        letter, name: what the user types.
        title: a few words.
        tasks: each row's task by the recipe's name; `""` stands for all others.
        split: what the report did: `by-image` (validation at random), `no-test` (two parts at random), `test-as-val`.
        val_fraction: share of the images that validated.
    """

    letter: str
    name: str
    title: str
    tasks: dict[str, str]
    split: Literal["by-image", "no-test", "test-as-val"]
    val_fraction: float = 0.2

    @property
    def figures(self) -> tuple[Reported, ...]:
        """What was reported."""
        return tuple(each for each in FIGURES if each.system == self.letter)

    @property
    def rows(self) -> tuple[str, ...]:
        """Names of the recipes, in the order of the report."""
        return tuple(dict.fromkeys(each.row for each in self.figures))

    @property
    def all_tasks(self) -> tuple[str, ...]:
        """Keys of `TASKS`, in the order of the rows."""
        return tuple(dict.fromkeys(map(self.task, self.rows)))

    def task(self, row: str) -> str:
        """Key of `TASKS`."""
        return self.tasks.get(row, self.tasks[""])


THREE = dict.fromkeys(("c-vgg16-three-class", "c-knn-three-class"), THREE_CLASS)
ALSO_THREE = dict.fromkeys(("e-resnet18-adapter", "e-resnet101-three-class", "e-knn-three-class"), THREE_CLASS)

SYSTEMS: dict[str, System] = {
    system.letter: system
    for system in (
        System("A", "kermany-transfer", "three classes by transfer learning", {"": THREE_CLASS}, "by-image"),
        System("B", "imbalance-tta", "imbalance and test-time augmentation", {"": "covid-three-class"}, "by-image"),
        System("C", "vgg-knn", "VGG16, k-NN, autoencoder", {"": BINARY, **THREE}, "test-as-val"),
        System("D", "covid-small", "COVID against normal on 324 images", {"": "covid"}, "no-test", 0.25),
        System("E", "resnet-anomaly", "ResNets, k-NN, anomalies", {"": BINARY, **ALSO_THREE}, "by-image"),
    )
}


def find_systems(text: str) -> tuple[System, ...]:
    """The systems that are meant: a letter, a name, or `all`.

    Raises:
        UsageError: none of these.
    """
    if text.casefold() == "all":
        return tuple(SYSTEMS.values())
    known = {word.casefold(): each for each in SYSTEMS.values() for word in (each.letter, each.name)}
    if text.casefold() in known:
        return (known[text.casefold()],)
    near = difflib.get_close_matches(text.casefold(), known, n=1, cutoff=0.4)
    names = ", ".join(f"{each.letter} ({each.name})" for each in SYSTEMS.values())
    way_out = f"Did you mean {near[0]}?" if near else ""
    raise UsageError("system", expected=f"all, {names}", found=text, way_out=way_out)


def find_rows(systems: tuple[System, ...], only: tuple[str, ...]) -> frozenset[str]:
    """Names of the rows to run; all where `only` is empty.

    Raises:
        UsageError: a name that is no row of these systems.
    """
    known = [row for system in systems for row in system.rows]
    for name in only:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
            way_out = f"Did you mean `{near[0]}`?" if near else ""
            raise UsageError("--only", expected=f"rows such as {known[0]}", found=name, way_out=way_out)
    return frozenset(only or known)
