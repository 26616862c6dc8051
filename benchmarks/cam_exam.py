"""The exam of heat maps where everything is known: drawn X-rays, small networks, one of them trained on a marker.

    python benchmarks/cam_exam.py            about eight minutes on one core
    python benchmarks/cam_exam.py --sets "faint lesions, planted marker"

Trains a small CNN from scratch on drawn X-rays of two classes: as they are, with a side marker that follows the class,
and with the marker beside lesions too faint to be of use. Holds the exam of `hilum study` on each with the true lungs,
lesions and markers, and counts how often a network is right once the markers are gone: a map has to give a marker away
only where the answer rests on it. Beside it, what the threshold of the randomisation test rests on: the likeness of
maps of two networks that were trained alike from other random numbers, of maps of other pictures, and of maps of random
networks. Prints one JSON document.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from hilum.data.phantom import DrawnDataset, Faults, draw_dataset
from hilum.inspection.cam.exam.exam import examine
from hilum.inspection.cam.exam.figures import ExamImages
from hilum.inspection.cam.exam.mean import estimate_mean
from hilum.inspection.cam.exam.randomise import randomised, rank_correlations
from hilum.inspection.cam.exam.truth import truth_of
from hilum.inspection.cam.maps import compute_maps
from hilum.inspection.cam.methods import BY_GRADIENT
from hilum.models import Classifier, create_model
from hilum.transforms import Preprocessing, to_canvas
from hilum.transforms.normalise import normalise

PREPROCESSING = Preprocessing(image_size=112, normalisation="half", channels=1)
CLASSES = ("normal", "bacterial")
PLAIN = "as drawn"
SETS = {PLAIN: (0.0, 0.3), "with a planted marker": (1.0, 0.3), "faint lesions, planted marker": (1.0, 1.0)}
"""Data set -> share of pictures with the marker, difficulty of the lesions."""


def drawn(images: int, seed: int, marker: float, difficulty: float) -> tuple[DrawnDataset, np.ndarray, np.ndarray]:
    """A data set, its canvases and class numbers."""
    dataset = draw_dataset(
        images=images, classes=CLASSES, size=160, images_per_patient=1, test_fraction=0, difficulty=difficulty,
        faults=Faults(marker=marker), seed=seed,
    )  # fmt: skip
    canvases = np.stack([to_canvas(each.pixels, PREPROCESSING) for each in dataset])
    return dataset, canvases, np.array([CLASSES.index(label) for label in dataset.table["label"]])


def train(canvases: np.ndarray, classes: np.ndarray, seed: int, epochs: int) -> Classifier:
    """A cnn-small from scratch; pictures are shifted."""
    torch.manual_seed(seed)
    model = create_model("cnn-small", num_classes=2, in_channels=1, image_size=112, seed=seed)
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=1e-2)
    steps = epochs * (len(canvases) // 32)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=steps)
    pixels, target = torch.from_numpy(canvases), torch.from_numpy(classes)
    model.train()
    for _ in range(epochs):
        for rows in torch.randperm(len(canvases))[: len(canvases) // 32 * 32].view(-1, 32):
            shift = torch.randint(-6, 7, (2,)).tolist()
            image = normalise(pixels[rows], normalisation="half", channels=1)
            loss = F.cross_entropy(model(image.roll(shift, (2, 3))), target[rows], label_smoothing=0.1)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    return model.eval()


def hold(model: Classifier, images: int, seed: int, marker: float, difficulty: float) -> dict[str, Any]:
    """The exam on drawn X-rays of other patients, and the accuracy there, also once no marker follows the class."""
    dataset, canvases, classes = drawn(images, seed, marker, difficulty)
    held = ExamImages(
        canvases, list(range(images)), classes, lambda count: truth_of(dataset, range(count), PREPROCESSING)
    )
    found = examine(model, held, PREPROCESSING, methods=tuple(BY_GRADIENT), healthy=0)
    bare = drawn(images, seed, 0.0, difficulty)[1]
    return {
        "accuracy": accuracy(model, canvases, classes),
        "accuracy without the marker": accuracy(model, bare, classes),
        **found,
    }


def accuracy(model: Classifier, canvases: np.ndarray, classes: np.ndarray) -> float:
    """Share of right answers."""
    return float((compute_maps(model, canvases, PREPROCESSING).target == classes).mean())


def likenesses(model: Classifier, twin: Classifier, canvases: np.ndarray) -> dict[str, dict[str, Any]]:
    """Rank correlations of maps that have something, and that have nothing, in common."""
    methods = tuple(BY_GRADIENT)
    own = compute_maps(model, canvases, PREPROCESSING, methods=methods)
    alike = compute_maps(twin, canvases, PREPROCESSING, methods=methods, target=own.target)
    random = randomised(model, tuple(model.stages), canvases, PREPROCESSING, seed=5)
    chance = compute_maps(random, canvases, PREPROCESSING, methods=methods, target=own.target)
    ids = range(len(canvases))
    return {
        name: {
            "network trained from other random numbers": vars(
                estimate_mean(rank_correlations(own.maps[name], alike.maps[name]), ids)
            ),
            "map of another picture": vars(
                estimate_mean(rank_correlations(own.maps[name], np.roll(own.maps[name], 1, axis=0)), ids)
            ),
            "network of random weights": vars(estimate_mean(rank_correlations(own.maps[name], chance.maps[name]), ids)),
        }
        for name in methods
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train-images", type=int, default=600)
    parser.add_argument("--images", type=int, default=96)
    parser.add_argument("--epochs", type=int, default=14)
    parser.add_argument("--sets", action="append", choices=SETS, help="may be given again; all, if not given")
    arguments = parser.parse_args()
    document: dict[str, Any] = {}
    for name in arguments.sets or SETS:
        _, canvases, classes = drawn(arguments.train_images, 1, *SETS[name])
        model = train(canvases, classes, 0, arguments.epochs)
        document[name] = hold(model, arguments.images, 2, *SETS[name])
        if name == PLAIN:
            twin = train(canvases, classes, 1, arguments.epochs)
            document["likeness"] = likenesses(model, twin, drawn(arguments.images, 2, *SETS[name])[1])
    sys.stdout.write(json.dumps(document, indent=1, default=float) + "\n")
