"""Many images through one model: decoded in threads, predicted in batches, given back in order; memory stays flat."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from hilum.errors import HilumError, ImageRejected
from hilum.images import Image, read_image
from hilum.images.boundary import typed_errors
from hilum.serving.inputs import Source
from hilum.serving.opened import best_for_many
from hilum.serving.prediction import Outcome
from hilum.serving.predictor import Picture, Predictor

BATCH = 32
AHEAD = 3
"""Batches that are decoded, or being decoded, while one is predicted."""

Reader = Callable[..., Image]
"""`read_image`, or `Sandbox.read`."""


def predict_many(
    predictor: Predictor,
    sources: Iterable[Source],
    *,
    images: int = 0,
    read: Reader = read_image,
    force: bool = False,
    threads: int | None = None,
    batch_size: int = BATCH,
    engine: str = "auto",
) -> Iterator[Outcome]:
    """Predicts images as they come; one that cannot be read is an outcome like any other.

    Args:
        images: about how many there are; with many, the fastest engine is looked for on the first batch.
        read: decodes one source; takes its path or bytes, `shorter_side` and `name`.
        force: see `Predictor.predict`.
        threads: that decode; None takes as many as there are cores.

    Yields:
        One outcome a source, in the order of the sources.
    """
    window, waiting = deque[tuple[Source, Future[Picture]]](), iter(sources)
    pool = ThreadPoolExecutor(threads or os.cpu_count() or 1)
    searching = True
    try:
        while True:
            for source in waiting:
                window.append((source, pool.submit(_opened, predictor, source, read)))
                if len(window) >= AHEAD * batch_size:
                    break
            if not window:
                return
            batch = [window.popleft() for _ in range(min(batch_size, len(window)))]
            opened = [_result(future) for _, future in batch]
            pictures = [each for each in opened if isinstance(each, Picture)]
            if searching and pictures:
                canvases = np.stack([each.canvas for each in pictures])
                predictor.engine = best_for_many(predictor.opened, canvases, images, engine=engine)
                searching = False
            answers = iter(predictor.predict_pictures(pictures, force=force))
            for (source, _), each in zip(batch, opened, strict=True):
                answer = next(answers) if isinstance(each, Picture) else each
                if isinstance(answer, ImageRejected):
                    yield Outcome(source.name, None, answer, source.content)
                else:
                    yield Outcome(source.name, answer, None, source.content)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _opened(predictor: Predictor, source: Source, read: Reader) -> Picture:
    if source.rejected is not None:
        raise source.rejected
    with typed_errors(source.name):
        content: Path | bytes = source.content
        image = read(content, shorter_side=predictor.shorter_side, name=source.name)
        return predictor.picture_of(image, source.name)


def _result(future: Future[Picture]) -> Picture | ImageRejected:
    try:
        return future.result()
    except ImageRejected as error:
        return error
    except HilumError as error:  # pixels that make no picture
        return ImageRejected("corrupt", error.what, found=str(error))
