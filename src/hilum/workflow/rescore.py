"""The saved model, loaded in a process of its own, must say again what the predictions file says.

    python -m hilum.workflow.rescore STUDY RUN IMAGES

prints the logits of some validation images as JSON. That takes 5 to 10 seconds, most of it for imports.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from hilum.data.manifest import read_manifest
from hilum.data.predictions import Predictions, read_predictions
from hilum.evaluation.integrity import find_unreproduced
from hilum.evaluation.shift import spread_positions
from hilum.evaluation.values import Verdict
from hilum.models.weights import file_sha256
from hilum.workflow.record import read_json, write_json

IMAGES = 128
"""Validation images that are predicted again: another order of labels, weights or preprocessing shows in the first."""

TIME_LIMIT = 120
"""Seconds; a machine that takes longer for so few images has other worries than this check."""


def check_saved_model(study_dir: Path, run: str, *, device: str) -> list[Verdict]:
    """Predicts some validation images again in a new process; done once for each model file.

    Returns:
        What is wrong; a process that fails is a warning of its own (`not-rescored`).
    """
    run_dir = study_dir / run
    sha256, about = file_sha256(run_dir / "model.safetensors"), run_dir / "rescored.json"
    known = read_json(about)
    if known and known.get("model_sha256") == sha256:
        return [Verdict(**each) for each in known["verdicts"]]
    command = [sys.executable, "-m", "hilum.workflow.rescore", str(study_dir), run, str(IMAGES), device]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIME_LIMIT, check=True)
        answer = json.loads(done.stdout.splitlines()[-1])
    except (subprocess.SubprocessError, OSError, ValueError, IndexError) as error:
        lines = (getattr(error, "stderr", "") or str(error)).strip().splitlines() or [type(error).__name__]
        sentence = f"The saved model could not be checked in a process of its own: {lines[-1][:200]}"
        return [Verdict("not-rescored", "warning", sentence)]
    found = find_unreproduced(read_predictions(run_dir / "predictions-val.parquet"), _predictions(run_dir, answer))
    document = {"model_sha256": sha256, "images": len(answer["images"]), "verdicts": [vars(each) for each in found]}
    write_json(about, document)
    return found


def _predictions(run_dir: Path, answer: dict[str, Any]) -> Predictions:
    logged = read_predictions(run_dir / "predictions-val.parquet")
    rows = logged.table.set_index("image_path").loc[answer["images"]].reset_index()
    return Predictions.of(rows.rename(columns={"target": "label"}), np.array(answer["logits"]), logged.labels)


def rescore(study_dir: Path, run: str, images: int, device: str) -> dict[str, Any]:
    """Logits of evenly spread validation images, from the model file and the manifest alone."""
    from hilum.data.build import open_cache
    from hilum.inference.device import choose_device
    from hilum.inference.predict import predict_logits
    from hilum.models import load_model
    from hilum.transforms import Preprocessing

    manifest = read_manifest(study_dir / "manifest.parquet")
    model, header = load_model(study_dir / run / "model.safetensors", labels=manifest.labels.names)
    preprocessing = Preprocessing(**header.preprocessing)
    rows = manifest.split("val")
    rows = rows.iloc[spread_positions(len(rows), images)]
    canvases = open_cache(manifest, preprocessing, study_dir / "cache").of(rows)
    logits = predict_logits(
        model,
        canvases,
        preprocessing,
        views=header.extras["tta"],
        view_seed=header.extras.get("tta_seed", 0),
        device=choose_device(device),
    )
    return {"images": rows["image_path"].tolist(), "logits": logits.tolist()}


if __name__ == "__main__":
    answer = rescore(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4])
    sys.stdout.write(json.dumps(answer) + "\n")
