"""Whole processes: a folder of pictures, and one picture from a cold start, with and without the import of torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from pictures import PREPROCESSING, drawn_folder
from side_by_side import Row, time_in_turns

NETWORK = "mobilenetv2_100"
TOLERANCE = 1e-3

USUAL = """
import json, sys, timm, torch
from torchvision.datasets import ImageFolder
from torchvision import transforms as T
model = timm.create_model(sys.argv[1], num_classes=3)
model.load_state_dict(torch.load(sys.argv[2])); model.eval()
steps = [T.Resize((224, 224)), T.ToTensor(), T.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))]
data = ImageFolder(sys.argv[3], T.Compose(steps))
with torch.no_grad():
    found = [model(image).softmax(1) for image, _ in torch.utils.data.DataLoader(data, batch_size=32)]
print(json.dumps(dict(zip([path for path, _ in data.samples], torch.cat(found).tolist()))))
"""
"""What a notebook does, as a script: probabilities of every picture of a folder of class folders, as JSON."""


def measure(pictures: Path | None, repeats: int, quick: bool) -> Iterator[Callable[[], Row]]:
    """Two rows.

    Args:
        pictures: class folders of 224 x 224 JPEG files; drawn ones when left out.
    """
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pictures = pictures or drawn_folder(folder / "pictures", 64 if quick else 624)
        _write_models(folder)
        first = next(each for each in sorted(pictures.rglob("*")) if each.is_file())
        one = folder / "one" / "a"
        one.mkdir(parents=True)
        (one / first.name).write_bytes(first.read_bytes())
        yield partial(_row, "classify a folder", folder, pictures, 1, aim=8)
        yield partial(_row, "cold start to a first prediction", folder, folder / "one", repeats, aim=10)


def _write_models(folder: Path) -> None:
    """The same weights twice: timm's state for the usual way, and hilum's export."""
    import timm
    import torch

    from hilum.models import create_model, save_model
    from hilum.workflow.export import ExportOptions, export_model

    model = create_model(NETWORK, num_classes=3, seed=1)
    twin = timm.create_model(NETWORK, num_classes=3)
    twin.load_state_dict(_for_timm(model, twin.state_dict()))
    torch.save(twin.state_dict(), folder / "usual.pt")
    save_model(
        folder / "m.safetensors", model, labels=("normal", "bacterial", "viral"),
        preprocessing=PREPROCESSING.to_json(), recipe={}, fingerprint="",
    )  # fmt: skip
    export_model(folder / "m.safetensors", ExportOptions(out=folder / "m.onnx"))


def _for_timm(model: Any, expected: dict[str, Any]) -> dict[str, Any]:
    state = {name.removeprefix("backbone."): value for name, value in model.state_dict().items()}
    head = [value for name, value in model.state_dict().items() if name.startswith("head.")]
    state |= {"classifier.weight": head[0], "classifier.bias": head[1]}
    return {name: state[name] for name in expected}


def _row(what: str, folder: Path, place: Path, repeats: int, aim: float) -> Row:
    count = sum(each.is_file() for each in place.rglob("*"))
    usual = [sys.executable, "-c", USUAL, NETWORK, str(folder / "usual.pt"), str(place)]
    ours = [sys.executable, "-m", "hilum", "predict", str(folder / "m.onnx"), str(place), "--json", "--force"]
    said: dict[str, str] = {}
    row = Row(
        f"{what}, whole process, {count} image{'s' * (count > 1)}, {NETWORK}", "torch, timm, ImageFolder",
        "hilum predict on the export, exact fp32", aim=aim,
    )  # fmt: skip
    time_in_turns(
        row,
        lambda: said.update(usual=_said(usual)),
        lambda: said.update(ours=_said(ours)),
        count=count,
        repeats=repeats,
        warm_up=False,
    )
    row.same = _equality(said["usual"], said["ours"])
    return row


def _said(command: list[str]) -> str:
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout


def _equality(usual: str, ours: str) -> str:
    """Asserts that both called every picture with the same probabilities.

    A picture whose sides differ from the network's is resized by another filter on each side; those given here do not.
    """
    theirs = json.loads(usual.splitlines()[-1])
    mine = [json.loads(line) for line in ours.splitlines() if line.startswith("{")]
    assert len(mine) == len(theirs), f"{len(mine)} answers to {len(theirs)} pictures"
    gap = max(float(np.abs(np.subtract(list(each["probs"].values()), theirs[each["image"]])).max()) for each in mine)
    assert gap <= TOLERANCE, f"probabilities differ by {gap:.1e}"
    return f"probabilities of all {len(mine)} differ by {gap:.0e} at most (asserted {TOLERANCE:g})"
