"""A step of training, and a head on a frozen backbone: a plain torch loop against hilum.training.

Each way of a step runs in a process of its own, because the allocator's setting cannot be taken back in one:
`python benchmarks/speed/training.py NETWORK WAY BATCHES` with WAY `plain`, `kept` (plain, and the C allocator keeps its
pages) or `hilum` prints images a second, the mean loss of the same batches, and the precision. BATCHES is a file that
`save_examples` wrote: to draw X-rays takes longer than four steps.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from side_by_side import Row

AIMS = {"mobilenetv2_100": 3.3, "efficientnet_b0": 2.4, "resnet18": 2.4, "resnet50": 2.4}
BATCH, STEPS, LR = 32, 4, 1e-4
FEW_EPOCHS, EPOCHS = 2, 20
LOSS_GAP = {"32": 5e-3, "bf16": 3e-2}
"""How far the mean loss of four steps may differ from the plain loop's."""


def measure_steps(repeats: int) -> Iterator[Row]:
    """Two rows a network: against the plain loop as it is, and with pages kept."""
    with tempfile.TemporaryDirectory() as folder:
        batches = save_examples(Path(folder) / "batches.npz")
        yield from (row for name, aim in AIMS.items() for row in _rows_of_steps(name, aim, batches, repeats))


def save_examples(path: Path) -> Path:
    """Four batches of drawn X-rays and their targets, and one to validate on."""
    some, val = examples(BATCH * STEPS), examples(BATCH, seed=9)
    np.savez(path, some=some.inputs, targets=some.targets, val=val.inputs, val_targets=val.targets)
    return path


def _rows_of_steps(name: str, aim: float, batches: Path, repeats: int) -> Iterator[Row]:
    found: dict[str, list[dict[str, Any]]] = {way: [] for way in ("plain", "kept", "hilum")}
    for _ in range(repeats):
        for way, runs in found.items():
            runs.append(_in_a_process(name, way, batches))
    same = _same_loss(name, found)
    usual = {"plain": "fp32 NCHW loop", "kept": "the same, allocator told to keep its pages (mallopt)"}
    for way, words in usual.items():
        yield Row(
            f"training step, batch {BATCH}, {name}",
            words,
            f"hilum.training, {found['hilum'][-1]['precision']} by probe, loader included",
            usual_rate=[run["rate"] for run in found[way]],
            our_rate=[run["rate"] for run in found["hilum"]],
            aim=aim if way == "plain" else None,
            same=same,
        )


