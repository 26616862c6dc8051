"""Inference and Grad-CAM, each network in a process of its own:

    python benchmarks/speed/networks.py inference resnet50

The C allocator cannot be told twice how to deal with pages, so a process first times the usual way as it comes, and
then once more with pages kept (`tune_cpu`). A process prints its rows as JSON.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from pictures import PREPROCESSING, labelled
from side_by_side import Row, failed, time_all_in_turns, time_in_turns

sys.path.insert(0, str(Path(__file__).parents[1]))

AIMS = {
    "mobilenetv2_100": {"openvino bf16": (14.0, 7.0)},
    "efficientnet_b0": {"openvino bf16": (8.0, 4.0)},
    "resnet50": {"openvino bf16": (4.5, 2.8), "openvino int8": (9.0, None)},
    "vit_base_patch16_224": {"openvino bf16": (4.0, 3.7), "openvino int8": (6.5, None)},
}
"""Of a batch of 32, and of one image. fp32 is measured for each, without an aim; int8 where an aim asks for it."""

BATCH, FITTED, JUDGED = 32, 96, 128
"""Images of a batch, of the linear head that gives an AUROC, and those that it is of."""

HEAD = f"linear head fitted on {FITTED} X-rays, AUROC of {JUDGED} others"
TOLERANCE = {"fp32": 1e-3, "bf16": 0.1}
"""In a probability. Where bf16 is further from fp32 than `hilum.inference.parity` allows, hilum runs fp32, and the row
says so. For int8 the bound is on embeddings, and for both on the AUROC."""

AUROC_CHANGE = 0.05
CAM_AIMS = {"mobilenetv2_100": 9.0, "resnet50": 5.0}
CAM_TOLERANCE = 1e-4
"""In a map that is scaled to 0 to 1: float32's last digits, through one layout of memory and another."""


def measure_inference(data: Path | None, repeats: int, quick: bool) -> Iterator[Callable[[], list[Row]]]:
    """A function for each network, that gives its rows: by each arithmetic, a batch and one image.

    Args:
        data: a folder of class folders whose pictures are shown to the networks; drawn ones when None.
    """
    for name in list(AIMS)[: 1 if quick else None]:
        yield _named(f"inference, {name}", partial(_in_a_process, "inference", name, repeats, data))


def measure_cam(repeats: int, quick: bool) -> Iterator[Callable[[], list[Row]]]:
    """A function for each network, that gives two rows: the usual way as it comes, and with pages kept."""
    for name in list(CAM_AIMS)[: 1 if quick else None]:
        yield _named(f"Grad-CAM, {name}", partial(_in_a_process, "cam", name, repeats))


def _named(work: str, measure: Callable[[], list[Row]]) -> Callable[[], list[Row]]:
    measure.work = work  # type: ignore[attr-defined]  # what a row of its failure is called
    return measure


