"""Can networks from scratch learn sixteen drawn X-rays by heart? `python benchmarks/overfit.py [NAME ...]`.

Adam at 1e-3 and at the learning rate of the system that a network comes from, no augmentation, dropout as the system
had it. It prints the steps until the network, in evaluation mode, had all sixteen right, and the loss it started from.
"""

import argparse
import math
import sys
import time

import cv2
import numpy as np
import torch
from torch import nn

from hilum.data.phantom import draw_dataset
from hilum.models import MODELS, create_model
from hilum.transforms.normalise import normalise

IMAGES = 16
CLASSES = ("normal", "bacterial", "viral")
SYSTEM_LR = {"A": 1e-3, "B": 1e-4, "D": 1e-5}
DROPOUT = {"cnn-5conv": 0.5, "vanilla-cnn": 0.2}


def drawn(size: int, channels: int, num_classes: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Sixteen pictures as a network gets them, [-1, 1], and their classes."""
    dataset = draw_dataset(images=2 * IMAGES, classes=CLASSES[:num_classes], size=size, images_per_patient=1, seed=4)
    names = [dataset.row(index)["label"] for index in range(IMAGES)]
    canvases = [cv2.resize(dataset[index].pixels, (size, size)) for index in range(IMAGES)]
    image = normalise(torch.from_numpy(np.stack(canvases)), normalisation="half", channels=channels)
    return image, torch.tensor([dataset.classes.index(name) for name in names])


def overfit(name: str, lr: float, most: int, seed: int) -> str:
    """One line: loss at the start, steps, accuracy at the end, seconds."""
    entry = MODELS[name]
    image, target = drawn(entry.image_size, entry.in_channels, entry.num_classes)
    model = create_model(
        name,
        num_classes=entry.num_classes,
        in_channels=entry.in_channels,
        image_size=entry.image_size,
        output=entry.output,
        dropout=DROPOUT.get(name, 0.0),
        seed=seed,
    )
    optimiser, began, first, step, right = (
        torch.optim.Adam(model.parameters(), lr=lr),
        time.monotonic(),
        math.nan,
        0,
        0.0,
    )
    while step < most and right < 1:
        loss = nn.functional.cross_entropy(model.train()(image), target)
        first = loss.item() if step == 0 else first
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        step += 1
        if step % 5 == 0:
            with torch.inference_mode():
                right = (model.eval()(image).argmax(1) == target).float().mean().item()
    seconds = time.monotonic() - began
    return (
        f"{name:18s} lr {lr:g}  first loss {first:6.2f}  {right:4.0%} right after {step:3d} steps  {seconds:5.0f} s\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    scratch = [entry.name for entry in MODELS.values() if entry.weights == "none" and entry.num_classes]
    parser.add_argument("names", nargs="*", default=scratch)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for name in options.names:
        rates = {1e-3, *(SYSTEM_LR[system] for system in MODELS[name].systems)}
        for lr in sorted(rates, reverse=True):
            sys.stdout.write(overfit(name, lr, options.steps, options.seed))
            sys.stdout.flush()


if __name__ == "__main__":
    main()
