"""Heat maps of the chosen run: the exam that they have to pass, and the surest mistakes with their maps."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hilum.data.build import open_cache
from hilum.data.cache import CanvasCache
from hilum.data.manifest import Manifest
from hilum.data.predictions import read_predictions
from hilum.errors import HilumError
from hilum.evaluation.values import without_nan
from hilum.transforms import Preprocessing
from hilum.workflow.inspect import InspectionContext
from hilum.workflow.record import write_json

if TYPE_CHECKING:
    from hilum.models import Classifier

SCHEMA = "hilum.cam/1"
EXAM, MAPS = "exam.json", "maps.npy"
WRONG, RIGHT = 6, 1
"""Pictures that are shown: of the surest mistakes, and of the surest right answers in each class."""
SIDE = 256
"""Longer side of a shown picture, pixels."""
HEALTHY = ("normal", "healthy", "no finding", "negative")
MOST = 96


@dataclass(frozen=True)
class Shown:
    """One picture of the report: what was said, what is true, and for which of the two nothing speaks."""

    image_path: str
    said: str
    true: str
    probability: float
    empty: tuple[str, ...] = ()


def examine_run(context: InspectionContext) -> None:
    """Writes `exam.json`, `maps.npy` and `example-NN-*.png` into the run's folder for heat maps."""
    from hilum.inference.device import choose_device
    from hilum.inspection.cam.exam.exam import choose_method, examine
    from hilum.inspection.cam.methods import BY_GRADIENT, ROLLOUT
    from hilum.inspection.cam.target import is_transformer
    from hilum.models import load_model

    began = time.monotonic()
    model, header = load_model(context.study_dir / context.run / "model.safetensors", labels=context.manifest.labels)
    model.to(choose_device(context.options.device))
    preprocessing = Preprocessing(**header.preprocessing)
    cache = open_cache(context.manifest, preprocessing, context.study_dir / "cache")
    methods = (*BY_GRADIENT, ROLLOUT) if is_transformer(model) else tuple(BY_GRADIENT)
    rows = sample_rows(context.manifest.split("val"), MOST, context.options.seed)
    found = examine(
        model,
        images_of(rows, context.manifest, cache, preprocessing),
        preprocessing,
        methods=methods,
        healthy=healthy_class(context.manifest),
        seconds=0.75 * context.seconds,
        seed=context.options.seed,
        on_step=context.on_step,
    )
    method = choose_method(found["methods"])
    folder = context.folder("cam")
    shown = _write_examples(context, model, preprocessing, cache, method, folder)
    document = {
        "schema": SCHEMA,
        "model": header.architecture["name"],
        "split": "val",
        "shown": method,
        **found,
        "examples_of": "test" if context.test_opened else "val",
        "examples": [asdict(each) for each in shown],
        "seconds_allowed": round(context.seconds, 1),
        "seconds_all": round(time.monotonic() - began, 2),
    }
    write_json(folder / EXAM, without_nan(document))


def sample_rows(rows: pd.DataFrame, count: int, seed: int) -> pd.DataFrame:
    """Images of different patients, the classes in turn, in an order drawn by the seed."""
    drawn = rows.sample(frac=1, random_state=seed).drop_duplicates("patient_id")
    turn = drawn.groupby("label").cumcount()
    return drawn.assign(turn=turn).sort_values(["turn", "label"], kind="stable").drop(columns="turn").head(count)


def images_of(rows: pd.DataFrame, manifest: Manifest, cache: CanvasCache, preprocessing: Preprocessing) -> Any:
    """Manifest rows as the exam takes them, with their truth where hilum drew them."""
    from hilum.inspection.cam.exam.figures import ExamImages
    from hilum.inspection.cam.exam.truth import find_truth

    labels = list(manifest.labels)
    classes = np.array([labels.index(label) for label in rows["label"]])
    canvases = cache.of(rows)[np.arange(len(rows))]
    names = list(rows["image_path"])
    return ExamImages(
        canvases,
        list(rows["patient_id"]),
        classes,
        lambda count: find_truth(manifest, names[:count], preprocessing),
    )


