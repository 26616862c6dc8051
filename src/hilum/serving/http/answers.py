"""From the bytes of an image to the JSON of its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from hilum.errors import HilumError, ImageRejected
from hilum.images import Image
from hilum.images.codes import REJECTIONS, WARNINGS
from hilum.serving.explanation import LONGEST, Explanation, Opened, explain_pictures
from hilum.serving.http.pictures import heat_json, picture_json
from hilum.serving.http.problems import Problem, sentence_of
from hilum.serving.http.served import Room, Served, digest
from hilum.serving.prediction import STRANGE, Outcome
from hilum.serving.predictor import Picture

FORCED = "Forced: this does not look like the chest X-rays of training; its probabilities mean nothing."


@dataclass(frozen=True)
class Wishes:
    """What a request wants beside probabilities.

    Args:
        force: also predict what would be refused.
        picture: the picture too.
        neighbors: how many training cases.
    """

    force: bool = False
    picture: bool = False
    neighbors: int = 0


@dataclass(frozen=True)
class Read:
    """A decoded image.

    Args:
        number: position in the request, from 1; names are not kept.
        shown: the image, large enough to be looked at; None if that was not asked for.
    """

    number: int
    sha256: str
    picture: Picture
    shown: Image | None


async def answer_images(room: Room, served: Served, images: Sequence[bytes], wishes: Wishes) -> list[dict[str, Any]]:
    """One answer an image, in their order; one that cannot be read is an answer too."""
    jobs = (answer_image(room, served, data, number, wishes) for number, data in enumerate(images, 1))
    return list(await asyncio.gather(*jobs))


async def answer_image(room: Room, served: Served, data: bytes, number: int, wishes: Wishes) -> dict[str, Any]:
    """What `hilum predict --json` says of an image, with its SHA-256 instead of its name."""
    name, sha256 = f"image {number}", digest(data)
    read: Read | None = None
    try:
        read = await read_picture(room, served, data, number, shown=wishes.picture)
        said = await served.worker.predict(read.picture, force=wishes.force)
    except ImageRejected as error:
        said = error
    rejected = said if isinstance(said, ImageRejected) else None
    prediction = None if isinstance(said, ImageRejected) else said
    room.metrics.images.add(model=served.name, outcome=rejected.code if rejected else "ok")
    answer = {**Outcome(name, prediction, rejected).to_json(), "image": number, "sha256": sha256}
    if rejected is not None:
        answer["reason"] = sentence_of(rejected)
    answer["notes"] = _notes(answer["warnings"])
    if read is not None and read.shown is not None:
        shown = read.shown
        answer["picture"] = await room.in_thread(lambda: picture_json(shown.pixels))
    if read is not None and prediction is not None and wishes.neighbors and served.cases is not None:
        answer["neighbors"] = await nearest_cases(room, served, read, wishes)
    return answer


async def read_picture(room: Room, served: Served, data: bytes, number: int, *, shown: bool) -> Read:
    """Decodes in the sandbox.

    Raises:
        ImageRejected: a file that cannot be read.
    """
    name, predictor = f"image {number}", served.predictor
    image = await room.decode(data, name, predictor.shorter_side)
    try:
        picture = await room.in_thread(lambda: predictor.picture_of(image, name))
    except HilumError as error:  # pixels that make no picture
        raise ImageRejected("corrupt", name, expected="a picture", found=error.found) from None
    large = image
    if shown and image.acquisition.format == "JPEG":  # which is decoded no larger than the network needs it
        large = await room.decode(data, name, LONGEST)
    return Read(number, digest(data), picture, large if shown else None)


async def nearest_cases(room: Room, served: Served, read: Read, wishes: Wishes) -> dict[str, Any]:
    """The nearest training cases, with their pictures if pictures are wanted."""
    cases = served.cases
    assert cases is not None
    found = await served.worker.call(lambda: cases.nearest(read.picture, wishes.neighbors, read.sha256))
    if wishes.picture:
        for each in found["cases"]:
            each["picture"] = await room.in_thread(partial(cases.picture, int(each["case"]), room.sandbox))
    return found


async def explain_image(
    room: Room, served: Served, data: bytes, *, force: bool, method: str, target: str | None, against: str | None
) -> tuple[dict[str, Any], Explanation]:
    """The answer of an image with the heat map of one of its classes.

    Raises:
        ImageRejected: a file that cannot be read, or no chest X-ray.
        HilumError: a class or method that the model does not have.
        Problem: 409, a model without gradients.
    """
    model, predictor = served.predictor.model, served.predictor
    if model is None:
        raise Problem(409, "no-heat-map", f"{served.name} is an exported model, which has no gradients.")
    read = await read_picture(room, served, data, 1, shown=True)
    said = await served.worker.predict(read.picture, force=force)
    if isinstance(said, ImageRejected):
        raise said
    assert read.shown is not None
    shown = read.shown
    opened = Opened("", await room.in_thread(lambda: _eight_bits(shown.pixels)), read.picture.canvas, said.warnings)
    (found,) = await served.worker.call(
        lambda: explain_pictures(
            model,
            predictor.labels,
            predictor.preprocessing,
            [opened],
            method=method,
            target=target or said.label,
            against=against,
            extras=predictor.header.extras,
            device=predictor.device,
        )
    )
    answer = {**Outcome("", said).to_json(), "image": 1, "sha256": read.sha256}
    answer["notes"] = _notes(said.warnings)
    answer["map"] = {
        "png": await room.in_thread(lambda: heat_json(found.heat)),
        "is_empty": not bool(found.heat.max() > 0),
        **{name: getattr(found, name) for name in ("label", "against", "method", "layer", "question")},
    }
    return answer, found


def _notes(codes: Iterable[str]) -> list[str]:
    """Warnings in words; those of a prediction that was forced are the reasons why it would have been refused."""
    words = {**{code: f"Forced: {each.meaning}" for code, each in REJECTIONS.items()}, **WARNINGS, STRANGE: FORCED}
    return [words.get(code, code) for code in codes]


def _eight_bits(pixels: np.ndarray) -> np.ndarray:
    from hilum.inspection.cam.overlay import reduced

    return reduced(pixels, LONGEST)