def _in_a_process(name: str, way: str, batches: Path) -> dict[str, Any]:
    command = [sys.executable, "-W", "ignore", __file__, name, way, str(batches)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def _same_loss(name: str, found: dict[str, list[dict[str, Any]]]) -> str:
    ours, plain = found["hilum"][-1], found["plain"][-1]
    gap, most = abs(ours["loss"] - plain["loss"]), LOSS_GAP[ours["precision"]]
    assert gap <= most, f"{name}: mean loss of {STEPS} steps differs by {gap:.1e}"
    return f"mean loss of the same {STEPS} batches differs by {gap:.0e} (at most {most:g})"


def examples(count: int, seed: int = 0) -> Any:
    """Drawn X-rays `[count, 224, 224]` of two classes, 150 different ones at most, and targets."""
    from hilum.data.phantom import draw_dataset
    from hilum.training.datamodule import Examples
    from hilum.transforms import Preprocessing, to_canvas

    drawn = draw_dataset(images=min(count, 150), size=224, seed=seed)
    preprocessing = Preprocessing(image_size=224)
    canvases = np.stack([to_canvas(drawn[i].pixels, preprocessing) for i in range(len(drawn))])
    targets = (drawn.table["label"] != "normal").to_numpy(np.int64)
    chosen = np.arange(count) % len(canvases)
    return Examples(canvases[chosen], targets[chosen])


def _batches(some: Any, epoch: int) -> Iterator[tuple[Any, Any]]:
    """The batches that hilum.training sees in an epoch with seed 0, as float tensors NCHW."""
    import torch

    from hilum.data.balance import epoch_order

    order = epoch_order(some.targets, "as-is", seed=0, epoch=epoch)
    mean, std = (torch.tensor(each)[:, None, None] for each in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    for start in range(0, len(order) - BATCH + 1, BATCH):
        rows = order[start : start + BATCH]
        image = torch.from_numpy(some.inputs[rows])[:, None].expand(-1, 3, -1, -1).float() / 255
        yield (image - mean) / std, torch.from_numpy(some.targets[rows])


def run_plain(name: str, some: Any) -> dict[str, Any]:
    """The loop of a notebook: images a second from the second step on, and the mean loss."""
    import torch

    model = _network(name)
    optimiser = torch.optim.Adam(model.parameters(), lr=LR)
    batches = list(_batches(some, 0))
    model.train()
    losses, times = [], []
    for image, target in batches:
        loss = torch.nn.functional.cross_entropy(model(image), target)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
        times.append(time.perf_counter())
    return {"rate": _rate(times), "loss": float(np.mean(losses)), "precision": "32"}


def _network(name: str) -> Any:
    from hilum.models import create_model
    from hilum.models.stages import mark_trained

    model = create_model(name, num_classes=2, seed=1)
    mark_trained(model)  # whatever its weights, speed is the same
    return model


def _rate(times: list[float]) -> float:
    return BATCH / statistics.median(np.diff(times).tolist())


def run_hilum(name: str, some: Any, val: Any) -> dict[str, Any]:
    """The same through `fit`: one epoch, as a study runs it, without augmentation."""
    import torch

    from hilum.training.fit import fit
    from hilum.training.phase import Phase
    from hilum.training.work import Settings

    times = list[float]()
    with tempfile.TemporaryDirectory() as folder:
        result = fit(
            _network(name),
            some,
            val,
            preprocessing=_preprocessing(),
            phases=[Phase(max_epochs=1, lr=LR)],
            settings=Settings(batch_size=BATCH, overfit_check=False),
            run_dir=Path(folder),
            device=torch.device("cpu"),
            on_step=lambda *_: times.append(time.perf_counter()),
        )
    return {"rate": _rate(times), "loss": result.history[0]["train_loss"], "precision": result.precision}


def _preprocessing() -> Any:
    from hilum.transforms import Preprocessing

    return Preprocessing(image_size=224, normalisation="imagenet", channels=3)


def measure_heads(images: int = 2000, part: int = 128) -> Iterator[Row]:
    """Twenty epochs of a head, all of them ours; of the usual way two epochs of a part, multiplied."""
    some, val = examples(part), examples(96, seed=9)
    usual_rate, usual = _slow_head(some, val)
    with tempfile.TemporaryDirectory() as folder, patch("hilum.inference.choose.WORTH", 0.0):  # as for many images
        ours, _ = _fast_head(some, val, Path(folder), FEW_EPOCHS, views=1, batch=BATCH)
    gaps = abs(ours["val_loss"] - usual["val_loss"]), abs(ours["val_auroc"] - usual["val_auroc"])
    assert gaps[0] < 0.02 and gaps[1] < 0.02, f"a head on features: validation differs by {gaps}"
    same = f"{part} images, {FEW_EPOCHS} epochs each way: validation loss differs by {gaps[0]:.0e}, AUROC {gaps[1]:.0e}"
    whole = examples(images)
    for views, aim in ((1, 200), (4, 70)):
        with tempfile.TemporaryDirectory() as folder:
            _, seconds = _fast_head(whole, val, Path(folder), EPOCHS, views=views, batch=0)
        yield Row(
            f"{EPOCHS} epochs of a head on frozen MobileNetV2, {images} images, {views} view{'s' * (views > 1)}",
            "backbone in every epoch",
            "features once a view, in bf16 where that holds",
            unit="images x epochs",
            usual_rate=[usual_rate],
            our_rate=[EPOCHS * images / seconds],
            aim=aim,
            same=same,
            note=f"the usual way timed on {FEW_EPOCHS} epochs of {part} images; hilum on all {EPOCHS} of {images}",
        )


def _slow_head(some: Any, val: Any) -> tuple[float, dict[str, float]]:
    """Images times epochs a second, and figures on validation, of a loop that runs the backbone in every epoch."""
    import torch

    from hilum.training.keeper import val_figures

    model = _network("mobilenetv2_100")
    model.requires_grad_(False)
    model.head.requires_grad_(True)
    model.eval()  # frozen: its running means stay
    optimiser = torch.optim.Adam(model.head.parameters(), lr=LR)
    batches = [list(_batches(some, epoch)) for epoch in range(FEW_EPOCHS)]
    began = time.perf_counter()
    for epoch in batches:
        for image, target in epoch:
            loss = torch.nn.functional.cross_entropy(model(image), target)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    rate = sum(map(len, batches)) * BATCH / (time.perf_counter() - began)
    with torch.no_grad():
        logits, target = zip(*((model(image), target) for image, target in _batches(val, 0)), strict=True)
    return rate, val_figures(torch.cat(logits), torch.cat(target))


def _fast_head(
    some: Any, val: Any, folder: Path, epochs: int, *, views: int, batch: int
) -> tuple[dict[str, float], float]:
    """The last row of the history, and seconds of `fit`."""
    import torch

    from hilum.training.fit import fit
    from hilum.training.phase import Phase
    from hilum.training.work import Settings
    from hilum.transforms import Augmentation

    changes = Augmentation(rotation=10, shift=0.05, flip=0.5) if views > 1 else Augmentation()
    result = fit(
        _network("mobilenetv2_100"),
        some,
        val,
        preprocessing=_preprocessing(),
        phases=[Phase(max_epochs=epochs, train="head", lr=LR, views=views, batch_size=batch)],
        settings=Settings(batch_size=BATCH, augmentation=changes, overfit_check=False),
        run_dir=folder,
        device=torch.device("cpu"),
    )
    return result.history[-1], result.seconds


def main() -> None:
    """One way of a step, as JSON."""
    from hilum.training.datamodule import Examples

    warnings.simplefilter("ignore")
    name, way, batches = sys.argv[1:]
    if way == "kept":
        from hilum.inference.device import tune_cpu

        tune_cpu()
    with np.load(batches) as saved:
        some, val = Examples(saved["some"], saved["targets"]), Examples(saved["val"], saved["val_targets"])
    found = run_hilum(name, some, val) if way == "hilum" else run_plain(name, some)
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
