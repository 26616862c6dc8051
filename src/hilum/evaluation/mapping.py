"""Classes of somebody else's data beside those of a model: which name stands for which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from hilum.errors import UsageError
from hilum.labels import LabelSet

LEFT_OUT = "-"
"""A class of this name takes images out of the evaluation: `--map -=covid`."""


@dataclass(frozen=True)
class LabelMapping:
    """How classes of a model and of other data meet.

    Args:
        labels: the classes that figures are about.
        of_data: class of the data -> one of `labels`, or None where its images are left out.
        columns: for each of `labels` the positions of the model's outputs that are added up.
    """

    labels: LabelSet
    of_data: Mapping[str, str | None]
    columns: tuple[tuple[int, ...], ...]

    @property
    def merges_outputs(self) -> bool:
        """Whether several outputs of the model stand for one class."""
        return any(len(each) > 1 for each in self.columns)

    def logits(self, logits: np.ndarray) -> np.ndarray:
        """The model's logits `[N, M]` -> `[N, K]`: probabilities of what is merged are added up."""
        scores = special.log_softmax(np.asarray(logits, dtype=np.float64), axis=1)
        return np.column_stack([special.logsumexp(scores[:, list(each)], axis=1) for each in self.columns])


def map_labels(model: Sequence[str], data: Sequence[str], wishes: Sequence[str] = ()) -> LabelMapping:
    """Finds out which class is which.

    Names that differ in case only are the same. `NAME=A+B` with classes A and B of the data counts their images as the
    model's NAME; with A and B outputs of the model it adds these up as NAME of the data.

    Args:
        model, data: class names.
        wishes: such as `pneumonia=bacteria+virus`.

    Raises:
        UsageError: a wish that names what is not there, or a class of the data that the model does not know.
    """
    merged: dict[str, list[str]] = {}
    of_data: dict[str, str | None] = {}
    for wish in wishes:
        name, parts = _read(wish, model, data)
        if name == LEFT_OUT:
            of_data |= {_found(part, data, wish): None for part in parts}
        elif _near(name, model) and all(_near(part, data) for part in parts):
            of_data |= {_found(part, data, wish): _found(name, model, wish) for part in parts}
        elif all(_near(part, model) for part in parts):
            merged[_near(name, data) or name] = [_found(part, model, wish) for part in parts]
        else:
            _refuse(wish, model, data)
    taken = [part for parts in merged.values() for part in parts]
    if twice := [part for part in taken if taken.count(part) > 1]:
        raise UsageError("--map", expected="each output of the model once", found=f"{twice[0]} more than once")
    groups = {name: [name] for name in model if name not in taken} | merged
    for name in data:
        if name not in of_data:
            of_data[name] = _near(name, list(groups)) or _refuse_unknown(name, list(groups))
    labels = LabelSet.of(groups)
    columns = tuple(tuple(model.index(part) for part in groups[label]) for label in labels)
    return LabelMapping(labels, of_data, columns)


def _read(wish: str, model: Sequence[str], data: Sequence[str]) -> tuple[str, list[str]]:
    name, sign, parts = wish.partition("=")
    found = [part.strip() for part in parts.split("+") if part.strip()]
    if not (sign and name.strip() and found):
        _refuse(wish, model, data)
    return name.strip(), found


def _near(name: str, names: Sequence[str]) -> str | None:
    return next((each for each in names if each.casefold() == name.casefold()), None)


def _found(name: str, names: Sequence[str], wish: str) -> str:
    near = _near(name, names)
    if near is None:
        raise UsageError(f"--map {wish}", expected=f"some of {', '.join(names)}", found=name)
    return near


def _refuse(wish: str, model: Sequence[str], data: Sequence[str]) -> None:
    raise UsageError(
        f"--map {wish}",
        expected="NAME=A+B",
        found="names that do not fit",
        way_out=f"The model knows {', '.join(model)}; the data have {', '.join(data)}.",
    )


def _refuse_unknown(name: str, known: Sequence[str]) -> str:
    way_out = f"Say what it is, as in `--map '{known[-1]}={name}'`, or leave it out with `--map '-={name}'`."
    raise UsageError(f"class {name} of the data", expected=f"one of {', '.join(known)}", found=name, way_out=way_out)
