"""Files -> batches: what an ImageFolder with PIL gives, against hilum's first pass and its cache."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from side_by_side import Row, time_all_in_turns, time_in_turns

from hilum.data.build import build_dataset, open_cache
from hilum.data.cache import CanvasView
from hilum.data.phantom import draw_dataset, write_dataset
from hilum.data.sources import list_images
from hilum.images import read_image
from hilum.inference.device import tune_cpu
from hilum.transforms import Preprocessing, to_canvas
from hilum.transforms.normalise import normalise

BATCH = 64


def measure(data: Path | None, originals: Path | None, images: int = 4000) -> Iterator[Callable[[], list[Row] | Row]]:
    """The rows about reading; both ways with an allocator that keeps its pages, as it is in whatever hilum trains.

    Args:
        data: a folder of 224 x 224 JPEG class folders; drawn when None.
        originals: a folder of large JPEGs; drawn when None.
    """
    tune_cpu()
    with tempfile.TemporaryDirectory() as place:
        small = _some(data, Path(place) / "small", images, 224)
        large = _some(originals, Path(place) / "large", 120, 1400)
        yield partial(_small, small)
        yield partial(_large, large)


def _some(folder: Path | None, place: Path, images: int, size: int) -> Path:
    """A folder of class folders with about so many files, as links where they are real."""
    if folder is None:
        return write_dataset(draw_dataset(images=images, size=size, seed=3), place) / "train"
    for label in sorted(each for each in folder.iterdir() if each.is_dir()):
        (place / label.name).mkdir(parents=True)
        for path in sorted(label.glob("*.jp*g"))[: images // 2]:
            (place / label.name / path.name).symlink_to(path.resolve())
    return place


def _usual_loader(folder: Path):
    from torch.utils.data import DataLoader
    from torchvision import datasets
    from torchvision import transforms as T

    steps = [T.Resize((224, 224)), T.ToTensor(), T.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])]
    return DataLoader(datasets.ImageFolder(folder, T.Compose(steps)), BATCH, num_workers=2)


def _run_usual(folder: Path) -> int:
    return sum(len(batch) for batch, _ in _usual_loader(folder))


def _small(folder: Path) -> list[Row]:
    """The rows of small files, which share their usual way and its turns."""
    preprocessing = Preprocessing(image_size=224, fit="stretch")
    with tempfile.TemporaryDirectory() as place:
        dataset = build_dataset(list_images(folder), cache_dir=Path(place), preprocessings=[preprocessing])
        names = dataset.manifest.table["image_path"].tolist()
        canvases = open_cache(dataset.manifest, preprocessing, Path(place)).of(dataset.manifest.table)
        ours = {
            "cache 3": partial(_from_cache, canvases, 3),
            "cache 1": partial(_from_cache, canvases, 1),
            "decode": partial(_decode, [folder / name for name in names], preprocessing),
            "first pass": partial(_first_pass, folder, preprocessing),
        }
        same = _difference(folder, canvases, names)
        rows = {
            "cache 3": Row(f"{FILES}, 3 channels, {LATER}", USUAL, "from the cache", aim=10),
            "cache 1": Row(f"{FILES}, 1 channel, {LATER}", SAME, "from the cache", aim=10),
            "decode": Row("the same files, decoded into batches, 3 channels", SAME, "read_image, normalise", aim=5),
            "first pass": Row(
                f"the same files, first pass, {len(canvases):,} images", SAME, "build_dataset", aim=5,
                note="with hashes, header facts, patients and split",
            ),
        }  # fmt: skip
        rows["cache 3"].same = rows["cache 1"].same = same
        time_all_in_turns(rows, lambda: _run_usual(folder), ours, count=len(canvases), repeats=3)
    return list(rows.values())


FILES, LATER = "224 x 224 JPEG files to normalised batches of 64", "every epoch but the first"
USUAL, SAME = "ImageFolder, PIL, DataLoader with 2 workers", "the same, 3 channels"


def _from_cache(canvases: CanvasView, channels: int) -> None:
    import torch

    for start in range(0, len(canvases), BATCH):
        some = torch.from_numpy(canvases[start : start + BATCH])
        normalise(some, normalisation="imagenet", channels=channels)


def _first_pass(folder: Path, preprocessing: Preprocessing) -> None:
    with tempfile.TemporaryDirectory() as fresh:
        build_dataset(list_images(folder), cache_dir=Path(fresh), preprocessings=[preprocessing])


def _decode(files: list[Path], preprocessing: Preprocessing) -> None:
    """Files to normalised batches without a cache: no manifest, patients or splits, nothing written."""
    import torch

    def put(start: int, batch: np.ndarray) -> None:
        for row, path in enumerate(files[start : start + len(batch)]):
            batch[row] = to_canvas(read_image(path, shorter_side=preprocessing.image_size), preprocessing)

    parts, share = max(1, os.cpu_count() or 1), 8
    with ThreadPoolExecutor(parts) as pool:
        for first in range(0, len(files), BATCH):
            batch = np.empty((min(BATCH, len(files) - first), 224, 224), np.uint8)
            starts = range(0, len(batch), share)
            list(pool.map(lambda start: put(first + start, batch[start : start + share]), starts))  # noqa: B023 - done within the turn
            normalise(torch.from_numpy(batch), normalisation="imagenet", channels=3)


def _large(folder: Path) -> Row:
    count = len(list(folder.glob("*/*")))
    ours = partial(_first_pass, folder, Preprocessing(image_size=224, fit="stretch"))
    row = Row("large originals to 224, first pass", "ImageFolder, PIL, 2 workers", "build_dataset", aim=5)
    return time_in_turns(row, lambda: _run_usual(folder), ours, count=count)


def _difference(folder: Path, canvases, names: list[str]) -> str:
    """Mean difference of grey levels to PIL's."""
    from PIL import Image

    gaps = []
    for position in range(0, len(names), max(1, len(names) // 40)):
        with Image.open(folder / names[position]) as image:
            usual = np.asarray(image.convert("L").resize((224, 224), Image.Resampling.BILINEAR), np.float32)
        gaps.append(np.abs(usual - canvases[position]).mean())
    return f"grey levels differ by {np.mean(gaps):.2f} of 255 on average"
