"""One way through a task: the manifest that the report would have had, or the right one, and what was made on it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from hilum.data.manifest import Manifest
from hilum.data.predictions import Predictions
from hilum.errors import TrainingError
from hilum.recipes.registry import RECIPES
from hilum.recipes.schema import Recipe
from hilum.replay.measure import Cell
from hilum.replay.mistakes import permute_labels, random_fifth, split_by_image, use_test_as_val
from hilum.replay.networks import LegName, Network
from hilum.replay.predict import predict_by_head, predict_by_neighbors
from hilum.replay.reported import Reported
from hilum.replay.systems import System
from hilum.workflow.folds import FOLD, make_folds
from hilum.workflow.options import Options

DAMAGES = {"label-order": "other-order", "shuffled-evaluation": "other-order", "knn-seen": "seen"}
"""Mistakes that damage predictions or what they are made of -> ending of the predictions file."""


@dataclass
class Leg:
    """A task on one manifest.

    Args:
        name: `followed` or `corrected`.
        manifest: with the report's split, or by patient with a test split that stays shut until all is trained.
        study_dir: has manifest, cache and ledger; runs go below `NAME/`.
        folds: the manifest once for each fold, where figures are pooled over folds and the test split stays shut.
        failed: run -> why there is no network.
        remarks: run -> what must be known of it.
        made: name of a predictions file -> the predictions and the file, or why there are none.
        detected: row of an anomaly detector -> what came of it.
    """

    name: LegName
    manifest: Manifest
    study_dir: Path
    options: Options
    folds: tuple[Manifest, ...] = ()
    failed: dict[str, str] = field(default_factory=dict)
    remarks: dict[str, str] = field(default_factory=dict)
    made: dict[str, tuple[Predictions, Path] | str] = field(default_factory=dict)
    detected: dict[str, Cell] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        return self.study_dir / self.name

    def trainings(self, network: Network) -> Iterator[tuple[str, Manifest]]:
        """Run and manifest of each training that a network needs: one, and one more for each fold."""
        yield network.run, self.manifest
        for number, manifest in enumerate(self.folds, start=1):
            yield f"{network.run}-fold-{number}", manifest

    def remark_of(self, network: Network) -> str:
        """What must be known of a network, and of those of its folds."""
        return " ".join(dict.fromkeys(filter(None, (self.remarks.get(run, "") for run, _ in self.trainings(network)))))

    def split_of(self, figure: Reported) -> str:
        """The split that a figure is computed on here."""
        wanted = (figure.corrected or figure.split) if self.name == "corrected" else figure.split
        if self.folds and wanted != "train":
            return FOLD
        return "val" if wanted == "test" and not len(self.manifest.split("test")) else wanted

    def damage_of(self, figure: Reported) -> str:
        """What is done to the figure's predictions on purpose; empty on the corrected leg."""
        if self.name == "corrected":
            return ""
        return next((DAMAGES[name] for name in figure.mistakes if name in DAMAGES), "")

    def key(self, figure: Reported, network: Network) -> str:
        """Name of a figure's predictions file."""
        first = "first-phase" if figure.first_phase else ""
        return "-".join(filter(None, [figure.row, first, self.split_of(figure), self.damage_of(figure)]))

    def predictions(self, figure: Reported, network: Network) -> tuple[Predictions, Path]:
        """Makes and writes the predictions that a figure is computed from.

        Raises:
            TrainingError: there is no network.
        """
        split, damage = self.split_of(figure), self.damage_of(figure)
        runs = list(self.trainings(network))
        runs = runs[1:] if split == FOLD else runs[:1]
        for run, _ in runs:
            if run in self.failed:
                raise TrainingError(self.failed[run])
        recipe = RECIPES[figure.row]
        parts = [self._predict(recipe, self.folder / run, each, split, damage) for run, each in runs]
        table = pd.concat([each.table for each in parts], ignore_index=True)
        models = {"model": "one a fold", "model_sha256": None, "models": [each.about["model_sha256"] for each in parts]}
        about = parts[0].about if len(parts) == 1 else {**parts[0].about, **models}
        made = Predictions(table, parts[0].labels, about)
        if damage == "other-order":
            made = permute_labels(made, self.options.seed)
        path = self.folder / "predictions" / f"{self.key(figure, network)}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        made.write(path)
        return made, path

    def _predict(self, recipe: Recipe, run_dir: Path, manifest: Manifest, split: str, damage: str) -> Predictions:
        cache, rows, index = self.study_dir / "cache", manifest.split(split), manifest.split("train")
        if recipe.neighbors is None:
            return predict_by_head(run_dir, recipe, manifest, rows, cache, self.options)
        if damage == "seen":
            drawn = random_fifth(len(index), self.options.seed)
            rows, index = index[drawn], index[~drawn]
        return predict_by_neighbors(run_dir, recipe.neighbors, manifest, index, rows, cache, self.options)


def make_legs(system: System, manifest: Manifest, study_dir: Path, options: Options, folds: int) -> tuple[Leg, Leg]:
    """Both ways through a task.

    Args:
        manifest: split by patient.
        folds: 0 = the corrected figures are those of the test split.
    """
    if system.split == "test-as-val":
        damaged = use_test_as_val(manifest)
    else:
        keep_test = system.split == "by-image"
        damaged = split_by_image(manifest, system.val_fraction, options.seed, keep_test=keep_test)
    parts = tuple(make_folds(manifest, folds, options)) if folds else ()
    return Leg("followed", damaged, study_dir, options), Leg("corrected", manifest, study_dir, options, parts)
