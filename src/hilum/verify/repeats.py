"""Folds, seeds and searches: what pools several runs, against those runs."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hilum.data.predictions import read_predictions
from hilum.evaluation import Evaluation
from hilum.verify.book import Book
from hilum.verify.documents import compare_csv, compare_values
from hilum.verify.runs import evaluation_of
from hilum.workflow.folds import FOLD, spread_of

FOLDS, TRIALS = "folds.json", "trials.csv"
MOST = 5


def check_repetitions(book: Book, folder: Path) -> None:
    """Every repetition and search of a folder."""
    for path in sorted(folder.glob(f"*/{FOLDS}")):
        name = path.parent.name
        with book.check(f"the repetition {name}", f"{name}/{FOLDS}"):
            _check_folds(book, folder, name)
    for path in sorted(folder.glob(f"*/{TRIALS}")):
        name = path.parent.name
        with book.check(f"the search {name}", f"{name}/{TRIALS}"):
            _check_trials(book, folder, name)


def is_fold(name: str, folder: Path) -> bool:
    """Whether a run is one of several folds, each on a split of its own."""
    path = folder / Path(name).parent / FOLDS
    if path.exists():
        try:
            return bool(json.loads(path.read_text(encoding="utf-8")).get("folds"))
        except (ValueError, AttributeError):
            pass  # looked at elsewhere
    return "-fold-" in Path(name).name


def _check_folds(book: Book, folder: Path, name: str) -> None:
    document = json.loads((folder / name / FOLDS).read_text(encoding="utf-8"))
    file, split = f"{name}/{FOLDS}", FOLD if document["folds"] else "val"
    rows = [_run_row(book, folder, each, split) for each in document["runs"]]
    compare_values(book, file, rows, document["runs"], "runs")
    by_seed = []
    for each in document["seeds"]:
        path = folder / name / each["predictions"]
        _check_pool(book, folder, name, path, [row["run"] for row in rows if row["seed"] == each["seed"]], split)
        made = evaluation_of(book, path, read_predictions(path), each["pooled"])
        compare_values(book, file, made, each["pooled"], f"seed {each['seed']}")
        by_seed.append(Evaluation.from_json(made))
    compare_values(book, file, spread_of(by_seed), document["spread"], "spread")
    table = pd.DataFrame(document["runs"])
    found = (folder / name / "runs.csv").read_text(encoding="utf-8")
    compare_csv(book, f"{name}/runs.csv", table.to_csv(index=False), found)


def _run_row(book: Book, folder: Path, row: dict[str, Any], split: str) -> dict[str, Any]:
    """A run's line, its figures made anew."""
    path = folder / row["run"] / f"predictions-{split}.parquet"
    if not path.exists():
        return {**row, "images": 0, "accuracy": None, "auroc": None}
    metrics = json.loads((folder / row["run"] / "metrics.json").read_text(encoding="utf-8"))
    source = {**metrics["val"]["source"], "seed": row["seed"]}
    made = Evaluation.from_json(evaluation_of(book, path, read_predictions(path), {"source": source}))
    figures = {name: made.overall[name].value for name in ("accuracy", "auroc")}
    plain = {name: None if math.isnan(value) else value for name, value in figures.items()}
    return {**row, "images": made.images, **plain}


def _check_pool(book: Book, folder: Path, name: str, path: Path, runs: list[str], split: str) -> None:
    """The pooled predictions are those of the folds, one below the other."""
    parts = [read_predictions(folder / run / f"predictions-{split}.parquet").table for run in runs]
    expected, found = pd.concat(parts, ignore_index=True), read_predictions(path).table
    file = f"{name}/{path.name}"
    book.compared += expected.size
    if len(expected) != len(found):
        book.differ(file, "rows", len(expected), len(found))
        return
    for column in expected:
        wrong = np.flatnonzero(expected[column].to_numpy() != found[column].to_numpy())
        for row in wrong[:MOST]:
            where = f"{found['image_path'].iloc[row]}, {column}"
            book.differ(file, where, str(expected[column].iloc[row]), str(found[column].iloc[row]))


def _check_trials(book: Book, folder: Path, name: str) -> None:
    table = pd.read_csv(folder / name / TRIALS)
    for _, row in table.iterrows():
        metrics = folder / name / f"trial-{int(row['trial']):04}" / "metrics.json"
        if row["status"] != "done":
            continue
        document = json.loads(metrics.read_text(encoding="utf-8"))
        expected = document["val"]["overall"]["log_loss"]["value"]
        compare_values(
            book, f"{name}/{TRIALS}", expected, row["val_log_loss"], f"trial {int(row['trial'])}, val_log_loss"
        )
    done = table[table["status"] == "done"]
    if len(done):
        lowest = float(done["val_log_loss"].min())
        book.expect(f"{name}/{TRIALS}", "the best trial first", lowest, float(table["val_log_loss"].iloc[0]))
