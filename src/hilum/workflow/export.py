"""A model file -> ONNX or OpenVINO, compared with torch on real pictures, and int8 with what it costs on validation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hilum.data.predictions import Predictions
from hilum.errors import DataError, ImageRejected, UsageError
from hilum.evaluation.shift import spread_positions
from hilum.inference.exported import ONNX, OPENVINO, ExportedHeader
from hilum.transforms import Preprocessing, to_canvas
from hilum.transforms.preprocessing import shorter_side_needed

if TYPE_CHECKING:
    from hilum.data.manifest import Manifest
    from hilum.inference.export import Exported
    from hilum.models import ModelHeader

FORMATS = {"onnx": ONNX, "openvino": OPENVINO}
PARITY_IMAGES, CALIBRATION_IMAGES = 64, 200
FEWEST = 20
"""Pictures from which on int8 can be calibrated."""


@dataclass(frozen=True)
class ExportOptions:
    """How to export.

    Args:
        format: a name of `FORMATS`.
        out: the file; None puts it beside the model file.
        int8: compute in int8, calibrated on training pictures.
        data: a folder of pictures to compare and calibrate on, where the model file does not lie in its study.
        images: how many to calibrate on.
        replicates, seed: of the bootstrap behind the intervals of what int8 changes.
    """

    format: str = "onnx"
    out: Path | None = None
    int8: bool = False
    data: Path | None = None
    images: int = CALIBRATION_IMAGES
    replicates: int = 1000
    seed: int = 0


@dataclass(frozen=True)
class ExportResult:
    """An export on disk.

    Args:
        path: the `.onnx` or `.xml` file.
        exported: what it says of itself.
    """

    path: Path
    exported: ExportedHeader

    @property
    def files(self) -> tuple[Path, ...]:
        """Everything that has to be kept together."""
        return (self.path, self.path.with_suffix(".bin")) if self.path.suffix == OPENVINO else (self.path,)

    def to_json(self) -> dict[str, Any]:
        """JSON values: files and sizes, parity, calibration."""
        about = self.exported
        return {
            "files": [{"path": str(each), "bytes": each.stat().st_size} for each in self.files],
            "precision": about.precision,
            "parity": dict(about.parity),
            "calibration": None if about.calibration is None else dict(about.calibration),
            "labels": list(about.header.labels),
            "source": dict(about.source),
        }

    @property
    def sentence(self) -> str:
        """How close it is to torch, in words."""
        parity = self.exported.parity
        if self.exported.precision == "int8":
            where, most = f"{parity['images']} {parity['of']}", parity["probability"]
            return f"On {where} its probabilities differ from torch's by up to {most:.2f}."
        return (
            f"On {parity['images']} {parity['of']} its probabilities are those of torch within "
            f"{parity['probability']:.1e} (embeddings within {100 * parity['embedding']:.2g} % of their length)."
        )

    def _repr_html_(self) -> str:
        import html

        return f"<p>{html.escape(str(self.path))}: {html.escape(self.sentence)}</p>"


def export_model(path: Path, options: ExportOptions = ExportOptions()) -> ExportResult:
    """Writes an export of a model file.

    Pictures come from the study that the model file lies in: validation pictures to compare on, training pictures to
    calibrate on; else from `options.data`, else drawn ones, which int8 does not take.

    Raises:
        ModelFileError: no model file, a damaged one, or a network that cannot be exported.
        UsageError: an unknown format, int8 without pictures, or a package that is missing.
        DataError: a folder without usable pictures.
    """
    from hilum.inference.export import write_export
    from hilum.models import load_model

    if options.format not in FORMATS:
        raise UsageError("--format", expected=f"one of {', '.join(FORMATS)}", found=options.format)
    target = options.out or path.with_name(f"{path.stem}{'-int8' if options.int8 else ''}{FORMATS[options.format]}")
    if not target.parent.is_dir():
        raise DataError(str(target.parent), expected="a folder", found="nothing there")
    model, header = load_model(path)
    pictures = _pictures_for(path, header, options)
    if options.int8 and pictures.calibrate_on is None:
        way_out = "Export the model file inside its study, or give --data FOLDER."
        raise UsageError("--int8", expected="training pictures to calibrate on", found="none", way_out=way_out)
    calibration = {"images": len(pictures.calibrate_on), "of": pictures.calibration_of} if options.int8 else None
    written = write_export(
        target,
        model,
        header,
        source={"file": path.name, "sha256": header.sha256},
        canvases=pictures.canvases,
        of=pictures.of,
        calibrate_on=pictures.calibrate_on if options.int8 else None,
        calibration=calibration,
    )
    if options.int8 and pictures.manifest is not None:
        written = _with_change(written, path, header, pictures, options)
    return ExportResult(written.path, written.exported)


@dataclass(frozen=True)
class _Pictures:
    """Canvases to compare on and to calibrate on, and where they come from."""

    canvases: Any
    of: str
    calibrate_on: Any = None
    calibration_of: str = ""
    manifest: Manifest | None = None
    study_dir: Path | None = None


def _pictures_for(path: Path, header: ModelHeader, options: ExportOptions) -> _Pictures:
    from hilum.workflow.other_data import study_of

    preprocessing = Preprocessing(**header.preprocessing)
    study_dir = study_of(path) if options.data is None else None
    if study_dir is not None:
        return _of_study(study_dir, preprocessing, options.images)
    if options.data is not None:
        return _of_folder(options.data, preprocessing, options.images)
    return _Pictures(_drawn(preprocessing), "drawn pictures")


def _of_study(study_dir: Path, preprocessing: Preprocessing, images: int) -> _Pictures:
    from hilum.data.build import open_cache
    from hilum.data.manifest import read_manifest

    manifest = read_manifest(study_dir / "manifest.parquet")
    cache = open_cache(manifest, preprocessing, study_dir / "cache")
    some = {}
    for split, count in (("val", PARITY_IMAGES), ("train", images)):
        rows = manifest.split(split)
        some[split] = cache.of(rows.iloc[spread_positions(len(rows), count)])
    return _Pictures(some["val"], "validation pictures", some["train"], "training pictures", manifest, study_dir)


def _of_folder(folder: Path, preprocessing: Preprocessing, images: int) -> _Pictures:
    from hilum.images import find_images, read_image

    canvases = []
    found = find_images(folder)
    for position in spread_positions(len(found), images) if found else ():
        try:
            image = read_image(found[position], shorter_side=shorter_side_needed(preprocessing))
        except ImageRejected:
            continue
        canvases.append(to_canvas(image, preprocessing))
    if len(canvases) < FEWEST:
        raise DataError(str(folder), expected=f"at least {FEWEST} usable pictures", found=str(len(canvases)))
    stacked = np.stack(canvases)
    name = f"pictures of {folder.name}"
    return _Pictures(stacked[spread_positions(len(stacked), PARITY_IMAGES)], name, stacked, name)


def _drawn(preprocessing: Preprocessing) -> np.ndarray:
    from hilum.data.phantom import draw_dataset

    drawn = draw_dataset(images=16, size=max(64, preprocessing.image_size))
    pixels = ((255 * drawn[number].intensity).round().astype(np.uint8) for number in range(len(drawn)))
    return np.stack([to_canvas(each, preprocessing) for each in pixels])


def _with_change(
    written: Exported, path: Path, header: ModelHeader, pictures: _Pictures, options: ExportOptions
) -> Exported:
    """Adds what int8 changes on the whole validation split: differences with paired patient-level intervals."""
    from hilum.data.build import open_cache
    from hilum.evaluation.comparison import compare
    from hilum.inference.export import write_again
    from hilum.inference.predict import predict_logits
    from hilum.models import load_model
    from hilum.serving.predictor import Picture, Predictor

    assert pictures.manifest is not None and pictures.study_dir is not None
    manifest, preprocessing = pictures.manifest, Preprocessing(**header.preprocessing)
    rows = manifest.split("val")
    canvases = open_cache(manifest, preprocessing, pictures.study_dir / "cache").of(rows)
    model, _ = load_model(path)
    views, seed = header.extras.get("tta", ("plain",)), header.extras.get("tta_seed", 0)
    exact = predict_logits(model, canvases, preprocessing, views=views, view_seed=seed)
    predictor = Predictor.load(written.path)
    parts: list[np.ndarray] = []
    for start in range(0, len(canvases), 32):
        batch: Sequence[Picture] = [Picture("", each) for each in canvases[start : start + 32]]
        parts.append(predictor.logits_of(batch))
    temperature = float(header.extras.get("temperature", 1.0))
    runs = {
        "int8": Predictions.of(rows, np.concatenate(parts) / temperature, manifest.labels),
        "fp32": Predictions.of(rows, exact / temperature, manifest.labels),
    }
    comparison = compare(runs, replicates=options.replicates, seed=options.seed)
    (pair,) = comparison.pairs
    sign = 1 if pair.first == "int8" else -1
    change = {}
    for name, each in pair.difference.items():
        ends = sorted((sign * each.ci_low, sign * each.ci_high))
        change[name] = {"value": sign * each.value, "ci_low": ends[0], "ci_high": ends[1]}
    worst = float(np.abs(runs["int8"].probs - runs["fp32"].probs).max())
    figures = {name: dict(each) for name, each in comparison.figures.items()}
    about = {"tried_on": {"split": "val", "images": len(rows), "patients": comparison.patients}, "change": change}
    calibration = {**(written.exported.calibration or {}), **about, "figures": figures, "probability": worst}
    return write_again(written, calibration)
