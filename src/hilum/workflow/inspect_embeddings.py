"""The embeddings of a run's images: made once, kept beside the run, shared by every part that asks for them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hilum.data.build import open_cache
from hilum.data.cache import CanvasCache
from hilum.data.manifest import SPLITS, Manifest
from hilum.errors import DataError
from hilum.evaluation.ledger import LEDGER
from hilum.inspection.embeddings import COLUMNS, IDENTITY, Embeddings, canvas_digests, read_embeddings
from hilum.models.modelfile import weights_sha256
from hilum.models.weights import file_sha256
from hilum.transforms import Preprocessing
from hilum.workflow.options import Options
from hilum.workflow.record import digest_of
from hilum.workflow.supplement import renew_study

if TYPE_CHECKING:
    from hilum.models import Classifier, ModelHeader
    from hilum.workflow.inspect import InspectionContext

EMBEDDINGS = "inspection/embeddings.parquet"
"""Below a run's folder."""
AT_ONCE, MOST_AT_ONCE = 512, 2048
"""Images between two looks at the clock: enough for a faster engine than torch to pay, and as few as end in time."""
FIRST = 1000
"""Images of each split that come before the rest of any."""


def embeddings_of(
    context: InspectionContext, splits: Sequence[str] = ("train", "val"), *, seconds: float | None = None
) -> Embeddings:
    """What enters the head of the chosen run's model, for each image of some splits.

    One pass serves every part: what an earlier call computed is read from the run's folder. `about["images"]` says for
    each split how many of its images are there, and of how many.

    Args:
        splits: of the manifest; `test` only after it was opened.
        seconds: for computing what is missing. None takes what is there, as long as that is some of every split, and
            else computes for as long as the part has.

    Raises:
        DataError: the test split is asked for and was not opened.
    """
    if "test" in splits and not context.test_opened:
        raise DataError(f"embeddings of {context.run}", expected="splits that are open", found="test, which is shut")
    return embed_run(
        context.study_dir,
        context.run,
        context.manifest,
        context.options,
        splits,
        seconds=context.seconds if seconds is None else seconds,
        some_do=seconds is None,
        on_step=context.on_step,
    )


def embed_run(
    study_dir: Path,
    run: str,
    manifest: Manifest,
    options: Options,
    splits: Sequence[str] = ("train", "val"),
    *,
    seconds: float | None = None,
    some_do: bool = False,
    on_step: Callable[[int, int, str], None] | None = None,
) -> Embeddings:
    """As `embeddings_of`, for any run of a study.

    Args:
        seconds: None = as long as it takes.
        some_do: compute nothing where some images of every split are there.
        on_step: told (done, of how many, what) now and then.
    """
    from hilum.models import load_model

    path = study_dir / run / "model.safetensors"
    model, header = load_model(path, labels=manifest.labels.names)
    preprocessing = Preprocessing(**header.preprocessing)
    key = digest_of(weights_sha256(path), dict(header.architecture), asdict(preprocessing), manifest.fingerprint)
    place = study_dir / run / EMBEDDINGS
    known = _known(place, key)
    rows = manifest.table[manifest.table["split"].isin(splits)]
    missing = rows if known is None else rows[~rows["image_path"].isin(known.table["image_path"])]
    enough = some_do and known is not None and set(rows["split"]) <= set(known.table["split"])
    if len(missing) and not enough:
        cache = open_cache(manifest, preprocessing, study_dir / "cache")
        found = _embed(model, preprocessing, missing, cache, options, seconds, on_step)
        known = found if known is None else _joined(known, found, manifest)
        about = _about(run, path, header, manifest, key)
        known = Embeddings(known.table, known.matrix, about)
        place.parent.mkdir(parents=True, exist_ok=True)
        known.write(place)
    assert known is not None  # there were rows, so there is an embedding of some
    asked = known.split(*splits)
    counts = {
        split: [int((asked.table["split"] == split).sum()), len(manifest.split(split))]
        for split in SPLITS
        if split in splits
    }
    return Embeddings(asked.table, asked.matrix, {**_about(run, path, header, manifest, key), "images": counts})


