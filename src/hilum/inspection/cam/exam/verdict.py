"""What the figures of an exam mean: passed, failed, or too few images to say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

RANDOM_BELOW = 0.5
"""Mean rank correlation with the map of a random network; `docs/explain.md` says what it is drawn from."""

TESTS = {
    "randomised": "changes with the weights",
    "deletion": "marks what counts",
    "in_lungs": "lies in the lungs",
    "at_border": "keeps off the border",
}
"""Test -> what passing it means. The first two are about the map, the others about what the network looks at."""

ABOUT_THE_MAP = ("randomised", "deletion")


def verdicts_of(figures: Mapping[str, Any]) -> list[dict[str, str]]:
    """One entry a test: `test`, `state` (`pass`, `fail` or `open`), `sentence`."""
    rules = {
        "randomised": (figures["randomised"]["all"], RANDOM_BELOW, -1),
        "deletion": (figures["deletion"]["gain"], 0.0, 1),
        "in_lungs": (figures["in_lungs"]["density"], 1.0, 1),
        "at_border": (figures["at_border"]["density"], 1.0, -1),
    }
    return [
        {"test": test, "state": state, "sentence": SENTENCES[test][state]}
        for test, rule in rules.items()
        for state in (_state(*rule),)
    ]


def _state(estimate: Mapping[str, Any], bound: float, direction: int) -> str:
    """`pass` where the whole interval lies on the right side of the bound, `fail` where all of it is on the other."""
    low, high = sorted(direction * (estimate[end] - bound) for end in ("ci_low", "ci_high"))
    if not np.isfinite([low, high]).all():
        return "open"
    return "pass" if low > 0 else "fail" if high < 0 else "open"


SENTENCES = {
    "randomised": {
        "pass": "The map changes when the weights are made random, so it shows something that was learned.",
        "fail": "The map hardly changes when the weights are made random: it shows the picture, not what was learned.",
        "open": "Whether the map depends on what was learned cannot be said from so few images.",
    },
    "deletion": {
        "pass": "Deleting what the map marks hurts the answer more than deleting the same shape elsewhere.",
        "fail": "Deleting what the map marks hurts the answer less than deleting the same shape elsewhere.",
        "open": "Whether deleting what the map marks hurts the answer more than deleting the same shape elsewhere "
        "cannot be said: no difference was measurable.",
    },
    "in_lungs": {
        "pass": "The map is denser inside the lungs than over the picture as a whole.",
        "fail": "The map lies outside the lungs more than chance would have it: look for what gives the class away "
        "there.",
        "open": "Whether the map leans towards the lungs cannot be said: its density there is not measurably other "
        "than over the picture as a whole.",
    },
    "at_border": {
        "pass": "It keeps off the outer tenth of the picture.",
        "fail": "It is denser at the border than over the picture as a whole: the network may answer from markers, "
        "frames or the way the picture was cut.",
        "open": "Whether it keeps off the border cannot be said: its density there is not measurably other than over "
        "the picture as a whole.",
    },
}
