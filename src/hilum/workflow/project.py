"""`hilum project`: the map of a run's embeddings by itself, with another method, perplexity or seed, or with copies."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hilum.data.manifest import Manifest, read_manifest
from hilum.errors import DataError, UsageError
from hilum.evaluation.ledger import Opening, record_opening, record_predictions
from hilum.inspection.projection import METHODS
from hilum.models.modelfile import read_header
from hilum.models.weights import file_sha256
from hilum.workflow.inspect_embeddings import embed_run, sealing
from hilum.workflow.inspect_projection import DOCUMENT, MOST, draw_map
from hilum.workflow.options import Options
from hilum.workflow.other_data import study_of
from hilum.workflow.voice import Silent, Voice

PAGE = "map.html"


@dataclass(frozen=True)
class Map:
    """A map that was drawn.

    Args:
        document: what `projection.json` holds: method, settings, points, rows, purity.
        folder: where it lies, with the small pictures.
        page: the page.
    """

    document: dict[str, Any]
    folder: Path
    page: Path

    def _repr_html_(self) -> str:
        from hilum.report.projection_page import describe_map

        return f"<p>{describe_map(self.document)}</p><p><code>{self.page}</code></p>"


def project_run(
    model: Path,
    out: Path,
    *,
    method: str = "tsne",
    perplexity: float = 30.0,
    points: int = MOST,
    oversample: bool = False,
    test: bool = False,
    device: str = "auto",
    seed: int = 0,
    voice: Voice | None = None,
) -> Map:
    """Draws the training and validation images of the study that a model lies in.

    Args:
        out: a folder.
        oversample: adds the copies of one oversampled epoch, changed by the recipe's augmentation.
        test: test images too; the purity of their neighbourhoods is a figure, so the opening goes into the ledger.

    Raises:
        DataError: the model lies in no study.
        UsageError: a number or name that makes no map.
    """
    from hilum.report.projection_page import write_map_page

    for what, right, expected, found in (
        ("--method", method in METHODS, f"one of {', '.join(METHODS)}", method),
        ("--perplexity", perplexity >= 1, "at least 1", perplexity),
        ("--points", points >= 5, "at least 5", points),
    ):
        if not right:
            raise UsageError(what, expected=expected, found=str(found))
    if out.exists() and not out.is_dir():
        raise UsageError("--out", expected="a folder", found=f"the file {out}")
    study_dir, voice = study_of(model), voice or Silent()
    if study_dir is None:
        raise DataError(f"model {model}", expected="a model file in its study", found="no study around it")
    run = model.resolve().parent.relative_to(study_dir.resolve()).as_posix()
    manifest, options = read_manifest(study_dir / "manifest.parquet"), Options(device=device, seed=seed)
    splits = ("train", "val", "test") if test and len(manifest.split("test")) else ("train", "val")
    with sealing(study_dir, run, "hilum project", out):
        opening = _opened(study_dir, run, model, manifest, out, method) if "test" in splits else None
        with voice.stage("embeddings") as bar:
            embeddings = embed_run(study_dir, run, manifest, options, splits, on_step=bar)
        with voice.stage("map"):
            document = draw_map(
                embeddings, study_dir, run, manifest, options, method=method, perplexity=perplexity, points=points,
                oversample=oversample, folder=out,
            )  # fmt: skip
        if opening is not None:
            record_predictions(study_dir, opening, file_sha256(out / DOCUMENT))
        page = write_map_page(out, tuple(manifest.labels), run, out / PAGE)
    return Map(document, out, page)


def _opened(study_dir: Path, run: str, model: Path, manifest: Manifest, out: Path, method: str) -> Opening:
    """A map of test images tells how well their labels lie apart: that is a figure, and its opening is written down."""
    return record_opening(
        study_dir,
        run=run,
        recipe=str(read_header(model).recipe.get("name", run)),
        model_sha256=file_sha256(model),
        predictions=f"{out.name}/{DOCUMENT}",
        images=len(manifest.split("test")),
        reason=f"hilum project, purity of the {method} map",
    )
