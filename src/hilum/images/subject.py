"""Is this a frontal X-ray of a chest? What a header says against it."""

from __future__ import annotations

from hilum.errors import ImageRejected
from hilum.images.codes import rejection
from hilum.images.image import Acquisition

XRAY = frozenset({"CR", "DX", "DR", "RG", "RF", "HC", "SC", "OT"})
"""Modalities that may be a chest X-ray: radiography, and the terms of scanned film and secondary captures."""
_NAMES = {"CT": "computed tomography", "MR": "magnetic resonance", "US": "ultrasound", "MG": "mammography"}


def objection(acquisition: Acquisition, name: str) -> ImageRejected | None:
    """Why the file should not be shown to a model of frontal chest X-rays, by its header alone.

    A header that says nothing raises no objection; what the picture shows is for the gate of the model file. Whoever
    forces the prediction keeps the code as a warning.

    Args:
        acquisition: of the picture.
        name: the file, for the message.

    Returns:
        A rejection with the code `modality`, `body-part` or `lateral`, or None.
    """
    modality, part = acquisition.modality, acquisition.body_part
    if modality is not None and modality not in XRAY:
        return rejection("modality", name, f"{_NAMES.get(modality, 'modality')} ({modality})")
    if part not in (None, "chest"):
        return rejection("body-part", name, f"an X-ray of the {part}")
    if acquisition.view == "LATERAL":
        return rejection("lateral", name, "a lateral view")
    return None
