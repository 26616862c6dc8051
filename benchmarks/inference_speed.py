"""Speed of inference: the usual way (torch eager, ImageFolder) beside hilum, on the same pictures in one run.

    python benchmarks/inference_speed.py [--models mobilenetv2_100 resnet50] [--folder FOLDER] [--json FILE]

Both sides take turns, so that a busy machine slows both; a ratio is the median of its rounds with the lowest and the
highest one. What both say is compared first.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hilum.data.phantom import draw_dataset
from hilum.inference.engine import log_softmax
from hilum.models import create_model, save_model
from hilum.transforms import Preprocessing
from hilum.workflow.export import ExportOptions, export_model

MODELS = ("mobilenetv2_100", "efficientnet_b0", "resnet50", "vit_base_patch16_224")
PREPROCESSING = Preprocessing(image_size=224)
ROUNDS, BATCH, FOLDER = 5, 32, 624

USUAL_FOLDER = """
import sys, time, timm, torch
from torchvision.datasets import ImageFolder
from torchvision import transforms as T
model = timm.create_model(sys.argv[1], num_classes=3)
model.load_state_dict(torch.load(sys.argv[2])); model.eval()
steps = [T.Resize((224, 224)), T.ToTensor(), T.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))]
loader = torch.utils.data.DataLoader(ImageFolder(sys.argv[3], T.Compose(steps)), batch_size=32)
with torch.no_grad():
    print(sum(len(model(image).softmax(1)) for image, _ in loader))
