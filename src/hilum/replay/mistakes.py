"""The reports' mistakes: each in one sentence, and the damage to inputs that reproduces it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from hilum.data.manifest import Manifest
from hilum.data.predictions import Predictions


@dataclass(frozen=True)
class Mistake:
    """Something that a report did.

    Args:
        sentence: what it was and what it does to the figure.
        reproduced: how the run that follows the report repeats it; empty where that cannot be done.
    """

    sentence: str
    reproduced: str = ""


MISTAKES: dict[str, Mistake] = {
    "image-split": Mistake(
        "Validation was drawn image by image, so the same patient trains and validates; and the best epoch was chosen "
        "on the very images that are reported.",
        "validation redrawn image by image",
    ),
    "stopping-set": Mistake(
        "The images that stopped training and chose the epoch are the images that are reported; there was no test set.",
        "all images in two parts, drawn image by image, none kept for a test",
    ),
    "test-as-val": Mistake(
        "The test images served as the validation set, so the epoch was chosen on them.",
        "the test split in the place of validation",
    ),
    "label-order": Mistake(
        "Labels and predictions were collected in two passes in different orders, so they do not belong together.",
        "the labels of the predictions file in another order",
    ),
    "shuffled-evaluation": Mistake(
        "The evaluation generator was shuffled, so the matrix pairs each prediction with another image's label.",
        "the labels of the predictions file in another order",
    ),
    "frozen-random": Mistake(
        "The network was built without pre-trained weights and all but its last block was frozen at random values.",
        "no weights, and the guard `frozen-random` lifted",
    ),
    "copied-row": Mistake(
        "This row equals that of the first test-time augmentation to the digit, so it was copied; the network that it "
        "should be of was frozen at random values.",
        "no weights, and the guard `frozen-random` lifted",
    ),
    "knn-seen": Mistake(
        "The k-NN was tested on a random fifth of the images that its network had been trained on.",
        "index and queries drawn at random from the training images of the network",
    ),
    "collapsed": Mistake(
        "Every image was called pneumonia, and nobody saw that the accuracy is the share of the larger class; the "
        "cause is not known, so it is not repeated on purpose."
    ),
    "seen-test": Mistake("The policy was chosen by its figure on test, which makes that figure too good."),
    "no-figure": Mistake("No figure was recorded, only what was remembered."),
    "by-eye": Mistake("The threshold was set by eye, after the anomalies had been looked at."),
}


def split_by_image(manifest: Manifest, fraction: float, seed: int, *, keep_test: bool = True) -> Manifest:
    """Validation drawn image by image within each class, whoever the patient is.

    Args:
        fraction: share of the images that are drawn from.
        keep_test: leave the test split as it is; else it goes into the pool, and nothing is left for a test.
    """
    table = manifest.table.copy()
    pool = np.flatnonzero((table["split"] != "test") | (not keep_test))
    split = np.full(len(pool), "train", dtype=object)
    split[_stratified(table["label"].to_numpy()[pool], fraction, seed)] = "val"
    table.loc[table.index[pool], "split"] = split
    return manifest.with_table(table, split_rule=f"Validation is {fraction:.0%}, drawn image by image.")


def use_test_as_val(manifest: Manifest) -> Manifest:
    """Everything else trains, the test split validates, and nothing is left for a test."""
    split = np.where(manifest.table["split"] == "test", "val", "train")
    return manifest.with_table(manifest.table.assign(split=split), split_rule="The test split validates.")


def permute_labels(predictions: Predictions, seed: int) -> Predictions:
    """The same predictions beside labels in another order, as two passes over a shuffled loader give them."""
    target = np.random.default_rng(seed).permutation(predictions.table["target"].to_numpy())
    table = predictions.table.assign(target=target)
    return Predictions(table, predictions.labels, {**predictions.about, "labels": "in another order, on purpose"})


def random_fifth(count: int, seed: int) -> np.ndarray:
    """bool `[N]`: a random fifth, whoever the patient is."""
    drawn = np.zeros(count, bool)
    drawn[np.random.default_rng(seed).permutation(count)[: max(1, round(count / 5))]] = True
    return drawn


def lifted_guards(mistakes: Collection[str]) -> tuple[str, ...]:
    """Names of the guards of training that must be lifted to repeat these mistakes."""
    return ("frozen-random",) if {"frozen-random", "copied-row"} & set(mistakes) else ()


def _stratified(labels: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Positions of about a share of each class, their number rounded as a whole."""
    generator, wanted = np.random.default_rng(seed), round(fraction * len(labels))
    order = generator.permutation(len(labels))
    # Rank within the class as a share of the class: the lowest ranks of all classes together are stratified.
    rank = np.empty(len(labels))
    for label in np.unique(labels):
        members = order[labels[order] == label]
        rank[members] = (np.arange(len(members)) + 0.5) / len(members)
    return np.argsort(rank, kind="stable")[:wanted]
