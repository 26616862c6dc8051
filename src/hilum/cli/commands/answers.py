"""Commands that put a model to use: predict, export, serve."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import tyro

from hilum.cli.types import Count, Device, File, Folder, Paths


def predict(
    paths: Annotated[tyro.conf.Positional[Paths], tyro.conf.arg(metavar="[MODEL] PATH...")],
    /,
    *,
    out: File = None,
    heatmap: Folder = None,
    dicom_out: Folder = None,
    untrusted: bool = False,
    force: bool = False,
    threads: Count = None,
    engine: Literal["auto", "torch", "openvino", "onnxruntime"] = "auto",
    device: Device = "auto",
    json: bool = False,
) -> int:
    """Predict files, folders, zip archives, DICOM: a line an image.

    Example: hilum predict runs/chest_xray/best/model.safetensors new/ --out answers.csv

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

    Example: hilum export runs/chest_xray/best/model.safetensors --format openvino

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

    Example: hilum serve runs/chest_xray/best/model.safetensors

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
