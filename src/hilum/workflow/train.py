"""One recipe on a data root: a run folder with figures on validation; the test split stays shut."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hilum.data.corrections import read_corrections
from hilum.data.manifest import Manifest, read_manifest
from hilum.data.sources import list_images
from hilum.errors import DataError, TrainingError, UsageError
from hilum.evaluation import Evaluation, read_evaluations
from hilum.recipes.convert import from_json
from hilum.recipes.schema import Recipe
from hilum.workflow.data import identity_of, refuse_other_data, study_data
from hilum.workflow.network import preprocessing_of, refuse_anomaly
from hilum.workflow.options import Options
from hilum.workflow.plan import named
from hilum.workflow.record import digest_of, locked, read_json
from hilum.workflow.run import RunOutcome, run_recipe
from hilum.workflow.seal import sealed
from hilum.workflow.several import leading
from hilum.workflow.study import rejection_warning, study_name, tell_data
from hilum.workflow.voice import Silent, Voice


@dataclass(frozen=True)
class Run:
    """A trained recipe.

    Args:
        run_dir: the run folder.
        recipe: what was trained.
        outcome: how it ended.
        validation: figures on the validation split; None where there is no model.
        rejected: files of the data that could not be used.
    """

    run_dir: Path
    recipe: Recipe
    outcome: RunOutcome
    validation: Evaluation | None
    rejected: int = 0

    @property
    def model_path(self) -> Path | None:
        """The model file."""
        return self.run_dir / "model.safetensors" if self.validation else None

    @property
    def headline(self) -> str:
        """One sentence: the result on validation with its interval."""
        return describe_validation(self.recipe.name, self.validation, self.outcome.sentence)

    def _repr_html_(self) -> str:
        import html

        return f"<p>{html.escape(self.headline)}</p><p><code>{html.escape(str(self.run_dir))}</code></p>"


@dataclass(frozen=True)
class Prepared:
    """A folder with a manifest, ready for runs.

    Args:
        study_dir: where manifest, cache and runs lie.
        deadline: in `time.monotonic` seconds; None without a budget.
    """

    study_dir: Path
    manifest: Manifest
    rejected: int
    deadline: float | None

    @property
    def is_over(self) -> bool:
        """Whether the time budget is used up."""
        return self.deadline is not None and time.monotonic() >= self.deadline

    def seconds_left(self, runs: int = 1) -> float | None:
        """For each of so many runs that are still to come."""
        return None if self.deadline is None else max(self.deadline - time.monotonic(), 1.0) / runs


def train_recipe(recipe: Recipe, data: Path, options: Options, voice: Voice | None = None) -> Run:
    """Trains one recipe; running it again goes on from what an earlier call left.

    Args:
        data: folder or manifest file.

    Raises:
        HilumError: no usable data, a wrong option, or a run that failed.
    """
    from hilum.inference.memory import remembering

    voice = voice or Silent()
    with leading(), remembering(), prepare(recipe, data, options, voice) as prepared:
        outcome = _one_run(recipe, prepared.manifest, prepared.study_dir, options, prepared.seconds_left(), voice)
        return _finished(recipe, prepared.study_dir, outcome, prepared.rejected)


def resume_run(
    run_dir: Path, *, device: str = "auto", time_budget: float | None = None, voice: Voice | None = None
) -> Run:
    """Goes on with a run that was killed or interrupted, with the recipe, seed and data that it was begun with.

    Args:
        run_dir: a run folder of `hilum train` or `hilum study`.
        time_budget: seconds.

    Raises:
        UsageError: no run was begun there.
        DataError: its manifest is gone or another.
    """
    voice, begun = voice or Silent(), read_json(run_dir / "begun.json")
    if not begun or "recipe" not in begun:
        expected = "a run folder of `hilum train`, with its begun.json"
        raise UsageError(f"--resume {run_dir}", expected=expected, found="none" if not run_dir.exists() else "another")
    study_dir = next((each for each in run_dir.resolve().parents if (each / "manifest.parquet").exists()), None)
    if study_dir is None:
        raise DataError(f"--resume {run_dir}", expected="a manifest.parquet above it", found="none")
    manifest, saved = read_manifest(study_dir / "manifest.parquet"), begun["options"]
    if manifest.fingerprint != begun["manifest"]:
        way_out = "Run the command that began it again: a fold, and a run on data that have changed, goes on only so."
        raise DataError(f"--resume {run_dir}", expected="the manifest of this run", found="another", way_out=way_out)
    weights_dir = None if saved["weights_dir"] is None else Path(saved["weights_dir"])
    options = Options(
        device=device, seed=saved["seed"], replicates=saved["replicates"], loggers=saved["loggers"],
        weights_dir=weights_dir, time_budget=time_budget,
    )  # fmt: skip
    recipe, run = from_json(begun["recipe"]), str(run_dir.resolve().relative_to(study_dir))
    with locked(study_dir), sealed(study_dir, "hilum train --resume"):
        outcome = _one_run(recipe, manifest, study_dir, options, time_budget, voice, run)
        return _finished(recipe, study_dir, outcome, 0)


@contextmanager
def prepare(recipe: Recipe, data: Path, options: Options, voice: Voice, *, wait: float = 0.0) -> Iterator[Prepared]:
    """Reads the data and holds the folder for one process as long as the context lasts.

    Args:
        wait: seconds that another process in the folder is waited for.

    Raises:
        UsageError: the folder holds runs on other data, or on the same data split in another way.
    """
    named([recipe])
    refuse_anomaly(recipe)
    started = time.monotonic()
    listing = list_images(data, options.labels)
    study_dir = options.out or Path("runs") / folder_name(data, options)
    refuse_other_data(study_dir, identity_of(listing, options))
    study_dir.mkdir(parents=True, exist_ok=True)
    with locked(study_dir, wait=wait), sealed(study_dir, "hilum train"):
        with voice.stage("data") as bar:
            found = study_data(data, study_dir, options, [preprocessing_of(recipe)], bar)
        tell_data(voice, found, [*found.manifest.facts["warnings"], *rejection_warning(found)])
        deadline = None if options.time_budget is None else started + options.time_budget
        yield Prepared(study_dir, found.manifest, found.rejected, deadline)


def folder_name(data: Path, options: Options) -> str:
    """The name that a study of these data has; with a suffix where they are split in another way."""
    default, suffix = Options(), ""
    if options.val_fraction != default.val_fraction:
        suffix += f"-val{100 * options.val_fraction:g}"
    if options.test_fraction != default.test_fraction:
        suffix += f"-test{100 * options.test_fraction:g}"
    if options.seed != default.seed:
        suffix += f"-seed{options.seed}"
    if options.patient_pattern is not None:
        suffix += f"-by-{digest_of(options.patient_pattern)[:6]}"
    if options.corrections is not None:
        suffix += f"-corrected-{read_corrections(options.corrections).sha256[:6]}"
    return study_name(data, options.labels) + suffix


def _one_run(
    recipe: Recipe,
    manifest: Manifest,
    study_dir: Path,
    options: Options,
    time_budget: float | None,
    voice: Voice,
    run: str | None = None,
) -> RunOutcome:
    with voice.stage(f"run {run or recipe.name}") as bar:
        return run_recipe(
            recipe, manifest, study_dir, options, time_budget=time_budget, on_step=bar, run=run, say=voice.say
        )


def _finished(recipe: Recipe, study_dir: Path, outcome: RunOutcome, rejected: int) -> Run:
    run_dir = study_dir / outcome.run
    if outcome.status not in ("done", "collapsed"):
        if outcome.interrupted:
            return Run(run_dir, recipe, outcome, None, rejected)
        raise TrainingError(f"run {outcome.run} {outcome.status}", found=outcome.sentence)
    from hilum.report import write_figures

    write_figures(run_dir)
    return Run(run_dir, recipe, outcome, read_evaluations(run_dir / "metrics.json")["val"], rejected)


def describe_validation(name: str, evaluation: Evaluation | None, sentence: str = "") -> str:
    """The result of a run on validation in one sentence."""
    if evaluation is None:
        return f"{name}: {sentence}"
    accuracy, auroc = (evaluation.overall[figure] for figure in ("accuracy", "auroc"))
    figures = ", ".join(
        f"{title} {each.value:.3f} [{each.ci_low:.3f}, {each.ci_high:.3f}]"
        for title, each in (("accuracy", accuracy), ("AUROC", auroc))
    )
    return f"{name} on {evaluation.images:,} validation images: {figures}; the test split was not opened."
