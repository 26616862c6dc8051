"""The commands: typed signatures that tyro reads; what they need is imported inside."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Literal

import tyro

from hilum.cli.types import (
    Device,
    Duration,
    File,
    Folder,
    Mapped,
    Names,
    Pattern,
    Settings,
    Space,
    names_of,
    seconds_of,
)


def study(
    data: Annotated[tyro.conf.Positional[Path | None], tyro.conf.arg(metavar="DATA")] = None,
    /,
    *,
    labels: str = "folders",
    recipes: Names = "",
    out: Folder = None,
    time_budget: Duration = "",
    quick: bool = False,
    strict: bool = False,
    weights_dir: Folder = None,
    patient_pattern: Pattern = None,
    corrections: File = None,
    val_fraction: float = 0.2,
    test_fraction: float = 0.2,
    log: Names = "",
    device: Device = "auto",
    seed: int = 0,
    json: bool = False,
) -> int:
    """Split, train, evaluate and report: the main job.

    Example: hilum study chest_xray --labels kermany3 --weights-dir weights

    Args:
        data: a folder of class folders, of train/ and test/ folders of those, or a CSV or Parquet manifest;
            left out, hilum draws its own X-rays.
        labels: folders, kermany3, or a regular expression with a group named label.
        recipes: what to train, see hilum recipes; what suits the data and the machine when left out.
        out: the study's folder; runs/NAME when left out.
        time_budget: 90s, 14m or 1.5h; left out, 14m without a GPU, no limit with one, 80s for drawn X-rays.
        quick: small and short, to see whether everything works.
        strict: exit 5 when a figure cannot be trusted.
        weights_dir: a folder of pre-trained weights, one folder a model (also HILUM_WEIGHTS).
        patient_pattern: regular expression on the path; its groups make the patient key.
        corrections: a suspected-labels.csv in which you have filled in the column corrected.
        val_fraction: share of the training images that validates.
        test_fraction: share of all images that tests, where no test split is given.
        log: also log to tensorboard, mlflow or wandb.
        device: where to compute.
        seed: of everything that is drawn.
        json: print one JSON document.
    """
    from hilum.cli.studying import run_study_command
    from hilum.workflow.options import Options

    options = Options(
        labels=labels,
        recipes=names_of(recipes) or None,
        out=out,
        time_budget=seconds_of(time_budget) if time_budget else None,
        quick=quick,
        weights_dir=weights_dir,
        device=device,
        seed=seed,
        patient_pattern=patient_pattern,
        corrections=corrections,
        val_fraction=val_fraction,
        test_fraction=test_fraction,
        loggers=names_of(log),
        command=shlex.join(["hilum", *sys.argv[1:]]),
    )
    return run_study_command(data, options, strict=strict, as_json=json)


def train(
    recipe: Annotated[tyro.conf.Positional[str | None], tyro.conf.arg(metavar="RECIPE")] = None,
    data: Annotated[tyro.conf.Positional[Path | None], tyro.conf.arg(metavar="DATA")] = None,
    /,
    *,
    labels: str = "folders",
    set: Settings = (),
    folds: int = 0,
    seeds: int = 1,
    resume: Annotated[Path | None, tyro.conf.arg(metavar="RUN")] = None,
    out: Folder = None,
    time_budget: Duration = "",
    weights_dir: Folder = None,
    patient_pattern: Pattern = None,
    corrections: File = None,
    val_fraction: float | None = None,
    test_fraction: float = 0.2,
    log: Names = "",
    device: Device = "auto",
    seed: int = 0,
    json: bool = False,
) -> int:
    """Train one recipe; figures are those of validation, the test split stays shut.

    Example: hilum train a-mobilenetv2 chest_xray --labels kermany3 --set phases.0.lr=1e-4

    Args:
        recipe: a name from hilum recipes, or a file of your own, ./mine.py or ./mine.json.
        data: a folder of class folders, of train/ and test/ folders of those, or a CSV or Parquet manifest.
        labels: folders, kermany3, or a regular expression with a group named label.
        set: change one field, such as model.dropout=0.3; may be given again.
        folds: train on each of so many folds of whole patients, and pool the figures.
        seeds: train with so many seeds, and show how far the figures differ.
        resume: go on with the run in this folder, and with nothing else.
        out: the folder for manifest, cache and run; runs/NAME when left out.
        time_budget: 90s, 14m or 1.5h for everything; no limit when left out.
        weights_dir: a folder of pre-trained weights, one folder a model (also HILUM_WEIGHTS).
        patient_pattern: regular expression on the path; its groups make the patient key.
        corrections: a suspected-labels.csv in which you have filled in the column corrected.
        val_fraction: share of the training images that validates; the recipe's, else 0.2.
        test_fraction: share of all images that is kept for a test, where no test split is given.
        log: also log to tensorboard, mlflow or wandb.
        device: where to compute.
        seed: of everything that is drawn; the first one of --seeds.
        json: print one JSON document.
    """
    from hilum.cli.training import run_train_command
    from hilum.workflow.options import Options

    options = Options(
        labels=labels,
        out=out,
        time_budget=seconds_of(time_budget) if time_budget else None,
        weights_dir=weights_dir,
        device=device,
        seed=seed,
        patient_pattern=patient_pattern,
        corrections=corrections,
        test_fraction=test_fraction,
        loggers=names_of(log),
        command=shlex.join(["hilum", *sys.argv[1:]]),
    )
    return run_train_command(
        recipe,
        data,
        options,
        changes=set,
        val_fraction=val_fraction,
        resume=resume,
        folds=folds,
        seeds=seeds,
        as_json=json,
    )


def tune(
    recipe: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="RECIPE")],
    data: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="DATA")],
    /,
    *,
    trials: int = 20,
    space: Space = (),
    set: Settings = (),
    labels: str = "folders",
    out: Folder = None,
    time_budget: Duration = "",
    weights_dir: Folder = None,
    patient_pattern: Pattern = None,
    corrections: File = None,
    val_fraction: float | None = None,
    test_fraction: float = 0.2,
    device: Device = "auto",
    seed: int = 0,
    json: bool = False,
) -> int:
    """Search hyper-parameters on validation; list every trial, write the winner as a recipe.

    Example: hilum tune scratch-cnn chest_xray --trials 30 --space phases.0.lr=1e-4..1e-2:log

    Args:
        recipe: a name from hilum recipes, or a file of your own.
        data: a folder of class folders, of train/ and test/ folders of those, or a CSV or Parquet manifest.
        trials: how many in all; the same command goes on, and may run in several processes at once.
        space: FIELD=LOW..HIGH, FIELD=LOW..HIGH:log or FIELD=A,B,C; may be given again; the recipe's own when left out.
        set: change one field beforehand; may be given again.
        labels: folders, kermany3, or a regular expression with a group named label.
        out: the folder for manifest, cache and trials; runs/NAME when left out.
        time_budget: 90s, 14m or 1.5h for everything; no limit when left out.
        weights_dir: a folder of pre-trained weights, one folder a model (also HILUM_WEIGHTS).
        patient_pattern: regular expression on the path; its groups make the patient key.
        corrections: a suspected-labels.csv in which you have filled in the column corrected.
        val_fraction: share of the training images that validates; the recipe's, else 0.2.
        test_fraction: share of all images that is kept for a test, where no test split is given.
        device: where to compute.
        seed: of everything that is drawn.
        json: print one JSON document.
    """
    from hilum.cli.tuning import run_tune_command
    from hilum.workflow.options import Options

    options = Options(
        labels=labels,
        out=out,
        time_budget=seconds_of(time_budget) if time_budget else None,
        weights_dir=weights_dir,
        device=device,
        seed=seed,
        patient_pattern=patient_pattern,
        corrections=corrections,
        test_fraction=test_fraction,
        command=shlex.join(["hilum", *sys.argv[1:]]),
    )
    return run_tune_command(
        recipe,
        data,
        options,
        trials=trials,
        space=space,
        changes=set,
        val_fraction=val_fraction,
        as_json=json,
    )


def augment(
    data: tyro.conf.Positional[Path],
    /,
    *,
    recipe: Annotated[str, tyro.conf.arg(metavar="NAME")],
    set: Settings = (),
    labels: str = "folders",
    images: int = 6,
    versions: int = 5,
    out: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None,
    seed: int = 0,
    json: bool = False,
) -> int:
    """Draw a sheet of originals beside their augmented versions.

    Example: hilum augment chest_xray --recipe b-simplecnn-augmented --out sheet.png

    Args:
        data: a folder of class folders, of train/ and test/ folders of those, or a CSV or Parquet manifest.
        recipe: a name from hilum recipes, or a file of your own.
        set: change one field, such as augmentation.rotation=20; may be given again.
        labels: folders, kermany3, or a regular expression with a group named label.
        images: rows of the sheet, the classes in turn.
        versions: augmented pictures in each row.
        out: the picture, .png, .jpg or .webp; augment-NAME.png when left out.
        seed: of the images that are shown and of the changes.
        json: print one JSON document.
    """
    from hilum.cli.augmenting import run_augment_command

    return run_augment_command(
        data,
        recipe,
        changes=set,
        labels=labels,
        images=images,
        versions=versions,
        out=out,
        seed=seed,
        as_json=json,
    )


def audit(
    data: tyro.conf.Positional[Path],
    /,
    *,
    labels: str = "folders",
    out: Folder = None,
    strict: bool = False,
    patient_pattern: Pattern = None,
    corrections: File = None,
    val_fraction: float = 0.2,
    test_fraction: float = 0.2,
    seed: int = 0,
    json: bool = False,
) -> int:
    """Say what is wrong with a data set before anybody trains on it.

    Example: hilum audit chest_xray --strict

    Args:
        data: a folder of class folders, of train/ and test/ folders of those, or a CSV or Parquet manifest.
        labels: folders, kermany3, or a regular expression with a group named label.
        out: where audit.json and audit.html go; runs/NAME when left out, as for hilum study.
        strict: exit 5 when there is an error among the findings.
        patient_pattern: regular expression on the path; its groups make the patient key.
        corrections: a suspected-labels.csv in which you have filled in the column corrected.
        val_fraction: share of the training images that validates.
        test_fraction: share of all images that tests, where no test split is given.
        seed: of everything that is drawn.
        json: print one JSON document.
    """
    from hilum.cli.auditing import run_audit_command
    from hilum.workflow.options import Options

    options = Options(
        labels=labels,
        out=out,
        patient_pattern=patient_pattern,
        corrections=corrections,
        val_fraction=val_fraction,
        test_fraction=test_fraction,
        seed=seed,
        command=shlex.join(["hilum", *sys.argv[1:]]),
    )
    return run_audit_command(data, options, strict=strict, as_json=json)


def draw(
    out: tyro.conf.Positional[Path],
    /,
    *,
    images: int = 600,
    size: int = 224,
    format: Literal["jpeg", "png", "dicom"] = "jpeg",
    classes: Names = "normal,bacterial,viral",
    layout: Literal["splits", "folders"] = "splits",
    difficulty: float = 0.5,
    independent: bool = False,
    fault: Annotated[str, tyro.conf.arg(metavar="NAME=STRENGTH,...")] = "",
    seed: int = 0,
    json: bool = False,
) -> int:
    """Write a drawn data set with known truth.

    Example: hilum draw drawn --images 600 --fault marker=0.8,duplicates=0.1

    Args:
        out: a new folder.
        images: how many.
        size: side in pixels.
        format: of the files.
        classes: normal, bacterial, viral, covid.
        layout: splits writes train/ and test/ of class folders, folders only class folders.
        difficulty: 0 is easy, 1 hard.
        independent: draw every picture independently of its class.
        fault: what to plant, with a strength in [0, 1], such as marker=0.8.
        seed: of everything that is drawn.
        json: print one JSON document.
    """
    from hilum.cli.drawing import run_draw_command

    return run_draw_command(
        out,
        images=images,
        size=size,
        file_format=format,
        classes=names_of(classes),
        layout=layout,
        difficulty=difficulty,
        independent=independent,
        faults=names_of(fault),
        seed=seed,
        as_json=json,
    )


def evaluate(
    model: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="MODEL")],
    data: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="DATA")],
    /,
    *,
    labels: str = "folders",
    map: Mapped = (),
    tta: Names = "",
    prevalence: float | None = None,
    recalibrate: Annotated[float | None, tyro.conf.arg(metavar="FRACTION")] = None,
    patient_pattern: Pattern = None,
    replicates: int = 1000,
    out: Folder = None,
    device: Device = "auto",
    seed: int = 0,
    json: bool = False,
) -> int:
    """Try a model on somebody else's data: figures with intervals, at its thresholds, and how far the pictures lie off.

    Example: hilum evaluate runs/chest_xray/finetuned/model.safetensors theirs --map pneumonia=bacteria+virus

    Args:
        model: a model file.
        data: a folder of class folders, or a CSV or Parquet manifest; all its images are used, whatever their split.
        labels: folders, kermany3, or a regular expression with a group named label.
        map: classes of the data that count as one of the model's, or outputs of the model that are added up as one
            class of the data; -=A leaves out class A; may be given again.
        tta: a policy of the model's recipe, or views such as plain,flip; the model file's own when left out.
        prevalence: also give PPV and NPV where this share of the people is ill, such as 0.05.
        recalibrate: fit probabilities and thresholds anew on this share of the patients, and try them on the others.
        patient_pattern: regular expression on the path; its groups make the patient key.
        replicates: of the bootstrap behind the intervals.
        out: a folder for predictions, figures and page; runs/STUDY-RUN-on-DATA when left out.
        device: where to compute.
        seed: of the bootstrap and of the patients drawn to recalibrate.
        json: print one JSON document.
    """
    from hilum.cli.evaluating import run_evaluate_command
    from hilum.workflow.evaluate import TrialOptions

    options = TrialOptions(
        labels=labels,
        mapping=map,
        tta=names_of(tta),
        prevalence=prevalence,
        recalibrate=recalibrate,
        patient_pattern=patient_pattern,
        out=out,
        device=device,
        seed=seed,
        replicates=replicates,
    )
    return run_evaluate_command(model, data, options, as_json=json)


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

    Example: hilum explain runs/chest_xray/finetuned/model.safetensors new.jpg --target pneumonia

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


def predict(
    paths: Annotated[tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="[MODEL] PATH...")],
    /,
    *,
    out: File = None,
    heatmap: Folder = None,
    dicom_out: Folder = None,
    untrusted: bool = False,
    force: bool = False,
    threads: int | None = None,
    engine: Literal["auto", "torch", "openvino", "onnxruntime"] = "auto",
    device: Device = "auto",
    json: bool = False,
) -> int:
    """Predict files, folders, zip archives, DICOM: a line an image.

    Example: hilum predict runs/chest_xray/finetuned/model.safetensors new/ --out answers.csv

    Args:
        paths: a model (.safetensors, .onnx or .xml), the one in the box when left out; then files, folders, archives.
        out: a .csv, .jsonl or .parquet file; the same command goes on where a killed one stopped.
        heatmap: also write there, for each image, what speaks for its label.
        dicom_out: also write there, for each DICOM image, a heat map and a report as DICOM files of its study.
        untrusted: decode in child processes that can be killed, for files from strangers.
        force: also predict what is no frontal chest X-ray, with a warning.
        threads: that decode; as many as there are cores when left out.
        engine: what computes; the fastest that gives torch's results when left out.
        device: where to compute.
        json: print a JSON document a line, one an image.
    """
    from hilum.cli.predicting import Wishes, run_predict_command

    wishes = Wishes(json, out, heatmap, untrusted, force, threads, device, engine, dicom_out)
    return run_predict_command(paths, wishes)


def export(
    model: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="MODEL")],
    /,
    *,
    format: Literal["onnx", "openvino"] = "onnx",
    int8: bool = False,
    data: Folder = None,
    images: int = 200,
    out: File = None,
    replicates: int = 1000,
    seed: int = 0,
    json: bool = False,
) -> int:
    """Export a model to ONNX or OpenVINO: runs without torch, compared with torch on real pictures.

    Example: hilum export runs/chest_xray/finetuned/model.safetensors --format openvino

    Args:
        model: a model file.
        format: onnx, one file; or openvino, an .xml with a .bin beside it.
        int8: compute in int8, calibrated on training pictures; what that costs on validation is measured.
        data: a folder of pictures to compare and calibrate on, for a model file outside its study.
        images: how many to calibrate on.
        out: the file; beside the model file when left out.
        replicates: of the bootstrap behind the intervals of what int8 changes.
        seed: of the bootstrap.
        json: print one JSON document.
    """
    from hilum.cli.exporting import run_export_command
    from hilum.workflow.export import ExportOptions

    return run_export_command(model, ExportOptions(format, out, int8, data, images, replicates, seed), as_json=json)


def serve(
    models: Annotated[tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="[MODEL...]")] = (),
    /,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    token_file: File = None,
    index: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="FILE...")] = (),
    max_megabytes: int = 64,
    queue: int = 256,
    batch_size: int = 32,
    workers: int | None = None,
    dicom_port: int | None = None,
    dicom_node: Annotated[str | None, tyro.conf.arg(metavar="TITLE@HOST:PORT")] = None,
    dicom_outbox: Folder = None,
    dicom_title: str = "HILUM",
    dicom_host: str = "127.0.0.1",
    dicom_allow: Annotated[tuple[str, ...], tyro.conf.arg(metavar="TITLE...")] = (),
    engine: Literal["auto", "torch", "openvino", "onnxruntime"] = "auto",
    device: Device = "auto",
    json: bool = False,
) -> int:
    """Put models behind an HTTP API and a page, for this machine or, with a token, for others.

    Example: hilum serve runs/chest_xray/finetuned/model.safetensors

    Args:
        models: model files (.safetensors, .onnx or .xml); the one in the box when left out.
        host: address to listen on; any but a loopback address needs a token.
        port: 0 takes a free one.
        token_file: a file with the token that clients must send; HILUM_TOKEN when left out.
        index: indexes of neighbours (inspection/neighbors/index.arrow of a run), one a model in their order.
        max_megabytes: of one request.
        queue: images that wait or are worked on; more are refused with 503.
        batch_size: images that go through the network together, at most.
        workers: processes that decode; as many as there are cores, four at most, when left out.
        dicom_port: also take DICOM images there (C-STORE) and send answers of the first model to a node.
        dicom_node: that gets the answers.
        dicom_outbox: folder for what waits; the same after a restart.
        dicom_title: own AE title.
        dicom_host: address to listen on; any but a loopback address needs --dicom-allow.
        dicom_allow: AE titles that may send.
        engine: what computes; the fastest that gives torch's results when left out.
        device: where to compute.
        json: print one JSON line when ready and one at the end.
    """
    from hilum.cli.serving import run_serve_command

    bounds = {"workers": workers} if workers is not None else {}
    dicom = {"port": dicom_port, "node": dicom_node, "outbox": dicom_outbox, "title": dicom_title}
    return run_serve_command(
        models,
        dicom=dicom | {"host": dicom_host, "allowed": dicom_allow},
        host=host,
        port=port,
        token_file=token_file,
        indexes=index,
        max_bytes=1_000_000 * max_megabytes,
        queue=queue,
        batch_size=batch_size,
        device=device,
        engine=engine,
        as_json=json,
        **bounds,
    )


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

    Example: hilum embed runs/chest_xray/finetuned/model.safetensors chest_xray --out embeddings.parquet

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

    Example: hilum neighbors runs/chest_xray/finetuned/model.safetensors new.jpg --out answer

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

    Example: hilum project runs/chest_xray/finetuned/model.safetensors --oversample --out map

    Args:
        model: a model file in its study.
        method: tsne, umap (needs '.[umap]') or pca.
        perplexity: of t-SNE; for UMAP the number of neighbours.
        points: images that are drawn at most.
        oversample: add the copies of one oversampled epoch, changed by the recipe's augmentation, as rings.
        test: draw test images too.
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


def compare(
    runs: tyro.conf.Positional[tuple[Path, ...]],
    /,
    *,
    split: Literal["val", "test"] = "val",
    replicates: int = 1000,
    out: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None,
    seed: int = 0,
    json: bool = False,
) -> int:
    """Compare runs in pairs on the same images, and say which cannot be told apart.

    Example: hilum compare runs/chest_xray/finetuned runs/chest_xray/frozen

    Args:
        runs: run folders of one study, or predictions files.
        split: whose predictions.
        replicates: of the patient-level bootstrap behind the intervals.
        out: also write the comparison there, as JSON.
        seed: of the bootstrap.
        json: print one JSON document.
    """
    from hilum.cli.comparing import run_compare_command

    return run_compare_command(runs, split=split, replicates=replicates, seed=seed, out=out, as_json=json)


def replay(
    system: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="SYSTEM")],
    data: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="DATA")] = (),
    /,
    *,
    only: Names = "",
    epochs: int | None = None,
    folds: int = 0,
    time_budget: Duration = "",
    weights_dir: Folder = None,
    weights: Literal["imagenet", "none"] = "imagenet",
    out: Folder = None,
    device: Device = "auto",
    seed: int = 0,
    json: bool = False,
) -> int:
    """Set a reference system's report beside what it gives here, with its mistakes and corrected.

    Example: hilum replay D covid_vs_normal --only d-mobilenetv2-frozen --weights-dir weights

    Args:
        system: A (or kermany-transfer), B (imbalance-tta), C (vgg-knn), D (covid-small), E (resnet-anomaly), or all.
        data: a folder or manifest for all systems, or A,C,E=PATH for some; X-rays are drawn when left out.
        only: recipes of the systems, all of them when left out.
        epochs: of each phase, instead of the recipe's; the page says so.
        folds: pool corrected figures over so many folds of whole patients, and leave the test split shut.
        time_budget: 90s, 14m or 1.5h for everything; no limit when left out.
        weights_dir: a folder of pre-trained weights, one folder a model (also HILUM_WEIGHTS).
        weights: none lets rows whose weights are nowhere start from random values, and says so; else they stay empty.
        out: the folder for runs, table and page; runs/replay-SYSTEM when left out.
        device: where to compute.
        seed: of everything that is drawn.
        json: print one JSON document.
    """
    from hilum.cli.replaying import run_replay_command, sources_of
    from hilum.replay.systems import find_rows, find_systems
    from hilum.replay.values import Settings

    systems = find_systems(system)
    settings = Settings(
        out=out or Path("runs") / f"replay-{system.casefold()}",
        rows=find_rows(systems, names_of(only)),
        sources=sources_of(data, systems),
        epochs=epochs,
        folds=folds,
        time_budget=seconds_of(time_budget) if time_budget else None,
        weights_dir=weights_dir,
        start_random=weights == "none",
        device=device,
        seed=seed,
        command=shlex.join(["hilum", *sys.argv[1:]]),
    )
    return run_replay_command(systems, settings, as_json=json)


def plan(
    *,
    study: Folder = None,
    figure: Literal["accuracy", "sensitivity", "specificity", "auroc", "all"] = "all",
    label: str = "",
    expect: float | None = None,
    within: float = 0.02,
    against: float | None = None,
    discordant: Annotated[str, tyro.conf.arg(metavar="SHARE,SHARE")] = "",
    score_correlation: Annotated[str, tyro.conf.arg(metavar="R,R")] = "",
    images: int | None = None,
    patients: int | None = None,
    per_patient: float | None = None,
    correlation: float | None = None,
    design_effect: float | None = None,
    prevalence: float | None = None,
    power: float = 0.8,
    level: float = 0.95,
    out: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None,
    json: bool = False,
) -> int:
    """Say how many images and patients a question needs, or what so many can decide.

    Example: hilum plan --expect 0.92 --against 0.95 --per-patient 1.5 --correlation 0.5

    Args:
        study: a study's folder as a pilot: figures, clustering, class proportions and agreement are taken from it.
        figure: what is to be measured; all is accuracy, and with --study also the sensitivity of each class and AUROC.
        label: only this class of the study.
        expect: the figure that is expected, such as 0.9; the study's own with --study.
        within: half the width that its interval may have, such as 0.02 for 2 points.
        against: the figure of another model that it is to be told apart from.
        discordant: shares of the images on which just one of the two models is right; a likely range when left out.
        score_correlation: for AUROC, how the two models' scores correlate within a class; 0.3,0.5,0.8 when left out.
        images: ask the other way round: what this many images decide.
        patients: the same for this many patients.
        per_patient: images a patient.
        correlation: of two images of one patient (both called right or not), from 0 to 1; 1 when left out.
        design_effect: instead of --correlation: by how much patients with several images inflate the variance.
        prevalence: share of the class among all images, for sensitivity, specificity and AUROC.
        power: with which a difference is to be seen.
        level: of the intervals, and 1 minus the error of the first kind.
        out: also write the answers there, as JSON.
        json: print one JSON document.
    """
    from hilum.api import plan as make_plan
    from hilum.cli.planning import numbers_of, run_plan_command

    planned = make_plan(
        study=study,
        figure=None if figure == "all" else figure,
        label=label,
        expect=expect,
        within=within,
        against=against,
        discordant=numbers_of(discordant, "--discordant"),
        score_correlation=numbers_of(score_correlation, "--score-correlation"),
        images=images,
        patients=patients,
        per_patient=per_patient,
        correlation=correlation,
        design_effect=design_effect,
        prevalence=prevalence,
        power=power,
        level=level,
    )
    return run_plan_command(planned, out=out, as_json=json)


def checklist(study: tyro.conf.Positional[Path], /, *, json: bool = False) -> int:
    """Fill in the reporting checklists CLAIM and TRIPOD+AI from a study, and write a form for what only people know.

    Example: hilum checklist runs/chest_xray

    Args:
        study: the study's folder; checklist.csv, .html, .md and answers.csv go there, and the model cards are renewed.
        json: print one JSON document.
    """
    from hilum.cli.checking import run_checklist_command

    return run_checklist_command(study, as_json=json)


def report(study: tyro.conf.Positional[Path], /) -> int:
    """Write the page of a study again, from its folder.

    Example: hilum report runs/chest_xray

    Args:
        study: the study's folder.
    """
    from hilum.cli.terminal import print_line
    from hilum.report import write_report
    from hilum.workflow.seal import extend_seal

    page = write_report(study)
    extend_seal(study, [page.name], "hilum report")
    print_line(str(page))
    return 0


def autopsy(
    report: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="FILE|-|FIGURES")] = (),
    /,
    *,
    out: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None,
    json: bool = False,
) -> int:
    """Say whether a printed confusion matrix and the figures beside it can all be true.

    Example: hilum autopsy "87 147 / 128 262, accuracy 86.7, n 234 390"

    Args:
        report: a file (JSON, CSV or text), - for standard input, a study's folder, or the figures themselves.
        out: also write a page (.html) or the findings (.json) there.
        json: print one JSON document.
    """
    from hilum.cli.autopsying import run_autopsy_command

    return run_autopsy_command(report, out=out, as_json=json)


def verify(
    study: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="STUDY")],
    /,
    *,
    data: Folder = None,
    out: File = None,
    json: bool = False,
) -> int:
    """Compute every printed number again from predictions, manifest and pictures; exit 5 if anything differs.

    Example: hilum verify runs/chest_xray

    Args:
        study: a folder of hilum study, train, tune, audit or evaluate.
        data: where the pictures lie now, if they were moved.
        out: also write the result there, as JSON.
        json: print one JSON document.
    """
    from hilum.cli.verifying import run_verify_command

    return run_verify_command(study, data, out, as_json=json)


def recipes(
    name: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="[show] [NAME]")] = (),
    /,
    *,
    json: bool = False,
) -> int:
    """List the recipes, or print one.

    Example: hilum recipes show d-mobilenetv2-frozen

    Args:
        name: show NAME prints the header of its file and every setting; NAME alone prints it as JSON.
        json: print one JSON document.
    """
    from hilum.cli.listing import list_recipes

    return list_recipes(name, as_json=json)


def models(*, json: bool = False) -> int:
    """List the networks that recipes can name.

    Example: hilum models

    Args:
        json: print one JSON document.
    """
    from hilum.cli.listing import list_networks

    return list_networks(as_json=json)


def doctor(*, weights_dir: Folder = None, json: bool = False) -> int:
    """Versions, devices, where weights are found, what is missing and how to get it.

    Example: hilum doctor

    Args:
        weights_dir: a folder of pre-trained weights to look into as well.
        json: print one JSON document.
    """
    from hilum.cli.listing import run_doctor

    return run_doctor(weights_dir, as_json=json)
