"""What augmentation does to the pictures that the chosen run was trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from hilum.errors import HilumError
from hilum.images import read_image
from hilum.report.augmented import describe_augmentation, make_versions
from hilum.report.charts.palette import class_colour
from hilum.report.pictures import draw_sample, encode_picture
from hilum.report.sections.section import Section, render
from hilum.report.study_folder import Study
from hilum.transforms import Augmentation, Preprocessing, to_canvas
from hilum.transforms.preprocessing import shorter_side_needed

VERSIONS, IMAGES = 4, 3


@dataclass(frozen=True)
class Example:
    """An image as the network is given it, and what training makes of it; data URIs of `side` pixels."""

    image_path: str
    label: str
    colour: str
    original: str
    versions: tuple[str, ...]
    side: int


def make_augmented(study: Study) -> Section | None:
    """Originals of the training split beside their first augmented versions; nothing where none are made."""
    recipe = study.chosen.recipe if study.chosen else {}
    augmentation = _augmentation(recipe)
    if augmentation is None or augmentation.is_off:
        return None
    preprocessing = Preprocessing(**recipe["preprocessing"])
    rows = study.manifest.split("train")
    examples = []
    places = {name: place for place, name in enumerate(rows["image_path"])}
    for position, label in enumerate(list(study.labels)[:IMAGES]):
        for name in draw_sample(rows["image_path"][rows["label"] == label], 1, study.facts.seed):
            canvas = _canvas(study, name, preprocessing)
            if canvas is not None:
                versions = make_versions(canvas, augmentation, seed=study.facts.seed, row=places[name], count=VERSIONS)
                original, side, _ = encode_picture(canvas)
                pictures = tuple(encode_picture(each)[0] for each in versions)
                examples.append(Example(name, label, class_colour(position), original, pictures, side))
    if not examples:
        return None
    sentence = describe_augmentation(augmentation)
    return Section("What training made of them", render("augmented.html", examples=examples, sentence=sentence))


def _augmentation(recipe: Mapping[str, Any]) -> Augmentation | None:
    known = {field.name for field in fields(Augmentation)}
    given = recipe.get("augmentation") or {}
    return Augmentation(**given) if given and set(given) <= known else None


def _canvas(study: Study, name: str, preprocessing: Preprocessing) -> np.ndarray | None:
    """A picture as the network is given it; None where it is gone or can no longer be read."""
    try:
        image = read_image(study.manifest.path(name), shorter_side=shorter_side_needed(preprocessing))
    except (HilumError, OSError, ValueError):
        return None
    return to_canvas(image, preprocessing)
