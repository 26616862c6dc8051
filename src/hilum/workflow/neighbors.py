"""`hilum neighbors`: images answered by the nearest training images, refused where the answer would leak."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from hilum.data.manifest import read_manifest
from hilum.data.predictions import Predictions
from hilum.errors import DataError, UsageError
from hilum.evaluation import (
    Evaluation,
    evaluate,
    read_evaluations,
    record_opening,
    record_predictions,
    write_evaluations,
)
from hilum.inspection.embeddings import Embeddings
from hilum.inspection.index import NeighborIndex, read_index
from hilum.inspection.neighbors import METRICS, WEIGHTS
from hilum.models.modelfile import weights_sha256
from hilum.models.weights import file_sha256
from hilum.workflow.embed import Pictures, embed_pictures, read_pictures
from hilum.workflow.inspect_neighbors import (
    DOCUMENT,
    INDEX,
    METRICS_FILE,
    SHOWN,
    describe_asked,
    describe_neighbors,
)
from hilum.workflow.other_data import study_of
from hilum.workflow.own_neighbors import own_place
from hilum.workflow.record import now, read_json, write_json
from hilum.workflow.supplement import renew_study, seal_written
from hilum.workflow.voice import Silent, Voice

if TYPE_CHECKING:
    from hilum.models import ModelHeader

SPECIFIC = ("kermany",)
"""Rules that name a patient of one data set wherever a file lies; others only tell patients of one folder apart."""
PAGE, COMMAND = "neighbors.html", "hilum neighbors"
OTHER, LEAK = "predictions-other.parquet", "predictions-leak.parquet"


@dataclass(frozen=True)
class NeighborsOptions:
    """The arguments of `hilum.neighbors`, see there."""

    index: Path | None = None
    k: int = 0
    metric: str = ""
    weights: str = ""
    layer: str = ""
    labels: str = "folders"
    patient_pattern: str | None = None
    allow_leak: bool = False
    out: Path | None = None
    device: str = "auto"
    seed: int = 0
    replicates: int = 1000

    def __post_init__(self) -> None:
        _check("--k", self.k >= 0, "0, which lets validation choose, or more", self.k)
        _check("--metric", self.metric in ("", *METRICS), f"one of {', '.join(METRICS)}", self.metric)
        _check("--weights", self.weights in ("", *WEIGHTS), f"one of {', '.join(WEIGHTS)}", self.weights)
        _check("--layer", self.layer in ("", "embedding", "hidden"), "embedding or hidden", self.layer)
        _check("--seed", self.seed >= 0, "a whole number from 0", self.seed)
        _check("--replicates", self.replicates >= 2, "at least 2", self.replicates)

    @property
    def tried(self) -> dict[str, Any]:
        """What validation may choose among."""
        metrics, weights = (self.metric,) if self.metric else METRICS, (self.weights,) if self.weights else WEIGHTS
        return {"k": self.k, "metrics": metrics, "weights": weights}

    @property
    def wishes(self) -> tuple[str, ...]:
        """What is asked for that a study leaves to its recipe and to validation."""
        return tuple(each for each in (self.layer, f"k{self.k}" if self.k else "", self.metric, self.weights) if each)


@dataclass(frozen=True)
class Answer:
    """What the neighbours of one image say.

    Args:
        name: of the image.
        path: where it lies.
        label: the class that they vote for; empty where the answer is refused.
        votes: class -> share of the votes.
        neighbors: nearest first: `image_path`, `label`, `patient_id`, `distance`.
        leak: why the answer is worth nothing as evidence; empty for an image that the model has not seen.
        root: the folder of the neighbours' paths.
    """

    name: str
    path: Path
    label: str
    votes: Mapping[str, float]
    neighbors: tuple[Mapping[str, Any], ...]
    leak: str = ""
    root: Path = Path()

    @property
    def refused(self) -> bool:
        return not self.label

    def to_json(self) -> dict[str, Any]:
        """For one line of `--json`."""
        found = asdict(self)
        return {**found, "path": str(self.path), "root": str(self.root), "neighbors": list(self.neighbors)}

    def _repr_html_(self) -> str:
        from hilum.report.neighbors_page import render_answer

        return str(render_answer(self))


@dataclass(frozen=True)
class NeighborsResult:
    """What `hilum neighbors` gave.

    Args:
        settings: how the neighbours vote, in words.
        index_images: how many training images vote.
        evaluations: figures by name: `test`, `val` and `seen` of the model's own data; `other` of other data, and
            `leak` of all of them, those that the model has seen included, where that was allowed.
        answers: one an image, where single images were asked about.
        refused: path -> why.
        rejected: path -> code and reason.
        folder: where predictions, figures and page lie; None where nothing was to be written.
        page: the page, if there is one.
        remarks: sentences.
        chosen: validation chose among several settings.
    """

    settings: str
    index_images: int
    evaluations: Mapping[str, Evaluation]
    answers: tuple[Answer, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    rejected: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    folder: Path | None = None
    page: Path | None = None
    remarks: tuple[str, ...] = ()
    chosen: bool = True

    def to_json(self) -> dict[str, Any]:
        """A JSON document."""
        return {
            "settings": self.settings,
            "chosen_on_validation": self.chosen,
            "index_images": self.index_images,
            "evaluations": {name: each.to_json() for name, each in self.evaluations.items()},
            "answers": [each.to_json() for each in self.answers],
            "refused": dict(self.refused),
            "rejected": {path: list(why) for path, why in self.rejected.items()},
            "page": None if self.page is None else str(self.page),
            "remarks": list(self.remarks),
        }

    def _repr_html_(self) -> str:
        from hilum.report.neighbors_page import render_result

        return str(render_result(self))


def neighbors_of(
    model: Path, data: Sequence[Path], options: NeighborsOptions, voice: Voice | None = None
) -> NeighborsResult:
    """Classifies images by the nearest training images of a model.

    Args:
        data: the model's own data: k-NN is evaluated as a study does it; other labelled data: figures on the images
            that neither index nor backbone has seen; image files: an answer each.

    Raises:
        HilumError: no model, no index and no study to make one from, no usable data, nothing but images already seen.
    """
    from hilum.models import load_model

    voice = voice or Silent()
    network, header = load_model(model)
    if not data:
        raise UsageError("DATA", expected="a data root or image files", found="nothing")
    with TemporaryDirectory() as folder:
        with voice.stage("images") as bar:
            pictures = read_pictures(model, header, data, Path(folder), options.labels, options.patient_pattern, bar)
        if pictures.study_dir is not None:
            return _own_data(model, pictures.study_dir, options, voice)
        index = index_for(model, header, options, voice)
        layer = str(index.about.get("layer", "embedding"))
        with voice.stage("embeddings") as bar:
            queries = embed_pictures(network, header, model, pictures, layer, options.device, bar)
    reasons = leaks_of(index, pictures)
    if (queries.table["label"] == "").all():
        return _answers(index, queries, pictures, reasons, options)
    return _other_data(index, queries, pictures, reasons, options, model)


def index_for(model: Path, header: ModelHeader, options: NeighborsOptions, voice: Voice) -> NeighborIndex:
    """The index that was named, the one that lies with the model, or one made now from its study.

    Raises:
        DataError: none of these, or an index of another model's embeddings.
    """
    if options.index is not None:
        index = read_index(options.index)
        _check_made_by(index, model, options.index)
        return index
    study_dir = study_of(model)
    if study_dir is None:
        raise DataError(
            f"model {model}", expected="an index, or the study that the model came from", found="neither",
            way_out="Give the index with --index; a study writes it to RUN/inspection/neighbors/index.arrow.",
        )  # fmt: skip
    return read_index(own_place(model, study_dir, options, voice, with_test=False) / INDEX)


def _check_made_by(index: NeighborIndex, model: Path, path: Path) -> None:
    known = (index.about.get("model_sha256"), index.about.get("weights_sha256"))
    if file_sha256(model) != known[0] and weights_sha256(model) != known[1]:
        raise DataError(
            str(path), expected=f"embeddings of {model.name}", found=f"those of another model, {str(known[0])[:12]}"
        )


def _own_data(model: Path, study_dir: Path, options: NeighborsOptions, voice: Voice) -> NeighborsResult:
    folder = own_place(model, study_dir, options, voice, with_test=True)
    document, found = read_json(folder / DOCUMENT) or {}, read_evaluations(folder / METRICS_FILE)
    result = NeighborsResult(
        document["in_words"], document["index"]["images"], found, folder=folder, chosen=document["chosen"]["tried"] > 1
    )
    with_page = _with_page(result, options.out or folder, options)
    if with_page.page is not None:
        seal_written(study_dir, COMMAND, [with_page.page])
    return with_page


def leaks_of(index: NeighborIndex, pictures: Pictures) -> list[str]:
    """For each image why it must not be asked about; empty where it is new to index and backbone.

    Files and pictures are compared always; patients where both sides' keys are of one folder, or of a rule that names
    a patient of one data set wherever the file lies.
    """
    rows = pictures.rows
    same_root = str(pictures.root) == str(index.about.get("root"))
    same_rule = pictures.patient_rule == index.about.get("patient_rule") and pictures.patient_rule in SPECIFIC
    patients = rows["patient_id"].astype(str).tolist() if same_root or same_rule else [""] * len(rows)
    patients = ["" if each.startswith("image:") else each for each in patients]
    return index.seen.reasons(rows["sha256"].tolist(), rows["canvas"].tolist(), patients)


def _answers(
    index: NeighborIndex, queries: Embeddings, pictures: Pictures, reasons: list[str], options: NeighborsOptions
) -> NeighborsResult:
    found = index.search(queries.matrix, max(index.settings.k, SHOWN))
    probs, root = index.classify(found), Path(str(index.about.get("root", "")))
    answers = []
    for row, (path, leak) in enumerate(zip(queries.table["image_path"], reasons, strict=True)):
        if leak and not options.allow_leak:
            answers.append(Answer(Path(path).name, pictures.root / path, "", {}, (), leak, root))
            continue
        votes = {name: float(share) for name, share in zip(index.labels, probs[row], strict=True)}
        nearest = tuple(
            describe_neighbors(index, found.positions[row], found.distances[row], max(index.settings.k, SHOWN))
        )
        label = index.labels.names[int(probs[row].argmax())]
        answers.append(Answer(Path(path).name, pictures.root / path, label, votes, nearest, leak, root))
    refused = {str(each.path): each.leak for each in answers if each.refused}
    result = NeighborsResult(
        str(index.settings), len(index), {}, tuple(answers), refused, pictures.rejected, options.out
    )
    return _with_page(result, options.out, options) if options.out else result


def _other_data(
    index: NeighborIndex,
    queries: Embeddings,
    pictures: Pictures,
    reasons: list[str],
    options: NeighborsOptions,
    model: Path,
) -> NeighborsResult:
    refused = {path: why for path, why in zip(queries.table["image_path"], reasons, strict=True) if why}
    unknown = sorted(set(queries.table["label"]) - set(index.labels))
    if unknown:
        raise DataError("classes", expected=f"some of {', '.join(index.labels)}", found=", ".join(unknown))
    new = np.array([not why for why in reasons])
    if not new.any() and not options.allow_leak:
        raise DataError(
            "neighbours", expected="images that the model has not seen", found=f"none; {next(iter(refused.values()))}",
            way_out="--allow-leak shows what such a figure looks like.",
        )  # fmt: skip
    folder = options.out or Path("runs") / f"{model.resolve().parent.name}-neighbors-{pictures.root.resolve().name}"
    folder.mkdir(parents=True, exist_ok=True)
    asked = {"other": new} if new.any() else {}
    if options.allow_leak and refused:
        asked["leak"] = np.ones(len(new), bool)
    with _opened(index, queries, folder, model):
        evaluations = {
            name: _evaluated(index, queries.take(rows), folder, name, options) for name, rows in asked.items()
        }
    write_evaluations(folder / METRICS_FILE, evaluations)
    remarks = [f"{len(refused):,} images that the model or its index has seen were refused."] if refused else []
    result = NeighborsResult(
        str(index.settings), len(index), evaluations, (), refused, pictures.rejected, folder, None, tuple(remarks),
        int(index.about.get("tried", 2)) > 1,
    )  # fmt: skip
    write_json(folder / DOCUMENT, {"made": now(), **result.to_json()})
    return _with_page(result, folder, options)


@contextmanager
def _opened(index: NeighborIndex, queries: Embeddings, folder: Path, model: Path) -> Iterator[None]:
    """Writes a look at labelled images into the ledger of the model's study; of `test` if any is of that split."""
    study_dir = study_of(model)
    if study_dir is None:
        yield
        return
    test = read_manifest(study_dir / "manifest.parquet").split("test")
    is_test = set(queries.table["sha256"]) & set(test["sha256"])
    opening = record_opening(
        study_dir,
        run=model.resolve().parent.relative_to(study_dir.resolve()).as_posix(),
        recipe=str(index.about.get("recipe", "")),
        model_sha256=file_sha256(model),
        predictions=f"{folder.name}/{OTHER}",
        images=len(queries),
        reason=describe_asked(index, index.about),
        split="test" if is_test else "other",
    )
    yield
    found = next((each for each in (folder / OTHER, folder / LEAK) if each.exists()), None)
    if found is not None:
        record_predictions(study_dir, opening, file_sha256(found))
    renew_study(study_dir, COMMAND)


def _evaluated(
    index: NeighborIndex, queries: Embeddings, folder: Path, name: str, options: NeighborsOptions
) -> Evaluation:
    logits = np.log(index.classify(index.search(queries.matrix)))
    predictions = Predictions.of(queries.table, logits, index.labels, **queries.about, neighbors=asdict(index.settings))
    path = folder / f"predictions-{name}.parquet"
    predictions.write(path)
    source = {"predictions": path.name, "predictions_sha256": file_sha256(path)}
    return evaluate(predictions, seed=options.seed, replicates=options.replicates, source=source)


def _with_page(result: NeighborsResult, folder: Path, options: NeighborsOptions) -> NeighborsResult:
    from dataclasses import replace

    from hilum.report.neighbors_page import write_neighbors_page

    folder.mkdir(parents=True, exist_ok=True)
    return replace(result, folder=folder, page=write_neighbors_page(result, folder / PAGE))


def _check(what: str, right: bool, expected: str, found: object) -> None:
    if not right:
        raise UsageError(what, expected=expected, found=str(found))
