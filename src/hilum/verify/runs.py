"""A run folder: its model file, predictions, figures, calibration and drawings, each against what it is made from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hilum.data.manifest import Manifest
from hilum.data.predictions import Predictions, read_predictions
from hilum.evaluation import evaluate
from hilum.evaluation.values import SCHEMA, without_nan
from hilum.models.modelfile import ModelHeader, verify_model
from hilum.models.weights import file_sha256
from hilum.transforms import Preprocessing
from hilum.verify.book import Book
from hilum.verify.documents import compare_values
from hilum.verify.pages import compare_page
from hilum.verify.pictures import caches_of
from hilum.workflow.calibrate import CALIBRATION, calibration_of, describe_training, what_points_give
from hilum.workflow.elsewhere import ELSEWHERE, read_elsewhere

MOST = 5


@dataclass(frozen=True)
class RunFolder:
    """What is known of a run before it is looked at.

    Args:
        folder: of the study.
        name: of the run, below it.
        manifest: of the study.
        fold: trained on a split of its own, which the study's manifest does not hold.
        keeps_model: the model file has to be there.
    """

    folder: Path
    name: str
    manifest: Manifest
    fold: bool = False
    keeps_model: bool = True

    @property
    def path(self) -> Path:
        return self.folder / self.name

    def document(self, name: str) -> dict[str, Any]:
        """One of its JSON files; empty where there is none."""
        path = self.path / name
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def check_run(book: Book, run: RunFolder) -> None:
    """Everything that can be computed again of one run."""
    header: ModelHeader | None = None
    with book.check(f"model file of {run.name}", f"{run.name}/model.safetensors"):
        header = check_model(book, run)
    with book.check(f"history of {run.name}", f"{run.name}/environment.json"):
        _check_facts(book, run)
    known: dict[str, Predictions] = {}
    for path in sorted(run.path.glob("predictions-*.parquet")):
        split = path.stem.removeprefix("predictions-")
        with book.check(f"predictions of {run.name} on {split}", f"{run.name}/{path.name}"):
            known[split] = check_predictions(book, run, split, header)
    with book.check(f"figures of {run.name}", f"{run.name}/metrics.json"):
        check_metrics(book, run.folder, run.name, run.path, known)
    if (run.path / CALIBRATION).exists() and "val" in known:
        with book.check(f"calibration of {run.name}", f"{run.name}/{CALIBRATION}"):
            _check_calibration(book, run, known, header)
    for metrics in sorted(run.path.glob("inspection/**/metrics.json")):
        name = metrics.parent.relative_to(run.folder).as_posix()
        with book.check(f"figures of {name}", f"{name}/metrics.json"):
            _check_beside(book, name, metrics.parent)
    if (run.path / "figures").is_dir():
        with book.check(f"drawings of {run.name}", f"{run.name}/figures"):
            check_drawings(book, run)


def check_model(book: Book, run: RunFolder) -> ModelHeader | None:
    """The model file against its own digest, its recipe and the pictures that it was trained on."""
    path, file = run.path / "model.safetensors", f"{run.name}/model.safetensors"
    if not path.exists():
        if run.keeps_model:
            book.differ(file, "", "a model file", "none")
        return None
    header = book.recall(("model", file_sha256(path)), lambda: verify_model(path))
    begun, recipe = run.document("begun.json"), run.document("recipe.json")
    if begun.get("manifest"):
        book.expect(file, "fingerprint of the data", begun["manifest"], header.fingerprint)
    if recipe:
        compare_values(book, f"{run.name}/recipe.json", dict(header.recipe), recipe)
    if header.labels:  # an autoencoder has none
        book.expect(file, "labels", list(run.manifest.labels), list(header.labels))
    if not run.fold and header.extras.get("training_data"):
        _check_training(book, run, header, file)
    return header


def _check_training(book: Book, run: RunFolder, header: ModelHeader, file: str) -> None:
    preprocessing = Preprocessing(**header.preprocessing)
    caches = caches_of(run.folder, run.manifest, [preprocessing])
    cache = next((cache for each, cache in caches.values() if each.canvas == preprocessing.canvas), None)
    if cache is None:
        return
    train = cache.of(run.manifest.split("train"))
    expected = describe_training(run.manifest, train)
    compare_values(book, file, expected, header.extras["training_data"], "training_data")


def _check_facts(book: Book, run: RunFolder) -> None:
    """What environment, history and the first lines of a run say of each other."""
    environment, begun = run.document("environment.json"), run.document("begun.json")
    if not environment:
        return
    file = f"{run.name}/environment.json"
    if begun:
        book.expect(file, "identity", begun.get("identity"), environment.get("identity"))
        recipe = {name: value for name, value in run.document("recipe.json").items() if name != "preprocessing"}
        asked = {name: value for name, value in begun.get("recipe", {}).items() if name != "preprocessing"}
        compare_values(book, f"{run.name}/recipe.json", asked, recipe)
    history = run.path / "history.csv"
    if history.exists():
        rows = pd.read_csv(history)
        book.expect(f"{run.name}/history.csv", "rows", environment.get("epochs_done"), len(rows))
    stages = environment.get("stages") or []
    if stages:
        total = sum(stage["parameters"] for stage in stages)
        book.expect(file, "parameters", total, environment.get("parameters"))


def check_predictions(book: Book, run: RunFolder, split: str, header: ModelHeader | None) -> Predictions:
    """A predictions file against the manifest's rows and the model file."""
    path, file = run.path / f"predictions-{split}.parquet", f"{run.name}/predictions-{split}.parquet"
    predictions = read_predictions(path)
    about, begun = predictions.about, run.document("begun.json")
    if header is not None and "model_sha256" in about:
        found = file_sha256(run.path / "model.safetensors")
        book.expect(f"{run.name}/model.safetensors", f"SHA-256 that {path.name} names", about["model_sha256"], found)
        temperature = 1.0 if split == "val" else float(header.extras.get("temperature", 1.0))
        book.expect(file, "temperature", temperature, about.get("temperature", temperature))
    if begun.get("manifest") and "manifest" in about:
        book.expect(file, "fingerprint of the data", begun["manifest"], about["manifest"])
    _check_softmax(book, file, predictions)
    if not run.fold:
        rows = run.manifest.split(split)
        book.expect(file, "fingerprint of manifest.parquet", run.manifest.fingerprint, about.get("manifest"))
        check_rows(book, file, predictions, rows)
    return predictions


