"""`hilum embed`: any images through a model's layer, decoded once, into one table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pandas as pd

from hilum.data.build import open_cache
from hilum.data.cache import CanvasView
from hilum.data.manifest import Manifest, read_manifest
from hilum.data.patients import patient_keys
from hilum.data.sources import list_images
from hilum.errors import UsageError
from hilum.images.discover import find_images
from hilum.inspection.embeddings import Embeddings, canvas_digests
from hilum.models.weights import file_sha256
from hilum.transforms import Preprocessing
from hilum.workflow.listed import read_listed
from hilum.workflow.other_data import study_of
from hilum.workflow.voice import Bar, Silent, Voice

if TYPE_CHECKING:
    from hilum.models import Classifier, ModelHeader

OTHER = "other"
TABLES = (".csv", ".parquet", ".tsv")


@dataclass(frozen=True)
class Pictures:
    """Images that are ready to be embedded.

    Args:
        rows: `image_path`, `patient_id`, `split` (`other` where none is given), `label` (empty where none is known),
            `sha256`, `canvas`; the index is 0..N-1.
        canvases: in the order of `rows`.
        root: the folder that `image_path` is relative to.
        patient_rule: what the patients were read by, empty where nobody knows them.
        study_dir: the model's own study, where these are its images.
        rejected: code and reason of each file that could not be used, by path.
    """

    rows: pd.DataFrame
    canvases: CanvasView
    root: Path
    patient_rule: str
    study_dir: Path | None
    rejected: dict[str, tuple[str, str]]


@dataclass(frozen=True)
class Embedded:
    """What `hilum embed` gave.

    Args:
        embeddings: one row an image.
        path: the Parquet file; None where none was asked for.
        rejected: code and reason of each file that could not be used, by path.
    """

    embeddings: Embeddings
    path: Path | None
    rejected: dict[str, tuple[str, str]]

    def _repr_html_(self) -> str:
        e = self.embeddings
        return (
            f"<p>{len(e):,} images, {e.dim:,} numbers each, layer {e.about['layer']}.</p>"
            + e.table.head()._repr_html_()
        )


def embed_data(
    model: Path,
    data: Path,
    *,
    layer: str = "embedding",
    labels: str = "folders",
    patient_pattern: str | None = None,
    out: Path | None = None,
    device: str = "auto",
    voice: Voice | None = None,
) -> Embedded:
    """Embeds every image of a data root and writes `out`.

    The model's own data keep the split, the patients and the labels of its study.

    Raises:
        HilumError: no model file, no usable data, no such layer.
    """
    from hilum.models import load_model

    if out is not None and out.is_dir():
        raise UsageError("--out", expected="a file, such as embeddings.parquet", found=f"the folder {out}")
    voice = voice or Silent()
    network, header = load_model(model)
    with TemporaryDirectory() as folder:
        with voice.stage("images") as bar:
            pictures = read_pictures(model, header, [data], Path(folder), labels, patient_pattern, bar)
        with voice.stage("embeddings") as bar:
            found = embed_pictures(network, header, model, pictures, layer, device, bar)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        found.write(out)
    return Embedded(found, out, pictures.rejected)


def embed_pictures(
    network: Classifier, header: ModelHeader, path: Path, pictures: Pictures, layer: str, device: str, bar: Bar
) -> Embeddings:
    """The embeddings of images that were read, in one pass."""
    from hilum.inference.device import choose_device
    from hilum.inspection.embed import embed_layer

    done = 0

    def on_batch(images: int) -> None:
        nonlocal done
        done += images
        bar(done, len(pictures.rows), "images embedded")

    preprocessing, place = Preprocessing(**header.preprocessing), choose_device(device)
    matrix = embed_layer(network, pictures.canvases, preprocessing, layer=layer, device=place, on_batch=on_batch)
    about = {"model": path.name, "model_sha256": file_sha256(path), "layer": layer, "root": str(pictures.root)}
    return Embeddings.of(pictures.rows, matrix, **about, architecture=header.architecture["name"])


def read_pictures(
    model: Path,
    header: ModelHeader,
    paths: Sequence[Path],
    cache_dir: Path,
    labels: str,
    patient_pattern: str | None,
    bar: Bar,
) -> Pictures:
    """Images of a data root, or single image files.

    Args:
        model: its file; where it lies in its study and `paths` is that study's data, nothing is decoded again.
        paths: one folder or manifest, or image files; a folder that only holds image files counts as these.

    Raises:
        DataError: nothing that can be read.
    """
    preprocessing = Preprocessing(**header.preprocessing)
    files = all(path.is_file() and path.suffix.lower() not in TABLES for path in paths)
    if not files and len(paths) > 1:
        raise UsageError("DATA", expected="one folder or manifest, or image files", found=f"{len(paths)} of them")
    alone = [path.resolve() for path in paths] if files else _unlabelled(paths[0], labels)
    if alone:
        return _single(alone, preprocessing, cache_dir, patient_pattern, bar)
    listing, study_dir = list_images(paths[0], labels), study_of(model)
    own = read_manifest(study_dir / "manifest.parquet") if study_dir else None
    if own is not None and study_dir is not None and own.root.resolve() == listing.root.resolve():
        return _own(own, study_dir, preprocessing)
    table = listing.table.reset_index(drop=True)
    return _read(table, listing.root, preprocessing, cache_dir, patient_pattern, bar)


def _own(manifest: Manifest, study_dir: Path, preprocessing: Preprocessing) -> Pictures:
    canvases = open_cache(manifest, preprocessing, study_dir / "cache").of(manifest.table)
    rows = manifest.table.assign(canvas=canvas_digests(canvases))
    rule = manifest.facts["patient_rule"].get("name", "")
    return Pictures(rows, canvases, manifest.root, rule, study_dir, {})


def _unlabelled(folder: Path, labels: str) -> list[Path]:
    """The images of a folder that has none in folders below, so that nothing says what they are; else nothing."""
    if not folder.is_dir() or labels != "folders":
        return []
    place = folder.resolve()
    found = find_images(place)
    return found if all(path.parent == place for path in found) else []


def _single(
    paths: Sequence[Path], preprocessing: Preprocessing, cache_dir: Path, patient_pattern: str | None, bar: Bar
) -> Pictures:
    names = [str(path) for path in paths]
    table = pd.DataFrame({"image_path": names, "label": "", "split": None, "view": None})
    return _read(table, Path("/"), preprocessing, cache_dir, patient_pattern, bar)


def _read(
    listed: pd.DataFrame,
    root: Path,
    preprocessing: Preprocessing,
    cache_dir: Path,
    patient_pattern: str | None,
    bar: Bar,
) -> Pictures:
    rows, bad, cache = read_listed(listed, root, preprocessing, cache_dir, bar)
    rejected = {str(row.image_path): (str(row.code), str(row.reason)) for row in bad.itertuples()}
    rows = rows.reset_index(drop=True)
    rows["patient_id"], rule = patient_keys(rows, patient_pattern)
    rows["split"] = rows["split"].where(rows["split"].notna(), OTHER)
    canvases = cache.of(rows)
    rows["canvas"] = canvas_digests(canvases)
    return Pictures(rows, canvases, root, _rule_name(rule), None, rejected)


def _rule_name(rule: dict[str, Any]) -> str:
    return "" if rule["name"] == "none" else str(rule["name"])