@contextmanager
def sealing(study_dir: Path, run: str, command: str, folder: Path) -> Iterator[None]:
    """Seals what a command writes into a finished study: new embeddings, what is new in a folder, lines of the ledger,
    and the study's pages, which are written anew.

    Args:
        folder: that the command writes into; what is in it and stays as it is keeps the seal that it had.
    """

    def digests() -> dict[Path, str]:
        inside = folder.iterdir() if folder.exists() else ()
        watched = [study_dir / run / EMBEDDINGS, *(each for each in inside if each.name != LEDGER)]
        return {each: file_sha256(each) for each in sorted(watched) if each.is_file()}

    before = digests()
    yield
    renew_study(study_dir, command, [each for each, digest in digests().items() if before.get(each) != digest])


def _about(run: str, path: Path, header: ModelHeader, manifest: Manifest, key: str) -> dict[str, Any]:
    return {
        "model": f"{run}/{path.name}",
        "model_sha256": file_sha256(path),
        "weights_sha256": weights_sha256(path),
        "recipe": header.recipe.get("name", ""),
        "architecture": header.architecture["name"],
        "layer": "embedding",
        "manifest": manifest.fingerprint,
        "key": key,
    }


def _known(place: Path, key: str) -> Embeddings | None:
    """What lies there, if it was made by the same weights of the same images."""
    try:
        found = read_embeddings(place)
    except DataError:
        return None
    return found if found.about.get("key") == key and len(found) else None


def _embed(
    model: Classifier,
    preprocessing: Preprocessing,
    missing: pd.DataFrame,
    cache: CanvasCache,
    options: Options,
    seconds: float | None,
    on_step: Callable[[int, int, str], None] | None,
) -> Embeddings:
    """The images in turn until the time is up; at least the first ones of each split."""
    from hilum.inference.device import choose_device
    from hilum.inspection.embed import embed_layer

    began, left = time.monotonic(), float("inf") if seconds is None else seconds
    order, device, parts, done = in_turn(missing, options.seed), choose_device(options.device), list[np.ndarray](), 0

    def tell(count: int) -> None:
        nonlocal done
        done += count
        if on_step:
            on_step(done, len(order), "images embedded")

    while done < len(order):
        took = time.monotonic() - began
        if done and took > left:
            break
        # Each call has its price, so as many as the time seems to allow.
        count = int(min(max((left - took) * done / took, AT_ONCE), MOST_AT_ONCE)) if done else AT_ONCE
        some = order.iloc[done : done + count]
        parts.append(embed_layer(model, cache.of(some), preprocessing, device=device, on_batch=tell))
    some = order.iloc[:done]
    some = some.assign(canvas=canvas_digests(cache.of(some)))
    matrix = np.concatenate(parts)
    back = np.argsort(some.index.to_numpy(), kind="stable")
    return Embeddings.of(some.iloc[back], matrix[back])


def in_turn(rows: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Rows in the order in which they are worth embedding when time may run out.

    The first `FIRST` of every split side by side, then the rest of test, validation and training; within a split in an
    order drawn with the seed.
    """
    drawn = rows.iloc[np.random.default_rng(seed).permutation(len(rows))]
    place = drawn.groupby("split").cumcount().to_numpy()
    share = place / drawn["split"].map(drawn["split"].value_counts().clip(upper=FIRST)).to_numpy()
    late = drawn["split"].map({"test": 1.0, "val": 2.0}).fillna(3.0).to_numpy()
    return drawn.iloc[np.argsort(np.where(place < FIRST, share, late), kind="stable")]


def _joined(known: Embeddings, found: Embeddings, manifest: Manifest) -> Embeddings:
    """Both, in the order of the manifest."""
    kept = [*COLUMNS, *IDENTITY]
    table = pd.concat([known.table[kept], found.table[kept]], ignore_index=True)
    place = pd.Series(np.arange(len(manifest)), index=manifest.table["image_path"])
    order = np.argsort(place[table["image_path"]].to_numpy(), kind="stable")
    matrix = np.concatenate([known.matrix, found.matrix])[order]
    return Embeddings(table.iloc[order].reset_index(drop=True), matrix)