def check_rows(book: Book, file: str, predictions: Predictions, rows: pd.DataFrame) -> None:
    """The images, labels, patients and splits of predictions are those of the manifest."""
    wanted = rows.set_index("image_path")[["label", "patient_id", "split"]].astype(str)
    given = predictions.table.set_index("image_path")[["target", "patient_id", "split"]].astype(str)
    given = given.rename(columns={"target": "label"})
    book.compared += 3 * len(wanted)
    for words, names in (
        ("in the manifest's split and without a prediction", wanted.index.difference(given.index)),
        ("predicted and not in the manifest's split", given.index.difference(wanted.index)),
    ):
        for name in names[:MOST]:
            book.differ(file, str(name), "the same images in manifest.parquet and here", words)
    both = wanted.index.intersection(given.index)
    for column in wanted:
        differs = (wanted.loc[both, column] != given.loc[both, column]).to_numpy()
        for name in both[differs][:MOST]:
            expected = f"{wanted.at[name, column]} as in manifest.parquet"
            book.differ(file, f"{name}, {column}", expected, given.at[name, column])


def _check_softmax(book: Book, file: str, predictions: Predictions) -> None:
    again = predictions.with_logits(predictions.logits).probs
    book.compared += again.size
    wrong = np.abs(again - predictions.probs) > 1e-9
    for row in np.flatnonzero(wrong.any(axis=1))[:MOST]:
        column = int(wrong[row].argmax())
        name = f"{predictions.table['image_path'].iloc[row]}, probability of {predictions.labels.names[column]}"
        book.differ(file, name, f"{again[row, column]:.9g} by its logits", f"{predictions.probs[row, column]:.9g}")


