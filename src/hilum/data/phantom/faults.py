"""What can be wrong with a collection of X-rays on purpose, and how strongly."""

from __future__ import annotations

from dataclasses import dataclass, fields

from hilum.errors import UsageError

PLANTED_QUALITIES = (95, 55, 35, 75, 20)
"""JPEG quality of the first, second, ... class where quality follows the class."""

DAMAGES = ("truncated", "text", "empty")
"""Cut off after 10 to 60 % of its bytes; a line of text under an image's name; no bytes at all."""

CHANGES = ("resize", "crop", "flip", "brightness", "re-encode")
"""What sets a near duplicate apart from its original."""


@dataclass(frozen=True)
class Faults:
    """Faults to plant, each with a strength in [0, 1]; 0 = absent.

    A stronger fault hits the same images as a weaker one and more of them; which images a fault hits does not depend
    on the other faults. Nothing else in the data set changes, save what the fault adds or takes away.

    Args:
        marker: share of the images whose side marker stands where the class says, with the letter that the class says;
            the others carry the machine's marker at a place that says nothing.
        border: share of the images with a frame whose grey the class says.
        jpeg_quality: share of the images that went through JPEG at a quality that the class says
            (`PLANTED_QUALITIES`); it shows in written files, not in `Drawing`.
        duplicates: share of the images of which there is a further, byte-identical file, under another patient
            number and in a split drawn anew. The copies come on top.
        near_duplicates: likewise, but the copy was changed a little (`CHANGES`).
        patients_in_both: share of the test patients of whom there is one further image in train. It comes on top.
        wrong_labels: share of the images filed under another class; in every split.
        shifted_test: how far exposure, contrast, sharpness, noise and distance of all test images are moved away
            from those of train: an amount, not a share.
        scarce_class: share of the patients of the last class who are left out; one a split always stays.
        unreadable: share of the files that cannot be read (`DAMAGES`).

    Raises:
        UsageError: a strength outside [0, 1].
    """

    marker: float = 0.0
    border: float = 0.0
    jpeg_quality: float = 0.0
    duplicates: float = 0.0
    near_duplicates: float = 0.0
    patients_in_both: float = 0.0
    wrong_labels: float = 0.0
    shifted_test: float = 0.0
    scarce_class: float = 0.0
    unreadable: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            strength = getattr(self, field.name)
            if not 0 <= strength <= 1:
                raise UsageError(f"fault {field.name}", expected="a strength from 0 to 1", found=str(strength))
