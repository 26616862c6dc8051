"""What augmentation does to the pictures that the chosen run was trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from hilum.errors import HilumError
from hilum.images import read_image
from hilum.report.augmented import describe_augmentation, make_versions
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
    for label in list(study.labels)[:IMAGES]:
        names = rows["image_path"][rows["label"] == label]
        for name in draw_sample(names, 1, study.facts.seed):
            examples.extend(_example(study, name, label, preprocessing, augmentation))
    if not examples:
        return None
    sentence = describe_augmentation(augmentation)
    return Section("What training made of them", render("augmented.html", examples=examples, sentence=sentence))


def _augmentation(recipe: Mapping[str, Any]) -> Augmentation | None:
    known = {field.name for field in fields(Augmentation)}
    given = recipe.get("augmentation") or {}
    return Augmentation(**given) if given and set(given) <= known else None


def _example(
    study: Study, name: str, label: str, preprocessing: Preprocessing, augmentation: Augmentation
) -> list[Example]:
    """One example; none for a picture that is gone."""
    try:
        image = read_image(study.manifest.path(name), shorter_side=shorter_side_needed(preprocessing))
        canvas = to_canvas(image, preprocessing)
    except (HilumError, OSError, ValueError):
        return []
    row = int(study.manifest.table.index[study.manifest.table["image_path"] == name][0])
    versions = make_versions(canvas, augmentation, seed=study.facts.seed, row=row, count=VERSIONS)
    original, side, _ = encode_picture(canvas)
    return [Example(name, label, original, tuple(encode_picture(each)[0] for each in versions), side)]
