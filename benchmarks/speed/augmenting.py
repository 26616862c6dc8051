"""Rotation, shift, flip and equalisation of a batch of 64, three channels."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from side_by_side import Row, time_in_turns

from hilum.data.phantom import draw_dataset
from hilum.inference.device import tune_cpu
from hilum.transforms import Augmentation, augment, to_canvas
from hilum.transforms.normalise import normalise
from hilum.transforms.preprocessing import Preprocessing

BATCH = 64


def measure() -> Iterator[Row]:
    """Against torchvision per tensor and torchvision on PIL images; both with an allocator that keeps its pages."""
    import torch
    from PIL import Image
    from torchvision.transforms import v2

    tune_cpu()
    canvases = np.stack(
        [to_canvas(each.pixels, Preprocessing()) for each in draw_dataset(images=BATCH, size=224, seed=0)][:BATCH]
    )
    steps = v2.Compose(
        [v2.RandomAffine(degrees=10, translate=(0.1, 0.1)), v2.RandomHorizontalFlip(), v2.RandomEqualize(p=0.5)]
    )
    tensors = [torch.from_numpy(canvas)[None].expand(3, -1, -1).contiguous() for canvas in canvases]
    pictures = [Image.fromarray(canvas).convert("RGB") for canvas in canvases]
    mine = Augmentation(rotation=10, shift=0.1, flip=0.5, equalise=0.5)
    epoch = iter(range(1_000_000))

    def ours() -> None:
        number = next(epoch)
        batch = augment(canvases, mine, [(0, number, row) for row in range(len(canvases))])
        normalise(torch.from_numpy(batch), normalisation="zero-one", channels=3)

    def per_tensor() -> None:
        torch.stack([steps(tensor) for tensor in tensors]).float().div_(255)

    def on_pil() -> None:
        torch.stack([v2.functional.to_image(steps(picture)) for picture in pictures]).float().div_(255)

    same = "no: other random numbers; each change by itself is tested against its definition"
    work = "rotation, shift, flip, equalisation of 64 images, 3 channels"
    for usual, words, aim in ((per_tensor, "torchvision v2 per tensor", 10.0), (on_pil, "torchvision v2 on PIL", 3.5)):
        row = Row(work, words, "augment, one warp on bytes", aim=aim, same=same)
        yield time_in_turns(
            row, lambda usual=usual: [usual() for _ in range(3)], lambda: [ours() for _ in range(3)], count=3 * BATCH
        )