def healthy_class(manifest: Manifest) -> int | None:
    """The class without lesions, told by its name."""
    return next((at for at, name in enumerate(manifest.labels) if str(name).casefold() in HEALTHY), None)


def _write_examples(
    context: InspectionContext,
    model: Classifier,
    preprocessing: Preprocessing,
    cache: CanvasCache,
    method: str,
    folder: Path,
) -> list[Shown]:
    """Pictures with the map of what was said and, for a mistake, of what is true."""
    from hilum.inspection.cam.maps import compute_maps

    for old in folder.glob("example-*.png"):
        old.unlink()
    shown = _choose_examples(context)
    if not shown:
        return []
    names, table = list(context.manifest.labels), context.manifest.table.set_index("image_path", drop=False)
    rows = table.loc[[each.image_path for each in shown]]
    canvases = cache.of(rows)[np.arange(len(rows))]
    both = []
    for classes in ([each.said for each in shown], [each.true for each in shown]):
        target = np.array([names.index(each) for each in classes])
        both.append(compute_maps(model, canvases, preprocessing, methods=(method,), target=target).maps[method])
    _write_maps(folder / MAPS, np.stack(both).astype(np.float32))
    for number, each in enumerate(shown):
        maps = {"said": both[0][number]} | ({"true": both[1][number]} if each.said != each.true else {})
        picture = _picture(context.manifest, each.image_path, canvases[number], preprocessing)
        _write_pictures(folder, number, *picture, maps)
        shown[number] = replace(each, empty=tuple(name for name, found in maps.items() if not found.any()))
    return shown


def _choose_examples(context: InspectionContext) -> list[Shown]:
    """The surest mistakes first, then the surest right answers of each class."""
    split = "test" if context.test_opened else "val"
    predictions = read_predictions(context.study_dir / context.run / f"predictions-{split}.parquet")
    names, said = np.array(list(predictions.labels), dtype=object), predictions.decisions
    table = pd.DataFrame(
        {
            "image_path": predictions.table["image_path"].to_numpy(),
            "said": names[said],
            "true": names[predictions.target],
            "probability": predictions.probs[np.arange(len(said)), said],
        }
    ).sort_values(["probability", "image_path"], ascending=[False, True])
    wrong = table["said"] != table["true"]
    right = table[~wrong].groupby("true", sort=False).head(RIGHT).sort_values("true")
    return [Shown(**row) for row in pd.concat([table[wrong].head(WRONG), right]).to_dict("records")]


def _picture(
    manifest: Manifest, name: str, canvas: np.ndarray, preprocessing: Preprocessing
) -> tuple[np.ndarray, Preprocessing]:
    """The stored picture, reduced, or its canvas where it is gone; and how the network's square was cut from it."""
    from hilum.images import read_image
    from hilum.inspection.cam.overlay import reduced

    try:
        return reduced(read_image(manifest.path(name), shorter_side=SIDE).pixels, SIDE), preprocessing
    except (HilumError, OSError):
        return canvas, Preprocessing(image_size=preprocessing.image_size, fit="stretch")


def _write_pictures(
    folder: Path, number: int, picture: np.ndarray, preprocessing: Preprocessing, maps: dict[str, np.ndarray]
) -> None:
    from hilum.inspection.cam.overlay import draw_overlay, enlarge, onto_picture

    _write_png(folder / f"example-{number:02}-picture.png", picture)
    for name, each in maps.items():
        heat = enlarge(each[None], preprocessing.image_size)[0]
        placed = onto_picture(heat, preprocessing, *picture.shape)
        _write_png(folder / f"example-{number:02}-{name}.png", draw_overlay(picture, placed))


def _write_png(path: Path, pixels: np.ndarray) -> None:
    """Beside and renamed into place."""
    from PIL import Image

    partial = path.with_name(f"{path.name}.partial")
    Image.fromarray(pixels).save(partial, "PNG")
    partial.replace(path)


def _write_maps(path: Path, maps: np.ndarray) -> None:
    """float32 `[2, N, h, w]`, likewise."""
    partial = path.with_name(f"{path.name}.partial")
    with partial.open("wb") as file:
        np.save(file, maps)
    partial.replace(path)
