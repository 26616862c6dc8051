"""Inference, whole processes and Grad-CAM: rows around what `inference_speed.py` and `gradcam_speed.py` measure."""

from __future__ import annotations

import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from side_by_side import Row, time_in_turns

sys.path.insert(0, str(Path(__file__).parents[1]))

AIMS = {
    "mobilenetv2_100": (14.0, 7.0),
    "efficientnet_b0": (8.0, 4.0),
    "resnet50": (4.5, 2.8),
    "vit_base_patch16_224": (4.0, 3.7),
}
"""Of a batch of 32, and of one image."""

TOLERANCE = {"32": 1e-3, "bf16": 2e-2}
CAM_AIMS = {"mobilenetv2_100": 9.0, "resnet50": 5.0}


def measure_inference(repeats: int) -> Iterator[Row]:
    """A batch of 32 and one image, warm, by the exact engine and, where the processor has it, in bf16."""
    import inference_speed as speed
    import torch

    from hilum.inference.engine import log_softmax
    from hilum.models import create_model

    warnings.simplefilter("ignore")
    canvases = speed.canvases_of(speed.BATCH)
    mean, std = torch.tensor((0.485, 0.456, 0.406)), torch.tensor((0.229, 0.224, 0.225))
    for name, aims in AIMS.items():
        model = create_model(name, num_classes=3, seed=1).eval()

        def usual(some: np.ndarray, model=model) -> np.ndarray:
            with torch.no_grad():
                image = torch.from_numpy(some)[:, None].expand(-1, 3, -1, -1).float() / 255
                return model((image - mean[:, None, None]) / std[:, None, None]).numpy()

        with tempfile.TemporaryDirectory() as folder:
            engines = speed.engines_of(model, Path(folder))
            model.to(memory_format=torch.contiguous_format)
            expected = np.exp(log_softmax(usual(canvases)))
            for kind in ("openvino", "openvino bf16"):
                if kind not in engines:
                    continue
                found = np.exp(log_softmax(engines[kind].logits(canvases)))
                gap, most = float(np.abs(found - expected).max()), TOLERANCE[engines[kind].precision]
                assert gap <= most, f"{name}, {kind}: probabilities differ by {gap:.1e}"
                same = f"probabilities differ by {gap:.0e} at most (asserted {most:g})"
                for what, some, aim in (
                    ("batch of 32", canvases, aims[0]),
                    ("one image, warm", canvases[:1], aims[1]),
                ):
                    row = Row(f"inference, {name}, {what}", "torch eager, fp32", kind, aim=aim, same=same)
                    yield time_in_turns(
                        row,
                        lambda some=some, usual=usual: usual(some),
                        lambda some=some, engine=engines[kind]: engine.logits(some),
                        count=len(some),
                        repeats=repeats,
                    )


def measure_processes(pictures: Path | None, images: int = 624) -> Iterator[Row]:
    """MobileNetV2 in a process of its own: a folder of pictures, and one picture from a cold start."""
    import inference_speed as speed
    import torch

    from hilum.models import create_model

    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pictures = pictures or speed.drawn_folder(folder / "pictures", images)
        model = create_model("mobilenetv2_100", num_classes=3, seed=1)
        speed.engines_of(model, folder)
        torch.save(_as_timm(model), folder / "usual.pt")
        first = next(each for each in sorted(pictures.rglob("*")) if each.is_file())
        one = folder / "one" / "a"
        one.mkdir(parents=True)
        (one / first.name).write_bytes(first.read_bytes())
        for what, place, repeats in (("a folder", pictures, 1), ("cold start to a prediction", folder / "one", 3)):
            count = sum(each.is_file() for each in place.rglob("*"))
            usual = [sys.executable, "-c", speed.USUAL_FOLDER, "mobilenetv2_100", str(folder / "usual.pt"), str(place)]
            ours = [sys.executable, "-m", "hilum", "predict", str(folder / "m.onnx"), str(place), "--json"]
            row = Row(
                f"{what}, whole process, {count} image{'s' * (count > 1)}, mobilenetv2_100",
                "torch, timm, ImageFolder",
                "hilum predict on the export",
                aim=8 if count > 1 else 10,
                same="the export agreed with torch within 1e-3 when it was made",
            )
            yield time_in_turns(
                row,
                lambda command=usual: speed._run(command),
                lambda command=ours: speed._run(command),
                count=count,
                repeats=repeats,
                warm_up=False,
            )


def _as_timm(model) -> dict:
    """The state of a network of timm's that has the shapes of this one; its values do not matter to speed."""
    import timm

    return timm.create_model(model.name, num_classes=model.num_classes).state_dict()


def measure_cam(repeats: int, images: int = 16, few: int = 4) -> Iterator[Row]:
    """Grad-CAM in batches against pytorch-grad-cam an image at a time, of which `few` are timed."""
    import gradcam_speed as speed
    import torch
    from pytorch_grad_cam.utils.image import scale_cam_image

    from hilum.data.phantom import draw_dataset
    from hilum.inspection.cam.maps import compute_maps
    from hilum.models import create_model
    from hilum.transforms import to_canvas

    drawn = draw_dataset(images=images, seed=3)
    pictures = np.stack([to_canvas(drawn[i].pixels, speed.PREPROCESSING) for i in range(images)])
    for name, aim in CAM_AIMS.items():
        model = create_model(name, num_classes=2, image_size=224, seed=0).eval()

        def ours(model=model) -> np.ndarray:
            return compute_maps(model, pictures, speed.PREPROCESSING, target=1, batch_size=16).maps["gradcam"]

        def usual(model=model) -> np.ndarray:
            return speed.one_at_a_time(model.to(memory_format=torch.contiguous_format), pictures[:few])

        gap = float(np.abs(scale_cam_image(scale_cam_image(ours()[:few], (224, 224))) - usual()).max())
        assert gap < 0.02, f"{name}: scaled maps differ by {gap:.1e}"
        row = Row(
            f"Grad-CAM, batch of 16, {name}", "pytorch-grad-cam, an image at a time", "compute_maps, fp32", aim=aim,
            same=f"scaled maps differ by {gap:.0e} at most", note=f"the usual way timed on {few} images",
        )  # fmt: skip
        yield time_in_turns(row, usual, ours, count=few, our_count=images, repeats=repeats)
