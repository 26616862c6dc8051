"""What a run says of validation pictures as they might look elsewhere: what the point `even` is fitted on."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from hilum.data.cache import CanvasView
from hilum.data.predictions import Predictions, read_predictions
from hilum.evaluation.shift import spread_positions
from hilum.labels import LabelSet
from hilum.models.weights import file_sha256
from hilum.transforms import Preprocessing
from hilum.transforms.stress import stressed
from hilum.workflow.record import now

ELSEWHERE = "elsewhere-val.parquet"
MOST = 2000
"""Pictures beyond which more of them would move the threshold by less than another draw of the changes does."""


def predict_elsewhere(run_dir: Path, rows: pd.DataFrame, val: CanvasView, labels: LabelSet, device: str) -> Path:
    """Predicts validation pictures, each changed once by draws of its own, and writes the file beside the others.

    Args:
        rows: of the manifest, the validation split.
        val: their canvases.
        labels: of the manifest.
        device: as in `choose_device`.
    """
    from hilum.inference.device import choose_device
    from hilum.inference.predict import predict_logits
    from hilum.models import load_model

    model, header = load_model(run_dir / "model.safetensors", labels=labels.names)
    chosen = spread_positions(len(val), MOST)
    logits = predict_logits(
        model,
        stressed(val[chosen], 1),
        Preprocessing(**header.preprocessing),
        views=header.extras["tta"],
        view_seed=header.extras.get("tta_seed", 0),
        device=choose_device(device),
    )
    about = {"model_sha256": file_sha256(run_dir / "model.safetensors"), "made": now()}
    path = run_dir / ELSEWHERE
    Predictions.of(rows.iloc[chosen], logits, labels, **about).write(path)
    return path


def read_elsewhere(run_dir: Path) -> Predictions | None:
    """What was predicted so; None for a run of before there was any."""
    path = run_dir / ELSEWHERE
    return read_predictions(path) if path.exists() else None
