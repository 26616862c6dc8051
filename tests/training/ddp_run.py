"""A training that `test_processes.py` starts with torchrun; the first process writes what came out."""

import json
import sys
from pathlib import Path

import numpy as np
import torch

from hilum.models import create_model
from hilum.models.stages import mark_trained
from hilum.training.datamodule import Examples
from hilum.training.fit import Settings, fit
from hilum.training.phase import Phase
from hilum.training.processes import gather, is_first
from hilum.transforms import Augmentation, Preprocessing

SMALL = Preprocessing(image_size=32, normalisation="half", channels=1)
PHASES = {
    "head": Phase(max_epochs=3, train="head", lr=1e-2),
    "all": Phase(max_epochs=3, lr=1e-3, schedule="cosine"),
}


def make_examples(count, seed):
    generator = np.random.default_rng(seed)
    targets = generator.integers(0, 2, count).astype(np.int64)
    pictures = generator.integers(0, 100, (count, 32, 32)).astype(np.uint8)
    pictures[targets == 1, 4:14, 6:20] += 40
    return Examples(pictures, targets)


def train(name, run_dir):
    """The model that came out, and its history."""
    torch.set_num_threads(1)
    network = create_model("cnn-tiny", num_classes=2, in_channels=1, image_size=32, seed=4)
    mark_trained(network)
    settings = Settings(
        augmentation=Augmentation() if name == "head" else Augmentation(flip=0.5, rotation=5),
        balance="oversampled", batch_size=16, precision="32", overfit_check=False,
    )  # fmt: skip
    result = fit(
        network, make_examples(70, 0), make_examples(33, 1), preprocessing=SMALL, phases=[PHASES[name]],
        settings=settings, run_dir=run_dir, device=torch.device("cpu"),
    )  # fmt: skip
    return network, result.history


def main(folder):
    found = {}
    for name in PHASES:
        network, history = train(name, folder / name)
        weights = float(sum(each.double().sum() for each in network.parameters()))
        torch.save(network.state_dict(), folder / f"{name}.pt") if is_first() else None
        found[name] = {"history": history, "weights": gather(weights)}
    if is_first():
        (folder / "found.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