def check_metrics(book: Book, folder: Path, name: str, path: Path, known: Mapping[str, Predictions]) -> None:
    """`metrics.json` against figures that are computed anew from the predictions files."""
    file, metrics = (f"{name}/metrics.json" if name else "metrics.json"), path / "metrics.json"
    documents = json.loads(metrics.read_text(encoding="utf-8")) if metrics.exists() else {}
    for split in known:
        if split not in documents and split != "fold":
            book.differ(file, split, f"figures of predictions-{split}.parquet", "none")
    for split, found in documents.items():
        if not isinstance(found, Mapping) or found.get("schema") != SCHEMA:
            book.words_differ(file, split, f"an entry of schema {SCHEMA}", "another one")
        elif split not in known:
            book.differ(file, split, f"a file predictions-{split}.parquet that can be read", "none")
        else:
            source = path / f"predictions-{split}.parquet"
            compare_values(book, file, evaluation_of(book, source, known[split], found), found, split)


def _check_beside(book: Book, name: str, path: Path) -> None:
    """Figures of whatever else was predicted for a run, such as by its neighbours."""
    documents = json.loads((path / "metrics.json").read_text(encoding="utf-8"))
    for split, found in documents.items() if isinstance(documents, Mapping) else ():
        source = path / f"predictions-{split}.parquet"
        if isinstance(found, Mapping) and found.get("schema") == SCHEMA and source.exists():
            made = evaluation_of(book, source, read_predictions(source), found)
            compare_values(book, f"{name}/metrics.json", made, found, split)


def evaluation_of(book: Book, path: Path, predictions: Predictions, found: Mapping[str, Any]) -> dict[str, Any]:
    """The document of an evaluation made anew, with the redraws that the found one names."""
    source, digest = found.get("source", {}), file_sha256(path)
    named = str(source.get("predictions", ""))
    named = named if f"/{named}".endswith(f"/{path.name}") else path.name
    settings = {name: source[name] for name in ("seed", "replicates", "level")}
    about = {"predictions": named, "predictions_sha256": digest}
    key = ("evaluation", digest, *settings.values())
    made = book.recall(key, lambda: evaluate(predictions, **settings).to_json())
    return json.loads(json.dumps({**made, "source": {**made["source"], **about}}))


def _check_calibration(
    book: Book, run: RunFolder, known: Mapping[str, Predictions], header: ModelHeader | None
) -> None:
    file, found = f"{run.name}/{CALIBRATION}", run.document(CALIBRATION)
    digest = file_sha256(run.path / "predictions-val.parquet")
    beside = run.path / ELSEWHERE
    more = file_sha256(beside) if beside.exists() else ""
    expected = book.recall(
        ("calibration", digest, more), lambda: calibration_of(known["val"], read_elsewhere(run.path))
    )
    gives = dict(expected["gives"])
    for split in found.get("gives", {}):
        if split != "val" and split in known:
            gives[split] = what_points_give(expected, known[split])
    expected = json.loads(json.dumps(without_nan({**expected, "gives": gives})))
    compare_values(book, file, expected, found)
    if header is not None and "temperature" in header.extras:
        model = f"{run.name}/model.safetensors"
        compare_values(book, model, expected["temperature"], header.extras["temperature"], "temperature")
        compare_values(book, model, expected["points"], header.extras.get("operating_points"), "operating_points")


def check_drawings(book: Book, run: RunFolder) -> None:
    """`figures/*.svg` against drawings made anew."""
    from hilum.report.run_figures import plot_run
    from hilum.report.study_folder import read_run

    files = sorted(each for each in run.path.rglob("*") if each.suffix in (".json", ".csv", ".parquet"))
    key = ("drawings", run.name, *(file_sha256(each) for each in files if "inspection" not in each.parts))
    drawn = book.recall(key, lambda: {name: figure.standalone() for name, figure in plot_run(read_run(run.path))})
    for name, svg in drawn.items():
        path, file = run.path / "figures" / f"{name}.svg", f"{run.name}/figures/{name}.svg"
        if not path.exists():
            book.words_differ(file, "", "a drawing", "none")
        else:
            found = path.read_bytes().decode("utf-8", errors="replace")
            expected = svg.encode("utf-8", errors="backslashreplace").decode("utf-8")
            compare_page(book, file, expected, found, pictures=True)
