"""Trains the lung segmenter of the heat maps' exam on drawn X-rays, and measures it where the truth is known.

    python benchmarks/lung_masks.py --measure        the weights that hilum carries, on drawn X-rays it never saw
    python benchmarks/lung_masks.py --train          train them anew (about five minutes), write them, measure

Drawn and real X-rays differ: the pictures are turned, stretched, cropped, blurred, darkened and covered at random, so
that what is left to learn is the shape of a chest.
"""

from __future__ import annotations

import argparse
import json
import sys
import time

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from hilum.data.phantom import Faults, draw_dataset
from hilum.inspection.cam.lungs import WEIGHTS, LungNet, find_lungs, standardise

CLASSES = ("normal", "bacterial", "viral", "covid")
SIDE = 96


def draw(images: int, seed: int, difficulty: float, **faults: float) -> tuple[np.ndarray, np.ndarray]:
    """Canvases uint8 `[N, 96, 96]`, padded, and the true lung masks, bool."""
    drawn = draw_dataset(
        images=images, classes=CLASSES, size=SIDE, difficulty=difficulty, faults=Faults(**faults), seed=seed
    )
    pairs = [(_square(each.pixels), _square(each.lung_mask.astype(np.uint8)) > 0) for each in drawn]
    return np.stack([picture for picture, _ in pairs]), np.stack([mask for _, mask in pairs])


def change(picture: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A picture and its mask, both moved; then the picture alone, in its tones."""
    turn = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), rng.normal(0, 7), 1.0)
    zoom, stretch = np.exp(rng.normal(0.03, 0.15)), np.exp(rng.normal(0, 0.12))
    turn[0] *= zoom * stretch
    turn[1] *= zoom / stretch
    turn[:, 2] += SIDE / 2 - turn[:, :2] @ [SIDE / 2, SIDE / 2] - turn[:, 2] + rng.normal(0, 0.05 * SIDE, 2)
    border = cv2.BORDER_REPLICATE if rng.random() < 0.7 else cv2.BORDER_CONSTANT
    moved = cv2.warpAffine(picture, turn, (SIDE, SIDE), borderMode=border).astype(np.float32) / 255
    where = cv2.warpAffine(mask.astype(np.uint8), turn, (SIDE, SIDE)) > 0
    moved = np.clip(moved, 0, 1) ** np.exp(rng.normal(0, 0.35))
    field = cv2.resize(rng.normal(0, 1, (3, 3)).astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    moved = moved + rng.uniform(0, 0.15) * field
    for _ in range(rng.integers(0, 4)):  # opacities, devices, arms: anything bright, the truth stays
        centre, axes = rng.integers(0, SIDE, 2), rng.integers(3, 22, 2)
        spot = np.zeros((SIDE, SIDE), np.float32)
        cv2.ellipse(spot, tuple(map(int, centre)), tuple(map(int, axes)), float(rng.uniform(0, 180)), 0, 360, 1.0, -1)
        moved += rng.uniform(-0.15, 0.45) * cv2.GaussianBlur(spot, (0, 0), float(rng.uniform(1, 6)))
    if rng.random() < 0.5:
        moved = cv2.GaussianBlur(moved, (0, 0), float(rng.uniform(0.3, 1.8)))
    moved += rng.normal(0, rng.uniform(0, 0.05), moved.shape)
    low, high = np.quantile(moved, [rng.uniform(0, 0.06), 1 - rng.uniform(0, 0.06)])
    moved = np.clip((moved - low) / max(high - low, 1e-3), 0, 1)
    if rng.random() < 0.4:  # bars of a padded or a collimated picture
        top, left = rng.integers(0, SIDE // 6, 2) * (rng.random(2) < 0.6)
        for part in (moved, where):
            part[:top], part[SIDE - top :], part[:, :left], part[:, SIDE - left :] = 0, 0, 0, 0
    return np.rint(255 * moved).astype(np.uint8), where


def train(epochs: int, images: int) -> LungNet:
    torch.manual_seed(0)
    parts = [draw(images // 4, seed, difficulty, shifted_test=seed / 4, border=0.3) for seed, difficulty in
             enumerate((0.1, 0.35, 0.6, 0.85))]  # fmt: skip
    pictures, masks = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
    network, rng = LungNet(), np.random.default_rng(0)
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=1e-3)
    steps = epochs * (len(pictures) // 64)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=steps)
    for epoch in range(epochs):
        order, losses = rng.permutation(len(pictures)), []
        for start in range(0, len(order) - 63, 64):
            pairs = [change(pictures[i], masks[i], rng) for i in order[start : start + 64]]
            image = torch.from_numpy(standardise(np.stack([picture for picture, _ in pairs]))).unsqueeze(1)
            truth = torch.from_numpy(np.stack([mask for _, mask in pairs]).astype(np.float32)).unsqueeze(1)
            truth = F.interpolate(truth, size=image.shape[-2:], mode="area")
            flip = [-1] if rng.random() < 0.5 else []
            logits = network(image.flip(flip)).flip(flip)
            overlap = 2 * (logits.sigmoid() * truth).sum() / (logits.sigmoid().sum() + truth.sum())
            loss = F.binary_cross_entropy_with_logits(logits, truth) + 1 - overlap
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            losses.append(loss.item())
        sys.stderr.write(f"epoch {epoch + 1}: loss {np.mean(losses):.3f}\n")
    return network.eval()


def dice(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    return 2 * (found & truth).sum(axis=(1, 2)) / np.maximum(found.sum(axis=(1, 2)) + truth.sum(axis=(1, 2)), 1)


def measure(images: int) -> list[dict]:
    """Dice of the masks on drawn X-rays of other seeds, as they are and changed as in training."""
    rows = []
    for name, changed in (("as drawn", False), ("moved, covered and blurred", True)):
        pictures, masks = draw(images, 99, 0.5)
        rng = np.random.default_rng(1)
        if changed:
            pairs = [change(*pair, rng) for pair in zip(pictures, masks, strict=True)]
            pictures, masks = (np.stack([pair[i] for pair in pairs]) for i in (0, 1))
        began = time.perf_counter()
        found = find_lungs(pictures)
        rate = len(found) / (time.perf_counter() - began)
        scores = dice(found, masks)
        draws = rng.choice(scores, (1000, len(scores))).mean(axis=1)
        low, high = np.quantile(draws, [0.025, 0.975])
        rows.append({"pictures": name, "images": len(scores), "dice": scores.mean(), "low": low, "high": high,
                     "5 % quantile": np.quantile(scores, 0.05), "none found": int((~found.any(axis=(1, 2))).sum()),
                     "area ratio": (found.mean(axis=(1, 2)).sum() / masks.mean(axis=(1, 2)).sum()),
                     "images/s": rate})  # fmt: skip
    return rows


def _square(picture: np.ndarray) -> np.ndarray:
    canvas = np.zeros((SIDE, SIDE), picture.dtype)
    top, left = ((SIDE - each) // 2 for each in picture.shape)
    canvas[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return canvas


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", action="store_true")
    parser.add_argument("--measure", action="store_true")
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--images", type=int, default=3200)
    arguments = parser.parse_args()
    if arguments.train:
        from safetensors.torch import save_file

        state = train(arguments.epochs, arguments.images).state_dict()
        half = {name: each.half() if each.is_floating_point() else each for name, each in state.items()}
        save_file({name: each.contiguous() for name, each in half.items()}, WEIGHTS)
    sys.stdout.write(json.dumps(measure(400), indent=1, default=float) + "\n")