"""


def canvases_of(count: int) -> np.ndarray:
    """Drawn X-rays, uint8 `[count, 224, 224]`; a hundred different ones at most."""
    drawn = draw_dataset(images=min(count, 100), size=224)
    some = [(255 * np.pad(drawn[i].intensity, _border(drawn[i].intensity))).astype(np.uint8) for i in range(len(drawn))]
    return np.stack([some[i % len(some)] for i in range(count)])


def _border(picture: np.ndarray) -> list[tuple[int, int]]:
    return [(0, 224 - side) for side in picture.shape]


def side_by_side(usual: Callable[[], Any], ours: dict[str, Callable[[], Any]], rounds: int = ROUNDS) -> dict[str, Any]:
    """Seconds of each, in turns, after one round to warm up; ratios usual / ours."""
    seconds: dict[str, list[float]] = {name: [] for name in ("usual", *ours)}
    for number in range(rounds + 1):
        for name, each in {"usual": usual, **ours}.items():
            began = time.perf_counter()
            each()
            if number:
                seconds[name].append(time.perf_counter() - began)
    found = {name: {"seconds": statistics.median(times)} for name, times in seconds.items()}
    for name in ours:
        ratios = [one / other for one, other in zip(seconds["usual"], seconds[name], strict=True)]
        found[name] |= {"ratio": statistics.median(ratios), "lowest": min(ratios), "highest": max(ratios)}
    return found


def engines_of(model: Any, folder: Path) -> dict[str, Any]:
    """What hilum runs the network with: the ONNX export in both engines, OpenVINO also in bf16 and int8."""
    from hilum.inference.engine import open_graph
    from hilum.inference.openvino_engine import has_bf16

    save_model(
        folder / "m.safetensors", model, labels=("normal", "bacterial", "viral"),
        preprocessing=PREPROCESSING.to_json(), recipe={}, fingerprint="",
    )  # fmt: skip
    path = export_model(folder / "m.safetensors", ExportOptions(out=folder / "m.onnx")).path
    threads = torch.get_num_threads()
    found = {kind: open_graph(kind, path, threads=threads) for kind in ("openvino", "onnxruntime")}
    if has_bf16():
        found["openvino bf16"] = open_graph("openvino", path, precision="bf16", threads=threads)
    return found


def measure_network(name: str, folder: Path, rounds: int) -> dict[str, Any]:
    """Batch 32 and one image, warm; the largest difference in a probability beside each."""
    model = create_model(name, num_classes=3, seed=1).eval()
    canvases = canvases_of(BATCH)
    mean, std = torch.tensor((0.485, 0.456, 0.406)), torch.tensor((0.229, 0.224, 0.225))

    def usual(some: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            image = torch.from_numpy(some)[:, None].expand(-1, 3, -1, -1).float() / 255
            return model((image - mean[:, None, None]) / std[:, None, None]).numpy()

    expected = np.exp(log_softmax(usual(canvases)))
    runners, found = engines_of(model, folder), {}
    for label, engine in runners.items():
        gap = float(np.abs(np.exp(log_softmax(engine.logits(canvases))) - expected).max())
        tolerance = 2e-2 if "bf16" in label else 1e-3
        assert gap <= tolerance, f"{name} {label}: probabilities differ by {gap:.1e}"
        found[label] = gap
    model.to(memory_format=torch.contiguous_format)
    table: dict[str, Any] = {"difference": found}
    for what, some in (("batch of 32", canvases), ("one image", canvases[:1])):
        ours = {label: (lambda engine=engine, some=some: engine.logits(some)) for label, engine in runners.items()}
        table[what] = side_by_side(lambda some=some: usual(some), ours, rounds)
    return table


def measure_processes(folder: Path, pictures: Path, rounds: int) -> dict[str, Any]:
    """Whole processes with MobileNetV2: a folder of pictures, and one picture from a cold start."""
    import timm

    network = timm.create_model("mobilenetv2_100", num_classes=3)
    torch.save(network.state_dict(), folder / "usual.pt")
    model = create_model("mobilenetv2_100", num_classes=3, seed=1)
    engines_of(model, folder)
    first = next(each for each in sorted(pictures.rglob("*")) if each.is_file())
    one = folder / "one" / "a"
    one.mkdir(parents=True)
    (one / first.name).write_bytes(first.read_bytes())
    found = {}
    for what, place in (("folder", pictures), ("cold start", folder / "one")):
        usual = [sys.executable, "-c", USUAL_FOLDER, "mobilenetv2_100", str(folder / "usual.pt"), str(place)]
        ours = [sys.executable, "-m", "hilum", "predict", str(folder / "m.onnx"), str(place), "--json"]
        sides = {"hilum predict": lambda command=ours: _run(command)}
        found[what] = side_by_side(lambda command=usual: _run(command), sides, rounds)
        found[what]["images"] = sum(each.is_file() for each in place.rglob("*"))
    return found


def _run(command: list[str]) -> None:
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)


def drawn_folder(folder: Path, count: int) -> Path:
    """JPEG files of drawn X-rays in class folders."""
    from hilum.images import to_jpeg

    for number, canvas in enumerate(canvases_of(count)):
        place = folder / f"class{number % 3}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number:04}.jpg").write_bytes(to_jpeg(canvas))
    return folder


def render(document: dict[str, Any]) -> str:
    """The table, a line a measurement."""
    lines = [f"{'':<24}{'usual':>11}{'hilum':>11}{'ratio':>8}  lowest-highest"]
    for name, table in document["networks"].items():
        for what, images in (("batch of 32", BATCH), ("one image", 1)):
            lines.append(f"{name}, {what}")
            for label, row in table[what].items():
                if label != "usual":
                    lines.append(_line(label, table[what]["usual"], row, images))
    for what, table in document.get("processes", {}).items():
        lines.append(f"{what}, {table['images']} images, whole process, mobilenetv2_100")
        lines.append(_line("hilum predict", table["usual"], table["hilum predict"], 0))
    return "\n".join(lines)


def _line(label: str, usual: dict[str, float], row: dict[str, float], images: int) -> str:
    def shown(seconds: float) -> str:
        if images > 1:
            return f"{images / seconds:,.1f}/s"
        return f"{1e3 * seconds:.1f} ms" if images else f"{seconds:.2f} s"

    spread = f"{row['lowest']:.1f}-{row['highest']:.1f}"
    return f"  {label:<22}{shown(usual['seconds']):>11}{shown(row['seconds']):>11}{row['ratio']:>7.1f}x  {spread}"


def main() -> None:
    """Measures, prints, writes JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="*", default=MODELS)
    parser.add_argument("--folder", type=Path, help="pictures in class folders; drawn ones when left out")
    parser.add_argument("--images", type=int, default=FOLDER, help="drawn pictures in the folder")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        networks = {each: measure_network(each, folder, options.rounds) for each in options.models}
        pictures = options.folder or drawn_folder(folder / "pictures", options.images)
        processes = measure_processes(folder, pictures, min(3, options.rounds))
    document = {
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "versions": {"torch": torch.__version__},
        "networks": networks,
        "processes": processes,
    }
    sys.stdout.write(render(document) + "\n")
    if options.json:
        options.json.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
