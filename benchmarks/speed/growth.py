"""Time and memory of audit, cache, features and predict as the number of drawn images grows, and a picture of them.

    python benchmarks/speed/growth.py --images 1000,3000,10000 --picture docs/growth.svg
    python benchmarks/speed/growth.py --images 100000 --picture docs/growth.svg     # beside what is there already

Each stage runs in a process of its own; its seconds, processor seconds (of all threads) and largest resident memory
are those that the system counted for it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

STAGES = {"cache": "cache (decode)", "audit": "audit", "embed": "embed", "predict": "predict"}
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")
MODEL = "mobilenetv2_100"


def prepare(folder: Path, images: int) -> Path:
    """Drawn JPEG files, and a model file with its export, made once."""
    from hilum.data.phantom import draw_dataset, write_dataset

    data = folder / f"drawn-{images}"
    if not data.exists():
        write_dataset(draw_dataset(images=images, size=224, seed=1), data)
    if not (folder / "m.onnx").exists():
        from hilum.models import create_model, save_model
        from hilum.transforms import Preprocessing
        from hilum.workflow.export import ExportOptions, export_model

        model = create_model(MODEL, num_classes=3, seed=1)
        save_model(
            folder / "m.safetensors", model, labels=("bacterial", "normal", "viral"),
            preprocessing=Preprocessing().to_json(), recipe={}, fingerprint="",
        )  # fmt: skip
        export_model(folder / "m.safetensors", ExportOptions(out=folder / "m.onnx"))
    return data


def run_stage(stage: str, folder: Path, data: Path) -> None:
    """One stage; what it needs from the one before lies in the folder."""
    from hilum.data.build import build_dataset, open_cache
    from hilum.data.manifest import read_manifest
    from hilum.data.sources import list_images
    from hilum.transforms import Preprocessing

    place, preprocessing = folder / f"{data.name}-canvases", Preprocessing()
    if stage == "predict":
        from hilum.cli import main

        sys.argv = ["hilum", "predict", str(folder / "m.onnx"), str(data), "--out", str(folder / f"{data.name}.csv")]
        sys.exit(main())
    if stage == "cache":
        from hilum.audit.pictures import CANVAS

        dataset = build_dataset(list_images(data), cache_dir=place, preprocessings=[preprocessing, CANVAS])
        dataset.manifest.write(place / "manifest.parquet")
        return
    manifest = read_manifest(place / "manifest.parquet")
    if stage == "audit":
        from hilum.audit import audit_manifest
        from hilum.audit.pictures import CANVAS

        audit_manifest(manifest, open_cache(manifest, CANVAS, place).of(manifest.table))
        return
    _embed(manifest, open_cache(manifest, preprocessing, place), folder, preprocessing)


def _embed(manifest: Any, cache: Any, folder: Path, preprocessing: Any) -> None:
    import numpy as np
    import torch

    from hilum.models import load_model
    from hilum.training import features
    from hilum.training.datamodule import Examples
    from hilum.transforms import Augmentation

    features.IN_MEMORY = 0  # so that few images take the way of many
    model, _ = load_model(folder / "m.safetensors")
    features.feature_examples(
        model, Examples(cache.of(manifest.table), np.zeros(len(manifest), np.int64)), preprocessing=preprocessing,
        augmentation=Augmentation(), views=1, seed=0, device=torch.device("cpu"), file=folder / "features.npy",
    )  # fmt: skip


def measure(folder: Path, sizes: Sequence[int]) -> list[dict[str, Any]]:
    """One entry a stage and size."""
    rows = []
    for images in sizes:
        data = folder / f"drawn-{images}"
        # Not in this process: what is started from a large one counts as large from its first moment.
        command = [sys.executable, "-W", "ignore", __file__, "--folder", str(folder), "--data", str(data), "--stage"]
        subprocess.run([*command, "prepare"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for left in (folder / f"{data.name}.csv", folder / f"{data.name}.csv.json"):
            left.unlink(missing_ok=True)
        for stage in STAGES:
            began = time.monotonic()
            child = subprocess.Popen([*command, stage], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            _, status, used = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
            row = {
                "stage": stage,
                "images": images,
                "status": child.returncode,
                "seconds": round(time.monotonic() - began, 1),
                "processor_seconds": round(used.ru_utime + used.ru_stime, 1),
                "memory_mb": used.ru_maxrss // 1024,
                "load": round(os.getloadavg()[0], 1),
            }
            sys.stdout.write(json.dumps(row) + "\n")
            sys.stdout.flush()
            rows.append(row)
    return rows


def draw(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Two panels, both axes logarithmic: processor seconds, and memory."""
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    plt.rcParams["svg.hashsalt"], plt.rcParams["svg.fonttype"] = "hilum", "none"
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for colour, (stage, title) in zip(COLOURS, STAGES.items(), strict=True):
        some = [row for row in rows if row["stage"] == stage]
        images = [row["images"] for row in some]
        for axes, what in ((left, "processor_seconds"), (right, "memory_mb")):
            values = [row[what] for row in some]
            axes.loglog(images, values, "o-", color=colour)
            others = [row[what] for row in rows if row["images"] == images[-1] and row["stage"] != stage]
            close = any(
                values[-1] <= other < 1.15 * values[-1] for other in others
            )  # another name would lie on this one
            where = (5, -10 if close else -3)
            axes.annotate(title, (images[-1], values[-1]), where, textcoords="offset points", color=colour, size=9)
    sizes = sorted({row["images"] for row in rows})
    slope = [row["processor_seconds"] for row in rows if row["stage"] == "embed"]
    left.loglog(sizes, [slope[-1] * size / sizes[-1] for size in sizes], ":", color="#888888")
    for axes, title in ((left, "processor seconds (dotted: linear)"), (right, "largest resident memory, MB")):
        axes.set(title=title, xlabel="images", xlim=(sizes[0] * 0.8, sizes[-1] * 3.2))
        axes.set_xticks(sizes, [f"{size:,}" for size in sizes], minor=False)
        axes.minorticks_off()
        axes.spines[["top", "right"]].set_visible(False)
    right.set_ylim(100, 10_000)
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Parses, measures, writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", default="1000,3000,10000", help="with commas; '' draws what is there")
    parser.add_argument("--folder", type=Path, default=Path("runs/growth"))
    parser.add_argument("--picture", type=Path, help="an SVG file")
    parser.add_argument("--stage", choices=[*STAGES, "prepare"], help=argparse.SUPPRESS)
    parser.add_argument("--data", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.stage == "prepare":
        prepare(given.folder, int(given.data.name.partition("-")[2]))
        return
    if given.stage:
        run_stage(given.stage, given.folder, given.data)
        return
    given.folder.mkdir(parents=True, exist_ok=True)
    kept, sizes = given.folder / "growth.json", [int(each) for each in given.images.split(",") if each]
    before = json.loads(kept.read_text()) if kept.exists() else []
    rows = [row for row in before if row["images"] not in sizes] + measure(given.folder, sizes)
    rows.sort(key=lambda row: row["images"])
    kept.write_text(json.dumps(rows, indent=1) + "\n")
    if given.picture:
        draw(rows, given.picture)


if __name__ == "__main__":
    main()
