"""Grad-CAM of a batch against pytorch-grad-cam an image at a time, in one run, with the maps compared.

    python benchmarks/gradcam_speed.py --models mobilenetv2_100,resnet50 --images 32

The usual way: pytorch-grad-cam's GradCAM called for one image after the other, on the network as timm makes it. Both
get the same weights, the same normalised pictures and the same class. Rounds of the two are taken in turn, so that a
busy machine slows both; the ratio is the median over rounds. Prints one JSON document.
"""

from __future__ import annotations

import argparse
import json
import sys
import time

import numpy as np
import torch
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.image import scale_cam_image
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

from hilum.data.phantom import draw_dataset
from hilum.inspection.cam.maps import compute_maps
from hilum.inspection.cam.target import find_target
from hilum.models import create_model
from hilum.transforms import Preprocessing, to_canvas
from hilum.transforms.normalise import normalise

PREPROCESSING = Preprocessing(image_size=224, normalisation="half", channels=3)


def measure(name: str, images: int, batch_size: int, rounds: int) -> dict:
    """Images a second of both ways, their ratio, and how far the maps differ."""
    pictures = np.stack([to_canvas(each.pixels, PREPROCESSING) for each in draw_dataset(images=images, seed=3)])
    model = create_model(name, num_classes=2, image_size=224, seed=0).eval()
    few = images if images <= 8 else 8  # the usual way is timed on some of them
    ours, theirs = [], []
    for number in range(rounds + 1):  # the first round warms up
        model = model.to(memory_format=torch.contiguous_format)
        began = time.perf_counter()
        usual = one_at_a_time(model, pictures[:few])
        theirs.append(few / (time.perf_counter() - began))
        began = time.perf_counter()
        found = compute_maps(model, pictures, PREPROCESSING, target=1, batch_size=batch_size)
        ours.append(images / (time.perf_counter() - began))
        if number == 0:
            scaled = scale_cam_image(scale_cam_image(found.maps["gradcam"][:few], (224, 224)))
            apart = float(np.abs(scaled - usual).max())
            likeness = min(float(np.corrcoef(a.ravel(), b.ravel())[0, 1]) for a, b in zip(scaled, usual, strict=True))
    ratios = np.array(ours[1:]) / np.array(theirs[1:])
    return {
        "model": name,
        "layer": found.layer,
        "pytorch-grad-cam, images/s": round(float(np.median(theirs[1:])), 1),
        "hilum, images/s": round(float(np.median(ours[1:])), 1),
        "ratio": round(float(np.median(ratios)), 1),
        "ratio, lowest and highest": [round(float(end), 1) for end in (ratios.min(), ratios.max())],
        "largest difference of the scaled maps": apart,
        "lowest correlation of the maps": likeness,
    }


def one_at_a_time(model: torch.nn.Module, pictures: np.ndarray) -> np.ndarray:
    """The usual way: one image, one call."""
    target = find_target(model)  # type: ignore[arg-type]
    found = []
    with GradCAM(model, [target.module]) as cam:
        for picture in pictures:
            image = normalise(torch.from_numpy(picture[None]), normalisation="half", channels=3).contiguous()
            found.append(cam(image, [ClassifierOutputTarget(1)])[0])
    return np.stack(found)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="mobilenetv2_100,resnet50")
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    rows = [
        measure(name, arguments.images, arguments.batch_size, arguments.rounds) for name in arguments.models.split(",")
    ]
    about = {"threads": torch.get_num_threads(), "torch": torch.__version__, "images": arguments.images}
    sys.stdout.write(json.dumps({**about, "rows": rows}, indent=1) + "\n")
