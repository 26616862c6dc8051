"""Each arm of the ablation differs from what it is compared with in the part it is named for, and in nothing else."""

import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from hilum.recipes.registry import RECIPES

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from ablation_arms import CANDIDATES, arms_of


def differences(one, other):
    """Dotted fields in which two recipes differ, phases as one field."""
    first, second = asdict(one), asdict(other)
    inside = {
        f"augmentation.{key}" for key, value in first["augmentation"].items() if value != second["augmentation"][key]
    }
    return inside | {key for key in first if key != "augmentation" and first[key] != second[key]}


@pytest.mark.parametrize("name", CANDIDATES)
def test_each_arm_changes_its_own_part(name):
    arms = arms_of(name, 64, 3, 16)
    fields = {
        "warp": {"augmentation.rotation", "augmentation.shift", "augmentation.zoom", "augmentation.shear"},
        "border": {"augmentation.collimate"},
        "blur-noise": {"augmentation.blur", "augmentation.noise"},
        "tone": {"augmentation.brightness", "augmentation.contrast", "augmentation.gamma"},
        "erase": {"augmentation.erase"},
        "jpeg": {"augmentation.jpeg"},
        "mixup": {"mixup"},
        "smoothing": {"label_smoothing"},
        "ema": {"ema"},
        "decay": {"phases"},
    }
    for base, sign in (("plain", "+"), ("whole", "-"), ("candidate", "-"), ("candidate", "+")):
        for part, changed in fields.items():
            arm = arms.get(f"{sign}{part}" if base == "plain" else f"{base}{sign}{part}")
            if arm is not None:
                assert differences(arm, arms[base]) == changed, (base, sign, part)


def test_the_candidate_is_the_recipe_that_follows_only_shorter_and_smaller():
    for name, follower in CANDIDATES.items():
        arm = arms_of(name, 64, 3, 16)["candidate"]
        apart = differences(arm, RECIPES[follower])
        assert apart <= {"preprocessing", "phases", "overfit_check", "batch_size", "ema"}
        assert max(phase.max_epochs for phase in arm.phases) == 3
        assert arm.preprocessing.image_size == 64