def _in_a_process(what: str, name: str, repeats: int, data: Path | None = None) -> list[Row]:
    command = [sys.executable, "-W", "ignore", __file__, what, name, "--repeats", str(repeats)]
    command += [] if data is None else ["--data", str(data)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [Row.from_json(each) for each in json.loads(said.splitlines()[-1])]


def rows_of_inference(name: str, repeats: int, data: Path | None) -> list[Row]:
    """One network: rows for a batch and one image in each arithmetic, and the batch once more with pages kept."""
    import torch

    from hilum.inference.device import tune_cpu
    from hilum.inference.torch_engine import TorchEngine
    from hilum.models import create_model, find_local_weights

    weights = "pretrained" if name in find_local_weights() else "none"
    origin = "random" if weights == "none" else weights
    model = create_model(name, num_classes=2, seed=1, weights=weights).eval()
    usual = _eager(model)
    canvases, targets = labelled(FITTED + JUDGED, data)
    single = canvases[:1].copy()
    _fit_head(model, PREPROCESSING, canvases[:FITTED], targets[:FITTED])
    batch = canvases[FITTED : FITTED + BATCH]
    kinds, broken = _engines(model, name, PREPROCESSING, canvases[:FITTED])
    before = _auroc(kinds["openvino fp32"][0], canvases, targets)
    found, batches, singles = list(broken), dict[str, Row](), dict[str, Row]()
    for kind, (many, _) in kinds.items():
        aims = AIMS[name].get(kind, (None, None))
        try:
            same = _equality(kind, many, batch, TorchEngine(model, PREPROCESSING, torch.device("cpu")))
            if not kind.endswith("fp32"):
                after = _auroc(many, canvases, targets)
                assert abs(after - before) <= AUROC_CHANGE, f"AUROC {before:.3f} becomes {after:.3f}"
                same += f"; AUROC {before:.3f} becomes {after:.3f} ({origin} backbone, {HEAD})"
        except AssertionError as error:
            found.append(failed(f"inference, {name}, {kind}", error))
            continue
        batches[kind] = Row(f"inference, {name}, batch of {BATCH}", "torch eager, fp32", kind, aim=aims[0], same=same)
        singles[kind] = Row(f"inference, {name}, one image, warm", "torch eager, fp32", kind, aim=aims[1], same=same)
    model.to(memory_format=_contiguous())
    ours = {kind: partial(kinds[kind][0].logits, batch) for kind in batches}
    time_all_in_turns(batches, lambda: usual(batch), ours, count=BATCH, repeats=repeats)
    alone = {kind: partial(kinds[kind][1].logits, single) for kind in singles}
    time_all_in_turns(singles, lambda: usual(single), alone, count=1, repeats=repeats, inner=5)
    tune_cpu()
    kept = {
        kind: Row(row.work, "the same, allocator told to keep its pages (mallopt)", kind, same=row.same)
        for kind, row in batches.items()
    }
    time_all_in_turns(kept, lambda: usual(batch), ours, count=BATCH, repeats=1)
    return [*found, *(row for kind in batches for row in (batches[kind], kept[kind], singles[kind]))]


def _contiguous() -> Any:
    import torch

    return torch.contiguous_format


def _eager(model: Any) -> Callable[[np.ndarray], np.ndarray]:
    """The usual way: uint8 `[B, S, S]` -> logits."""
    import torch

    mean, std = torch.tensor((0.485, 0.456, 0.406)), torch.tensor((0.229, 0.224, 0.225))

    def usual(some: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            image = torch.from_numpy(some)[:, None].expand(-1, 3, -1, -1).float() / 255
            return model((image - mean[:, None, None]) / std[:, None, None]).numpy()

    return usual


def _engines(
    model: Any, name: str, preprocessing: Any, calibrate_on: np.ndarray
) -> tuple[dict[str, tuple[Any, Any]], list[Row]]:
    """Kind -> the engine for batches and that for one image; and rows of those that could not be made."""
    import torch

    from hilum.inference.engine import open_graph
    from hilum.inference.export import quantise
    from hilum.inference.graph import to_onnx
    from hilum.inference.openvino_engine import has_bf16

    graph, threads = to_onnx(model, preprocessing), torch.get_num_threads()

    def opened(graph: bytes, precision: str) -> tuple[Any, Any]:
        return tuple(  # type: ignore[return-value]  # two of them
            open_graph("openvino", graph, precision=precision, threads=threads, batches=each) for each in (True, False)
        )

    found, broken = {"openvino fp32": opened(graph, "32")}, list[Row]()
    if has_bf16():
        found["openvino bf16"] = opened(graph, "bf16")
    if "openvino int8" in AIMS[name]:
        try:
            found["openvino int8"] = opened(quantise(graph, calibrate_on), "32")
        except Exception as error:  # the other arithmetics go on
            broken.append(failed(f"inference, {name}, int8", error))
    return found, broken


def _fit_head(model: Any, preprocessing: Any, canvases: np.ndarray, targets: np.ndarray) -> None:
    """A linear answer to the labels, so that there is an AUROC and probabilities that mean something."""
    import torch
    from sklearn.linear_model import RidgeClassifier

    from hilum.inference.torch_engine import TorchEngine

    engine = TorchEngine(model, preprocessing, torch.device("cpu"))
    features = np.concatenate([engine.embed(canvases[at : at + BATCH]) for at in range(0, len(canvases), BATCH)])
    middle, spread = features.mean(0), features.std(0) + 1e-3 * features.std()
    fitted = RidgeClassifier(alpha=float(features.shape[1])).fit((features - middle) / spread, targets)
    weight = 2 * np.ravel(fitted.coef_) / spread  # a target of -1 or 1 as log odds of -2 or 2
    assert weight.shape == middle.shape, f"one weight a feature, found {weight.shape}"
    last = list(model.head)[-1]
    with torch.no_grad():
        last.weight.zero_()[1] = torch.from_numpy(weight)
        last.bias.zero_()[1] = float(2 * np.ravel(fitted.intercept_)[0] - weight @ middle)


def _equality(kind: str, engine: Any, batch: np.ndarray, reference: Any) -> str:
    """Asserts that probabilities are those of torch within `TOLERANCE`; says whether hilum would take it by itself."""
    from hilum.inference.parity import EMBEDDING, compare

    precision, parity = kind.split()[1], compare(engine, batch, reference.both(batch))
    if precision == "int8":
        most = EMBEDDING["int8"]
        assert parity.embedding <= most, f"embeddings differ by {parity.embedding:.1e} of their length"
        return f"embeddings differ by {parity.embedding:.0e} of their length at most (asserted {most:g})"
    most = TOLERANCE[precision]
    assert parity.probability <= most, f"probabilities differ by {parity.probability:.1e}, allowed {most:g}"
    own = {"fp32": "32"}.get(precision, precision)
    refused = "" if parity.holds(own) else "; hilum itself would refuse it for this network and run fp32"
    return f"probabilities differ by {parity.probability:.0e} at most (asserted {most:g}){refused}"


def _auroc(engine: Any, canvases: np.ndarray, targets: np.ndarray) -> float:
    from sklearn.metrics import roc_auc_score

    logits = np.concatenate([engine.logits(canvases[at : at + BATCH]) for at in range(FITTED, len(canvases), BATCH)])
    return float(roc_auc_score(targets[FITTED:], logits[:, 1] - logits[:, 0]))


def rows_of_cam(name: str, repeats: int, images: int = 16, few: int = 4) -> list[Row]:
    """One network: batches against pytorch-grad-cam an image at a time, of which `few` are timed."""
    import gradcam_speed as speed
    import torch
    from pytorch_grad_cam.utils.image import scale_cam_image

    from hilum.inspection.cam.maps import compute_maps
    from hilum.models import create_model

    pictures = labelled(images, None)[0]
    model = create_model(name, num_classes=2, image_size=224, seed=0).eval()

    def ours() -> np.ndarray:
        return compute_maps(model, pictures, speed.PREPROCESSING, target=1, batch_size=images).maps["gradcam"]

    def usual() -> np.ndarray:
        return speed.one_at_a_time(model.to(memory_format=torch.contiguous_format), pictures[:few])

    plain = Row(
        f"Grad-CAM, batch of {images}, {name}", "pytorch-grad-cam, an image at a time", "compute_maps, fp32",
        aim=CAM_AIMS[name], note=f"the usual way timed on {few} images, before hilum's and not in turns",
    )  # fmt: skip
    usual()
    time_in_turns(plain, usual, lambda: None, count=few, repeats=repeats, warm_up=False)
    gap = float(np.abs(scale_cam_image(scale_cam_image(ours()[:few], (224, 224))) - usual()).max())  # keeps pages now
    assert gap <= CAM_TOLERANCE, f"{name}: scaled maps differ by {gap:.1e}"
    kept = Row(
        plain.work, "the same, allocator told to keep its pages (mallopt)", plain.ours,
        note=f"the usual way timed on {few} images",
    )  # fmt: skip
    time_in_turns(kept, usual, ours, count=few, our_count=images, repeats=repeats)
    plain.our_rate = kept.our_rate
    plain.same = kept.same = f"scaled maps differ by {gap:.0e} at most (asserted {CAM_TOLERANCE:g})"
    return [plain, kept]


def main() -> None:
    """One network, its rows as JSON on the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("inference", "cam"))
    parser.add_argument("network", choices=AIMS)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--data", type=Path, help="a folder of class folders; drawn X-rays when left out")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    if given.what == "inference":
        rows = rows_of_inference(given.network, given.repeats, given.data)
    else:
        rows = rows_of_cam(given.network, given.repeats)
    sys.stdout.write(json.dumps([row.to_json() for row in rows]) + "\n")


if __name__ == "__main__":
    main()
