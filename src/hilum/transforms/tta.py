"""Test-time augmentation: several looks at one picture, each drawn from the seed and the picture alone."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from hilum.errors import RecipeError
from hilum.transforms.augmentation import Augmentation, augment


@dataclass(frozen=True)
class View:
    """One look: changes made one after the other, none for the picture as it is.

    Args:
        name: a few letters, unique in its policy; views of different names draw different numbers.
        steps: each drawn as in training (see `Augmentation`).
    """

    name: str
    steps: tuple[Augmentation, ...] = ()

    def to_json(self) -> str | dict[str, Any]:
        """The name of a built-in view, else name and steps: only what is switched on."""
        if BUILT_IN.get(self.name) == self:
            return self.name
        steps = [{name: value for name, value in asdict(step).items() if value} for step in self.steps]
        return {"name": self.name, "steps": steps}


BUILT_IN = {"plain": View("plain"), "flip": View("flip", (Augmentation(flip=1.0),))}
"""Views that go by a name alone."""


def make_views(policy: Sequence[str | Mapping[str, Any] | View]) -> tuple[View, ...]:
    """Views from names of built-in ones, from what `View.to_json` gave, or as they are.

    Raises:
        RecipeError: no view, an unknown name, one name twice, or a change that does not exist.
    """
    views = tuple(_make(each) for each in policy)
    names = [view.name for view in views]
    repeated = [name for name in names if names.count(name) > 1]
    if not views or repeated:
        found = f"{repeated[0]} more than once" if repeated else "none"
        raise RecipeError("tta", expected="views of different names", found=found)
    return views


def _make(view: str | Mapping[str, Any] | View) -> View:
    if isinstance(view, View):
        return view
    try:
        if isinstance(view, str):
            return BUILT_IN[view]
        return View(str(view["name"]), tuple(Augmentation(**step) for step in view["steps"]))
    except (KeyError, TypeError) as error:
        expected = f"a view among {', '.join(BUILT_IN)}, or a name and steps"
        found = view if isinstance(view, str) else str(error)
        raise RecipeError("tta", expected=expected, found=found) from None


def look(canvases: np.ndarray, view: View, *, seed: int = 0) -> np.ndarray:
    """A batch as one view sees it: the same picture is seen the same way in any batch and in any process.

    Args:
        canvases: uint8 `[B, S, S]`; not altered.
        seed: of the random changes.

    Returns:
        uint8 `[B, S, S]`.
    """
    if not view.steps:
        return canvases
    if view == BUILT_IN["flip"]:
        return np.ascontiguousarray(canvases[..., ::-1])
    own = _number(view.name.encode())
    seeds = [(seed, own, _number(np.ascontiguousarray(canvas))) for canvas in canvases]
    for number, step in enumerate(view.steps):
        canvases = augment(canvases, step, [(*each, number) for each in seeds])
    return canvases


def _number(content: Any) -> int:
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little")


def find_unseen(views: Sequence[View], trained_with: Augmentation, *, equalised: bool = False) -> list[str]:
    """Changes that a policy makes and that training never made, or made less of.

    Args:
        trained_with: augmentation of the training images.
        equalised: every training image was equalised by the preprocessing.

    Returns:
        One sentence a change.
    """
    sentences = []
    for field in fields(Augmentation):
        of_views = {view.name: max([0.0, *(getattr(step, field.name) for step in view.steps)]) for view in views}
        name, most = max(of_views.items(), key=lambda item: item[1])
        trained = 1.0 if field.name == "equalise" and equalised else getattr(trained_with, field.name)
        if most and not trained:
            sentences.append(
                f"View {name} uses {_words(field.name)}, which no training image went through: "
                "what the network makes of it is left to chance."
            )
        elif most > trained and field.name not in _CHANCES:
            sentences.append(f"View {name} goes further in {field.name} ({most:g}) than training did ({trained:g}).")
    return sentences


_CHANCES = ("flip", "equalise", "erase", "collimate", "jpeg")
"""Probabilities: a change that training made now and then, it has seen."""


def _words(name: str) -> str:
    return {"equalise": "histogram equalisation", "flip": "a left-right flip", "shift": "a shift"}.get(name, name)
