"""How much of a binary model's AUROC on validation images survives damage that should not matter.

    python benchmarks/damaged_validation.py runs/chest_xray_224 finetuned

Reads a study and the model file of one of its runs; the test split is not touched. Each damage is done once to all
validation images and once to those of the negative class alone, as when one class comes from another machine: that
is what a model which leans on borders, sharpness or exposure does not survive.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

Damage = Callable[[np.ndarray], np.ndarray]


def tone(curve: Callable[[np.ndarray], np.ndarray]) -> Damage:
    """A look-up table from a curve on grey levels in [0, 1]."""
    table = np.clip(curve(np.arange(256) / 255) * 255, 0, 255).astype(np.uint8)
    return lambda canvas: table[canvas]


def noisy(canvas: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(int(canvas.sum())).normal(0, 8, canvas.shape)
    return np.clip(canvas + noise, 0, 255).astype(np.uint8)


def recompressed(canvas: np.ndarray) -> np.ndarray:
    return cv2.imdecode(cv2.imencode(".jpg", canvas, [cv2.IMWRITE_JPEG_QUALITY, 25])[1], cv2.IMREAD_GRAYSCALE)


def zoomed(canvas: np.ndarray) -> np.ndarray:
    edge = int(0.08 * len(canvas))
    return cv2.resize(canvas[edge:-edge, edge:-edge], canvas.shape[::-1])


def without_border(canvas: np.ndarray) -> np.ndarray:
    edge, covered = int(0.1 * len(canvas)), np.zeros_like(canvas)
    covered[edge:-edge, edge:-edge] = canvas[edge:-edge, edge:-edge]
    return covered


DAMAGES: dict[str, Damage] = {
    "none": lambda canvas: canvas,
    "blur, sd 1.3 pixels": lambda canvas: cv2.GaussianBlur(canvas, (0, 0), 1.3),
    "noise, sd 8 of 255": noisy,
    "JPEG, quality 25": recompressed,
    "darker, gamma 1.6": tone(lambda grey: grey**1.6),
    "lighter, gamma 0.65": tone(lambda grey: grey**0.65),
    "contrast 0.65": tone(lambda grey: (grey - 0.5) * 0.65 + 0.5),
    "contrast 1.5": tone(lambda grey: (grey - 0.5) * 1.5 + 0.5),
    "8 % cut from each side": zoomed,
    "10 % of each side black": without_border,
    "histogram equalised": cv2.equalizeHist,
}


def main(study: Path, run: str) -> None:
    from sklearn.metrics import roc_auc_score

    from hilum.data.build import open_cache
    from hilum.data.manifest import read_manifest
    from hilum.inference.predict import predict_logits
    from hilum.models import load_model
    from hilum.transforms import Preprocessing

    manifest = read_manifest(study / "manifest.parquet")
    if not manifest.labels.is_binary:
        raise SystemExit("this benchmark is for two classes")
    model, header = load_model(study / run / "model.safetensors", labels=manifest.labels.names)
    preprocessing, rows = Preprocessing(**header.preprocessing), manifest.split("val")
    positive = (rows["label"] == manifest.labels.positive).to_numpy()
    canvases = np.asarray(open_cache(manifest, preprocessing, study / "cache").of(rows)[:])
    column, clean = manifest.labels.names.index(manifest.labels.positive), None
    lines, both, alone = [], [], []
    for name, damage in DAMAGES.items():
        damaged = np.stack([damage(canvas) for canvas in canvases])
        logits = predict_logits(model, damaged, preprocessing, views=tuple(header.extras["tta"]))
        score = logits[:, column] - logits[:, 1 - column]
        clean = score if clean is None else clean
        both.append(roc_auc_score(positive, score))
        alone.append(roc_auc_score(positive, np.where(positive, clean, score)))
        lines.append(f"{name:26}{both[-1]:>12.4f}{alone[-1]:>26.4f}")
    lines.append(f"{'mean':26}{np.mean(both):>12.4f}{np.mean(alone):>26.4f}")
    head = f"{'damage':26}{'all images':>12}{'negative class alone':>26}"
    sys.stdout.write("\n".join([f"{study.name}, {run}: AUROC on {len(rows)} validation images", head, *lines, ""]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path)
    parser.add_argument("run")
    arguments = parser.parse_args()
    main(arguments.study, arguments.run)
