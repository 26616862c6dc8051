"""X-rays for the benchmarks: real ones where a folder is given, else drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hilum.transforms import Preprocessing, to_canvas

PREPROCESSING = Preprocessing(image_size=224)


def drawn_folder(folder: Path, count: int) -> Path:
    """JPEG files of drawn X-rays in three class folders, a hundred different ones at most."""
    from hilum.data.phantom import draw_dataset
    from hilum.images import to_jpeg

    drawn = draw_dataset(images=min(count, 100), size=224)
    canvases = [to_canvas(drawn[number].pixels, PREPROCESSING) for number in range(len(drawn))]
    for number in range(count):
        place = folder / f"class{number % 3}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number:04}.jpg").write_bytes(to_jpeg(canvases[number % len(canvases)]))
    return folder


def labelled(count: int, data: Path | None) -> tuple[np.ndarray, np.ndarray]:
    """Canvases uint8 `[count, 224, 224]`, and int64 `[count]` whether each shows something, in mixed order.

    Args:
        data: a folder of class folders, of which one is of normal X-rays; drawn ones when None.
    """
    if data is None:
        from hilum.data.phantom import draw_dataset

        drawn = draw_dataset(images=count, classes=("normal", "bacterial"), difficulty=0.0, seed=3)
        canvases = [to_canvas(drawn[number].pixels, PREPROCESSING) for number in range(len(drawn))]
        return np.stack(canvases), (drawn.table["label"] != "normal").to_numpy(np.int64)
    from hilum.data.sources import list_images
    from hilum.images import read_image
    from hilum.labels import is_normal

    table = list_images(data).table
    ill = (~table["label"].map(is_normal)).to_numpy()
    generator = np.random.default_rng(0)
    sides = [generator.permutation(np.flatnonzero(ill == side))[: count // 2] for side in (False, True)]
    rows = np.stack(sides, axis=1).reshape(-1)  # one of each in turn
    canvases = [to_canvas(read_image(data / name), PREPROCESSING) for name in table["image_path"].iloc[rows]]
    return np.stack(canvases), ill[rows].astype(np.int64)
