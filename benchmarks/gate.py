"""What the gate of a model file lets through: `python benchmarks/gate.py STUDY/RUN/model.safetensors [ADULTS]`.

The model's own validation pictures, turned, inverted, blank, noise, photographs (those that scikit-learn and, where it
is installed, scikit-image bring along), writing, drawings of other parts of the body and of a chest from the side, and
the X-rays of a second data root, say of adults. A model file from before there were gates gets one first; `--anew` at
the end fits it again. Prints one line a kind: pictures, refused with an exact 95 % interval, the share that each look
refuses, and the 10th, 50th and 90th percentile of the score over the threshold.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np

from hilum.data.build import open_cache
from hilum.data.manifest import read_manifest
from hilum.evaluation.intervals import exact_interval
from hilum.evaluation.shift import spread_positions
from hilum.images import read_image
from hilum.inference import embed_images
from hilum.inspection.gate import Gate
from hilum.models import load_model
from hilum.transforms import Preprocessing, to_canvas
from hilum.workflow.gate import make_gate

COUNT = 150
ANEW = "--anew" in sys.argv
"""Fit the gate again, with the code as it is now."""


def photographs(side: int, generator: np.random.Generator) -> np.ndarray:
    """Random square parts of natural pictures, grey."""
    from sklearn.datasets import load_sample_images

    sources = [cv2.cvtColor(each, cv2.COLOR_RGB2GRAY) for each in load_sample_images().images]
    try:
        from skimage import data

        sources += [
            _grey(getattr(data, name)()) for name in ("astronaut", "camera", "cat", "coffee", "coins", "rocket")
        ]
    except (ImportError, AttributeError):
        pass
    return np.array([_part(sources[i % len(sources)], side, generator) for i in range(COUNT)])


def writing(side: int, generator: np.random.Generator) -> np.ndarray:
    """Lines of digits and letters on paper."""
    pages = np.full((COUNT, side, side), 245, np.uint8)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz    0123456789"))
    for page in pages:
        for row in range(side // 12, side, side // 10):
            line = "".join(generator.choice(letters, 40))
            cv2.putText(page, line, (side // 20, row), cv2.FONT_HERSHEY_SIMPLEX, side / 700, 30, 1, cv2.LINE_AA)
    return pages


def noise(side: int, generator: np.random.Generator) -> np.ndarray:
    """Grains from one pixel to an eighth of the side."""
    pictures = []
    for number in range(COUNT):
        cells = max(8, side // 2 ** (number % 6))
        small = generator.integers(0, 256, (cells, cells)).astype(np.uint8)
        pictures.append(cv2.resize(small, (side, side), interpolation=cv2.INTER_CUBIC))
    return np.array(pictures)


def blank(side: int, generator: np.random.Generator) -> np.ndarray:
    """One grey, or a slow change from one grey to another."""
    ramps = [np.linspace(*generator.integers(0, 256, 2), side) for _ in range(COUNT // 2)]
    flat = [np.full((side, side), grey) for grey in np.linspace(0, 255, COUNT - len(ramps))]
    return np.array([*flat, *(np.tile(ramp, (side, 1)) for ramp in ramps)]).astype(np.uint8)


def other_parts(side: int, generator: np.random.Generator) -> np.ndarray:
    """Drawings of a hand, a knee and a skull: bright bones in soft parts on black."""
    return np.array([(_hand, _knee, _skull)[number % 3](side, generator) for number in range(COUNT)])


def from_the_side(side: int, generator: np.random.Generator) -> np.ndarray:
    """Drawings of a chest from the side: one dark field before a bright spine, heart and diaphragm in front."""
    pictures = []
    for _ in range(COUNT):
        picture = np.full((side, side), 30.0)
        _ellipse(picture, 0.5, 0.5, 0.34, 0.5, generator.normal(150, 10))
        _ellipse(picture, 0.5, 0.42, 0.2, 0.33, generator.normal(60, 8))
        _ellipse(picture, 0.4, 0.6, 0.12, 0.14, generator.normal(170, 8))
        for row in np.arange(0.05, 0.95, 0.07):
            _ellipse(picture, 0.74 - 0.1 * (row - 0.5) ** 2, row, 0.05, 0.03, 205)
        _ellipse(picture, 0.45, 1.0, 0.4, 0.22, 190)
        pictures.append(_finished(picture, generator))
    return np.array(pictures)


def _hand(side: int, generator: np.random.Generator) -> np.ndarray:
    picture = np.full((side, side), 10.0)
    for finger, angle in enumerate(np.linspace(-0.6, 0.6, 5)):
        for joint, reach in enumerate((0.3, 0.46, 0.58, 0.68)):
            x, y = 0.5 + reach * np.sin(angle), 0.95 - reach * np.cos(angle) * (1.15 - 0.08 * abs(finger - 2))
            _ellipse(picture, x, y, 0.055, 0.09, 80)
            _ellipse(picture, x, y, 0.022, 0.07 - 0.008 * joint, generator.normal(210, 8))
    return _finished(picture, generator)


def _knee(side: int, generator: np.random.Generator) -> np.ndarray:
    picture = np.full((side, side), 12.0)
    _ellipse(picture, 0.5, 0.5, 0.26, 0.9, 85)
    for row, width in ((0.1, 0.09), (0.3, 0.11), (0.44, 0.16), (0.56, 0.16), (0.72, 0.1), (0.92, 0.08)):
        _ellipse(picture, 0.5, row, width, 0.13, generator.normal(195, 8))
    picture[int(0.49 * side) : int(0.51 * side)] *= 0.5
    return _finished(picture, generator)


def _skull(side: int, generator: np.random.Generator) -> np.ndarray:
    picture = np.full((side, side), 8.0)
    _ellipse(picture, 0.5, 0.45, 0.36, 0.42, 215)
    _ellipse(picture, 0.5, 0.45, 0.32, 0.38, generator.normal(140, 8))
    for x in (0.38, 0.62):
        _ellipse(picture, x, 0.55, 0.08, 0.07, 70)
    _ellipse(picture, 0.5, 0.68, 0.04, 0.08, 75)
    _ellipse(picture, 0.5, 0.85, 0.17, 0.12, 185)
    return _finished(picture, generator)


def _ellipse(picture: np.ndarray, x: float, y: float, wide: float, high: float, grey: float) -> None:
    side = len(picture)
    centre, axes = (round(x * side), round(y * side)), (round(wide * side), round(high * side))
    cv2.ellipse(picture, centre, axes, 0, 0, 360, float(grey), -1)


def _finished(picture: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    soft = cv2.GaussianBlur(picture, (0, 0), len(picture) / 80) + generator.normal(0, 4, picture.shape)
    turn = cv2.getRotationMatrix2D((len(picture) / 2,) * 2, generator.uniform(-8, 8), generator.uniform(0.9, 1.1))
    return cv2.warpAffine(np.clip(soft, 0, 255).astype(np.uint8), turn, picture.shape[::-1])


def _grey(picture: np.ndarray) -> np.ndarray:
    return picture if picture.ndim == 2 else cv2.cvtColor(np.ascontiguousarray(picture[..., :3]), cv2.COLOR_RGB2GRAY)


def _part(picture: np.ndarray, side: int, generator: np.random.Generator) -> np.ndarray:
    reach = int(generator.uniform(0.35, 1) * min(picture.shape))
    top, left = (generator.integers(0, size - reach + 1) for size in picture.shape)
    return cv2.resize(picture[top : top + reach, left : left + reach], (side, side), interpolation=cv2.INTER_AREA)


def pictures_of(root: Path, preprocessing: Preprocessing) -> np.ndarray:
    """The X-rays of a folder, evenly spread over its files."""
    files = sorted(each for each in root.rglob("*") if each.suffix.lower() in (".jpg", ".jpeg", ".png", ".dcm"))
    some = [files[each] for each in spread_positions(len(files), 2 * COUNT)]
    return np.array([to_canvas(read_image(each), preprocessing) for each in some])


def main(path: Path, adults: Path | None) -> None:
    model, header = load_model(path)
    preprocessing = Preprocessing(**header.preprocessing)
    study = next(each for each in path.resolve().parents if (each / "manifest.parquet").exists())
    manifest = read_manifest(study / "manifest.parquet")
    cache = open_cache(manifest, preprocessing, study / "cache")
    train, val = (cache.of(manifest.split(split)) for split in ("train", "val"))
    known = header.extras.get("gate")
    gate = Gate.from_json(known) if known and not ANEW else make_gate(model, train, val, preprocessing)
    side, generator = preprocessing.image_size, np.random.default_rng(0)
    rows = np.flatnonzero(~np.isin(np.arange(len(val)), spread_positions(len(val), gate.tried_on // 2)))
    own = val[rows[spread_positions(len(rows), COUNT)]] if len(rows) else val[spread_positions(len(val), COUNT)]
    kinds = {
        "validation, not used for the gate" if len(rows) else "validation": own,
        "left and right exchanged": own[:, :, ::-1],
        "turned by 90 degrees": np.rot90(own, axes=(1, 2)),
        "turned by 180 degrees": np.rot90(own, 2, axes=(1, 2)),
        "inverted": 255 - own,
        "drawn: chest from the side": from_the_side(side, generator),
        "drawn: hand, knee, skull": other_parts(side, generator),
        "photographs": photographs(side, generator),
        "writing": writing(side, generator),
        "noise": noise(side, generator),
        "blank": blank(side, generator),
    }
    if adults is not None:
        kinds[f"X-rays of {adults.name}"] = pictures_of(adults, preprocessing)
    report(f"gate of {gate.fitted_on} training and {gate.tried_on} validation pictures, {gate.refused} of them refused")
    for name, canvas in kinds.items():
        canvas = np.ascontiguousarray(canvas)
        parts = gate.parts(embed_images(model, canvas, preprocessing), canvas)
        scores = parts.max(axis=1)
        out = scores > gate.threshold
        low, high, _ = exact_interval(int(out.sum()), len(out))
        shares = zip(gate.looks, (parts > gate.threshold).mean(axis=0), strict=True)
        looks = ", ".join(f"{look} {100 * share:.0f}" for look, share in shares)
        ends = np.quantile(scores / gate.threshold, [0.1, 0.5, 0.9])
        report(
            f"{name:36}{len(out):5}  {100 * out.mean():5.1f} % [{100 * low:.0f}, {100 * high:.0f}]   by {looks}"
            f"   score over threshold {ends[0]:.2f} {ends[1]:.2f} {ends[2]:.2f}"
        )


def report(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
