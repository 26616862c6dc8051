"""Training on a GPU: python benchmarks/speed/gpu.py [--models resnet50,mobilenetv2_100] [--batch-size 256]

Trains each network for three epochs through hilum.training, as a study does: canvases and augmentation on the device,
bf16 where the probe finds it faster, channels last. Prints images a second of the last epoch, and how long the
device waited: the share of the epoch that is not covered by its steps alone, which are timed without any loader. Writes
JSON. `--compiled` lets torch.compile translate the step, which a study does when training takes more than five minutes.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any
from unittest.mock import patch

import training

AIMS = {"resnet50": 4000, "efficientnet_b0": 6000, "mobilenetv2_100": 8000, "vit_base_patch16_224": 2300}


def measure(name: str, device: Any, images: int, batch_size: int, compiled: bool) -> dict[str, Any]:
    """Images a second, and the share of the time that the device waited."""

    from hilum.models import create_model
    from hilum.training import work
    from hilum.training.fit import fit
    from hilum.training.phase import Phase
    from hilum.training.probe import step_seconds
    from hilum.training.work import Settings
    from hilum.transforms import Augmentation
    from hilum.transforms.normalise import normalise

    some = training.examples(images)
    model = create_model(name, num_classes=2, seed=1)
    changes = Augmentation(rotation=10, shift=0.1, zoom=0.1, flip=0.5, contrast=0.2, equalise=0.2)
    with tempfile.TemporaryDirectory() as folder, patch.object(work, "COMPILE_PAYS", 0.0 if compiled else 1e9):
        result = fit(
            model, some, training.examples(batch_size, seed=9), preprocessing=training._preprocessing(),
            phases=[Phase(max_epochs=3, lr=1e-4)],
            settings=Settings(batch_size=batch_size, augmentation=changes, overfit_check=False), run_dir=Path(folder),
            device=device,
        )  # fmt: skip
    epoch = result.history[-1]["seconds"]
    step = step_seconds(
        model, lambda inputs: normalise(inputs, normalisation="imagenet", channels=3), some.inputs[:batch_size],
        some.targets[:batch_size], device, result.precision,
    )  # fmt: skip
    steps = images // batch_size
    return {
        "model": name,
        "images_per_second": steps * batch_size / epoch,
        "step_alone_images_per_second": batch_size / step,
        "waited": max(0.0, 1 - steps * step / epoch),
        "aim": AIMS.get(name),
        "precision": result.precision,
        "compiled": compiled and device.type == "cuda",
        "batch_size": batch_size,
        "seconds_of_epochs": [row["seconds"] for row in result.history],
    }


def main() -> None:
    """Parses, measures, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default=",".join(AIMS))
    parser.add_argument("--images", type=int, default=8192)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--compiled", action="store_true")
    parser.add_argument("--device", default="cuda", help="cpu shows only that the benchmark runs")
    parser.add_argument("--out", type=Path, default=Path("runs/speed-gpu.json"))
    given = parser.parse_args()
    import torch

    device, rows = torch.device(given.device), []
    for name in given.models.split(","):
        rows.append(measure(name, device, given.images, given.batch_size, given.compiled))
        sys.stdout.write(json.dumps(rows[-1]) + "\n")
        sys.stdout.flush()
    machine = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps({"device": machine, "torch": torch.__version__, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
