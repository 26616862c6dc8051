"""What the model file of a run says of a split, and the figures of it."""

from __future__ import annotations

from pathlib import Path

from hilum.data.build import open_cache
from hilum.data.manifest import Manifest
from hilum.data.predictions import Predictions, read_predictions
from hilum.evaluation import Evaluation, evaluate, read_evaluations, write_evaluations
from hilum.models.weights import file_sha256
from hilum.transforms import Preprocessing
from hilum.workflow.options import Options
from hilum.workflow.record import now


def predict_split(run_dir: Path, manifest: Manifest, study_dir: Path, split: str, options: Options) -> Path:
    """Predicts a split with the saved model file, in one pass, and writes the predictions file.

    The model is read back from its file: what is evaluated is what a user will load, its temperature included. Only
    validation, which the temperature is fitted on, is predicted without it.
    """
    from hilum.inference.device import choose_device
    from hilum.inference.predict import predict_logits
    from hilum.models import load_model

    model, header = load_model(run_dir / "model.safetensors", labels=manifest.labels.names)
    preprocessing = Preprocessing(**header.preprocessing)
    rows = manifest.split(split)
    canvases = open_cache(manifest, preprocessing, study_dir / "cache").of(rows)
    views, device = header.extras["tta"], choose_device(options.device)
    view_seed = header.extras.get("tta_seed", 0)
    engine: list[str] = []
    logits = predict_logits(
        model, canvases, preprocessing, views=views, view_seed=view_seed, device=device, on_engine=engine.append
    )
    temperature = 1.0 if split == "val" else float(header.extras.get("temperature", 1.0))
    about = {
        "model": f"{run_dir.name}/model.safetensors",
        "model_sha256": file_sha256(run_dir / "model.safetensors"),
        "manifest": manifest.fingerprint,
        "tta": list(views),
        "tta_seed": view_seed,
        "temperature": temperature,
        "engine": engine[0],
        "made": now(),
    }
    path = run_dir / f"predictions-{split}.parquet"
    Predictions.of(rows, logits / temperature, manifest.labels, **about).write(path)
    return path


def add_evaluation(run_dir: Path, split: str, options: Options, *, keep: bool = False) -> Evaluation:
    """Evaluates a predictions file of a run and adds the figures to its `metrics.json`.

    Args:
        keep: leave the figures on other splits although these are of validation.
    """
    path = run_dir / f"predictions-{split}.parquet"
    source = {"predictions": f"{run_dir.name}/{path.name}", "predictions_sha256": file_sha256(path)}
    evaluation = evaluate(read_predictions(path), seed=options.seed, replicates=options.replicates, source=source)
    metrics = run_dir / "metrics.json"
    # A new evaluation on validation is one of a new model: what an older one did on test is not this one's.
    known = read_evaluations(metrics) if metrics.exists() and (keep or split != "val") else {}
    write_evaluations(metrics, {**known, split: evaluation})
    return evaluation
