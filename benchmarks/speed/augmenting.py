"""Rotation, shift, flip and equalisation of a batch of 64, three channels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from pictures import labelled
from side_by_side import Row, time_in_turns

from hilum.inference.device import tune_cpu
from hilum.transforms import Augmentation, augment
from hilum.transforms.normalise import normalise

BATCH = 64


TIMES = 3
"""Batches in a turn."""


def measure(repeats: int = 3) -> Iterator[Callable[[], list[Row]]]:
    """Against torchvision per tensor and torchvision on PIL images, each as it comes and with pages kept."""
    yield partial(_measure, repeats)


def _measure(repeats: int) -> list[Row]:
    import torch
    from PIL import Image
    from torchvision.transforms import v2

    canvases = labelled(BATCH, None)[0]
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

    ways = {"per tensor": (per_tensor, 10.0), "on PIL": (on_pil, 3.5)}
    plain = {
        name: time_in_turns(
            _row(f"torchvision v2 {name}", aim),
            partial(_often, way),
            lambda: None,
            count=TIMES * BATCH,
            repeats=repeats,
        )
        for name, (way, aim) in ways.items()
    }
    tune_cpu()  # cannot be taken back, so that the usual way as it comes is over by now
    rows = []
    for name, (way, _) in ways.items():
        kept = _row("the same, allocator told to keep its pages (mallopt)", None)
        time_in_turns(kept, partial(_often, way), partial(_often, ours), count=TIMES * BATCH, repeats=repeats)
        plain[name].our_rate = kept.our_rate
        rows += [plain[name], kept]
    return rows


def _row(usual: str, aim: float | None) -> Row:
    same = "no: other random numbers; each change by itself is tested against its definition"
    work = f"rotation, shift, flip, equalisation of {BATCH} images, 3 channels"
    return Row(work, usual, "augment, one warp on bytes", aim=aim, same=same)


def _often(way: Callable[[], None]) -> None:
    for _ in range(TIMES):
        way()
