"""Commands that show what a model knows and looks at: explain, embed, neighbors, project, anomaly."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Literal

import tyro

from hilum.cli.types import Device, Duration, File, Folder, Pattern, seconds_of


def explain(
    paths: Annotated[tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="[MODEL] PATH...")],
    /,
    *,
    method: Literal["gradcam", "gradcam++", "layercam", "rollout"] = "gradcam",
    target: Annotated[str | None, tyro.conf.arg(metavar="CLASS")] = None,
    against: Annotated[str | None, tyro.conf.arg(metavar="CLASS")] = None,
    layer: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = None,
    out: Folder = None,
    device: Device = "auto",
    json: bool = False,
) -> int:
    """Show where in a picture an answer comes from: heat maps over X-rays.

    Example: hilum explain runs/chest_xray/best/model.safetensors new.jpg --target pneumonia

    Args:
        paths: a model file, or that of the newest study under runs/ when left out; then pictures and folders.
        method: how the map is made; rollout is for transformers and the same for every class.
        target: the class that the map speaks for; the most probable one of each picture when left out.
        against: show what speaks for one class rather than this one.
        layer: where in the network the map is taken; what suits its family when left out.
        out: a folder for overlays (PNG), raw maps (NPY) and the page; runs/explain when left out.
        device: where to compute.
        json: print one JSON document.
    """
    from hilum.cli.explaining import run_explain_command
    from hilum.workflow.explain import ExplainOptions

    options = ExplainOptions(method, target, against, layer, out, device)
    return run_explain_command(paths, options, as_json=json)


def embed(
    model: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="MODEL")],
    data: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="DATA")],
    /,
    *,
    layer: str = "embedding",
    labels: str = "folders",
    patient_pattern: Pattern = None,
    out: Annotated[Path, tyro.conf.arg(metavar="FILE")] = Path("embeddings.parquet"),
    device: Device = "auto",
    json: bool = False,
) -> int:
    """Write what a model makes of each image before it names a class, one row an image.

    Example: hilum embed runs/chest_xray/best/model.safetensors chest_xray --out embeddings.parquet

    Args:
        model: a model file.
        data: a folder of class folders, or a CSV or Parquet manifest; the model's own data keep their split.
        layer: embedding (what enters the head), hidden (the last layer before the classes), or a stage by name.
        labels: folders, kermany3, or a regular expression with a group named label.
        patient_pattern: regular expression on the path; its groups make the patient key.
        out: the Parquet file.
        device: where to compute.
        json: print one JSON document.
    """
    from hilum.cli.neighbors import run_embed_command

    return run_embed_command(
        model, data, layer=layer, labels=labels, patient_pattern=patient_pattern, out=out, device=device, as_json=json
    )


def neighbors(
    model: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="MODEL")],
    data: Annotated[tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="DATA")],
    /,
    *,
    index: File = None,
    k: int = 0,
    metric: Literal["", "euclidean", "cosine"] = "",
    weights: Literal["", "uniform", "distance"] = "",
    layer: Literal["", "embedding", "hidden"] = "",
    labels: str = "folders",
    patient_pattern: Pattern = None,
    allow_leak: bool = False,
    replicates: int = 1000,
    out: Folder = None,
    device: Device = "auto",
    seed: int = 0,
    json: bool = False,
) -> int:
    """Call images by the training images that lie nearest, and show those.

    Example: hilum neighbors runs/chest_xray/best/model.safetensors new.jpg --out answer

    Args:
        model: a model file.
        data: image files, each answered with its neighbours; or labelled data: figures with intervals. On the model's
            own data the settings are chosen on validation, and the opening of test goes into the ledger.
        index: an index of neighbours; left out, the one beside the model, or one made from its study.
        k: how many neighbours vote; 0 lets validation choose.
        metric: of the distance; validation chooses when left out.
        weights: uniform, or distance: the nearer counts more; validation chooses when left out.
        layer: embedding (what enters the head) or hidden (the last one before the classes); the recipe's when left out.
        labels: folders, kermany3, or a regular expression with a group named label.
        patient_pattern: regular expression on the path; its groups make the patient key.
        allow_leak: also answer for images that the model or its index has seen, and show how much that inflates.
        replicates: of the bootstrap behind the intervals.
        out: a folder for the page, and for predictions and figures.
        device: where to compute.
        seed: of everything that is drawn.
        json: print one JSON document.
    """
    from hilum.cli.neighbors import run_neighbors_command
    from hilum.workflow.neighbors import NeighborsOptions

    options = NeighborsOptions(
        index=index,
        k=k,
        metric=metric,
        weights=weights,
        layer=layer,
        labels=labels,
        patient_pattern=patient_pattern,
        allow_leak=allow_leak,
        replicates=replicates,
        out=out,
        device=device,
        seed=seed,
    )
    return run_neighbors_command(model, data, options, as_json=json)


def project(
    model: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="MODEL")],
    /,
    *,
    method: Literal["tsne", "umap", "pca"] = "tsne",
    perplexity: float = 30.0,
    points: int = 1500,
    oversample: bool = False,
    test: bool = False,
    out: Annotated[Path, tyro.conf.arg(metavar="FOLDER")] = Path("map"),
    device: Device = "auto",
    seed: int = 0,
    json: bool = False,
) -> int:
    """Draw the map of a model's embedding, with the purity of its neighbourhoods.

    Example: hilum project runs/chest_xray/best/model.safetensors --oversample --out map

    Args:
        model: a model file in its study.
        method: tsne, umap (needs '.[umap]') or pca.
        perplexity: of t-SNE; for UMAP the number of neighbours.
        points: images that are drawn at most.
        oversample: add the copies of one oversampled epoch, changed by the recipe's augmentation, as rings.
        test: draw test images too; their purity is a figure, so the opening is written into the ledger.
        out: a folder for the page, the points and the small pictures.
        device: where to compute.
        seed: of the map, of the images that are drawn, and of the copies.
        json: print one JSON document.
    """
    from hilum.cli.neighbors import run_project_command

    return run_project_command(
        model,
        out,
        method=method,
        perplexity=perplexity,
        points=points,
        oversample=oversample,
        test=test,
        device=device,
        seed=seed,
        as_json=json,
    )


def anomaly(
    what: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="MODEL|RECIPE")],
    data: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="DATA")],
    /,
    *,
    beside: Annotated[str, tyro.conf.arg(metavar="MODEL|RECIPE")] = "",
    labels: str = "folders",
    normal: str = "",
    rate: float | None = None,
    test: bool = False,
    time_budget: Duration = "",
    patient_pattern: Pattern = None,
    replicates: int = 1000,
    out: Folder = None,
    device: Device = "auto",
    seed: int = 0,
    json: bool = False,
) -> int:
    """Find what is unlike the normal images: detectors that have seen nothing else, compared in one table.

    Example: hilum anomaly runs/chest_xray/frozen/model.safetensors chest_xray --beside e-anomaly

    Args:
        what: a model file, whose embeddings and patches count, or a recipe of an autoencoder, such as e-anomaly.
        data: a folder of class folders, of train/ and test/ folders of those, or a CSV or Parquet manifest.
        beside: the other of the two, for one table of both.
        labels: folders, kermany3, or a regular expression with a group named label.
        normal: the class that is normal; the one whose name says so when left out.
        rate: false alarms that each detector may raise among normal images, 0.05 when left out.
        test: also open the test split; the opening is written into the study's ledger.
        time_budget: 90s, 14m or 1.5h for the autoencoder; no limit when left out.
        patient_pattern: regular expression on the path; its groups make the patient key.
        replicates: of the bootstrap behind the intervals.
        out: the folder for manifest, cache and runs; that of the model's study, or runs/NAME, when left out.
        device: where to compute.
        seed: of everything that is drawn.
        json: print one JSON document.
    """
    from hilum.cli.anomalies import run_anomaly_command
    from hilum.workflow.detect import DetectOptions
    from hilum.workflow.options import Options

    study = Options(
        labels=labels,
        out=out,
        time_budget=seconds_of(time_budget) if time_budget else None,
        patient_pattern=patient_pattern,
        replicates=replicates,
        device=device,
        seed=seed,
        command=shlex.join(["hilum", *sys.argv[1:]]),
    )
    options = DetectOptions(study, normal, rate, test)
    return run_anomaly_command([what, beside] if beside else [what], data, options, as_json=json)
