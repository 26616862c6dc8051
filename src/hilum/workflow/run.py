"""One recipe on one manifest -> a run folder, whatever happens on the way."""

from __future__ import annotations

import shutil
import traceback
from collections.abc import Callable, Collection
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from hilum.data.cache import READER
from hilum.data.manifest import Manifest
from hilum.errors import HilumError, OutOfTime
from hilum.evaluation import Evaluation, read_evaluations
from hilum.models.weights import find_local_snapshot
from hilum.recipes.convert import from_json, to_json
from hilum.recipes.schema import Recipe
from hilum.workflow.options import CPU_BUDGET, Options
from hilum.workflow.record import digest_of, now, read_json, write_json
from hilum.workflow.run_predictions import add_evaluation
from hilum.workflow.run_training import Training, train_run


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended.

    Args:
        run: name of its folder.
        status: `done`, `collapsed`, `failed` or `skipped`.
        sentence: why, or what came of it.
        interrupted: Ctrl-C was pressed.
    """

    run: str
    recipe: str
    status: str
    sentence: str
    interrupted: bool = False


def run_recipe(
    recipe: Recipe,
    manifest: Manifest,
    study_dir: Path,
    options: Options,
    *,
    time_budget: float | None,
    on_step: Callable[[int, int, str], None],
    run: str | None = None,
    say: Callable[[str], None] | None = None,
    allow: Collection[str] = (),
    on_epoch: Callable[[list[dict[str, Any]]], None] | None = None,
) -> RunOutcome:
    """Trains, predicts validation, evaluates it; whatever goes wrong becomes an outcome, never an end of the study.

    A run that finished earlier with the same recipe, data, seed and weights is taken as it is.

    Args:
        run: the run's folder below `study_dir`; the recipe's name when None.
        say, allow, on_epoch: as `Training` has them.
    """
    recipe = from_json(to_json(recipe))  # 1 and 1.0 are one recipe
    run = run or recipe.name
    run_dir = study_dir / run
    weights = _weights_digest(recipe, options)
    identity = digest_of(to_json(recipe), manifest.fingerprint, options.seed, READER, weights, *sorted(allow))
    finished = _finished(run, run_dir, identity, options)
    if finished is not None:
        return finished
    _make_room(run_dir, identity, recipe, manifest, options)
    try:
        environment = train_run(
            Training(recipe, manifest, run_dir, study_dir, options, time_budget, on_step, say, allow, on_epoch)
        )
        if environment["interrupted"] and not environment["epochs_done"]:
            return RunOutcome(run, recipe.name, "skipped", "Interrupted before its first epoch had ended.", True)
        evaluation = add_evaluation(run_dir, "val", options)
    except OutOfTime as error:
        return RunOutcome(run, recipe.name, "skipped", str(error))
    except HilumError as error:
        return RunOutcome(run, recipe.name, "failed", str(error))
    except Exception as error:  # a study of many recipes must not lose the others to one
        (run_dir / "error.txt").write_text(traceback.format_exc())
        sentence = f"An unexpected {type(error).__name__}: {' '.join(str(error).split())[:300]} (see error.txt)"
        return RunOutcome(run, recipe.name, "failed", sentence)
    write_json(run_dir / "environment.json", {**environment, "identity": identity})
    _add_card(run_dir, say)
    if not environment["interrupted"]:  # else the same command goes on from there
        shutil.rmtree(run_dir / "checkpoints", ignore_errors=True)
    return _outcome(run, evaluation, environment)


def _add_card(run_dir: Path, say: Callable[[str], None] | None) -> None:
    """Writes the model card; a run that is trained and evaluated is not lost to one."""
    from hilum.report.card import write_card

    try:
        write_card(run_dir)
    except Exception as error:  # the run itself is whole
        why = " ".join(str(error).split())[:200]
        if say is not None:
            say(f"  The model card could not be written: {type(error).__name__}: {why}")


def _weights_digest(recipe: Recipe, options: Options) -> str:
    """Changes with the pre-trained weights that a recipe starts from, as far as they lie on this machine."""
    if recipe.model.weights == "none":
        return ""
    snapshot = find_local_snapshot(recipe.model.name, options.weights_dir)
    return snapshot.provenance()["sha256"] if snapshot else ""


def _finished(run: str, run_dir: Path, identity: str, options: Options) -> RunOutcome | None:
    environment = read_json(run_dir / "environment.json")
    if not environment or environment.get("identity") != identity or environment.get("interrupted"):
        return None
    if environment.get("shortened") and _more_time(environment.get("study_budget_s"), options):
        return None
    needed = ("model.safetensors", "predictions-val.parquet", "metrics.json", "history.csv")
    if not all((run_dir / name).exists() for name in needed):
        return None
    return _outcome(run, _evaluation_as_asked(run_dir, options), environment)


def _evaluation_as_asked(run_dir: Path, options: Options) -> Evaluation:
    """The figures on validation of a finished run; made anew where the intervals are to rest on other redraws."""
    known = read_evaluations(run_dir / "metrics.json")
    asked = {"seed": options.seed, "replicates": options.replicates}
    for split, evaluation in known.items():
        if any(evaluation.source.get(name) != value for name, value in asked.items()):
            fresh = add_evaluation(run_dir, split, options, keep=True)
            known[split] = fresh
    return known["val"]


def _more_time(before: float | None, options: Options) -> bool:
    """Whether this call gives a study a good deal more time than the one that had to shorten a run."""
    return options.time_budget is not None and options.time_budget > 1.2 * (before or CPU_BUDGET)


def _outcome(name: str, evaluation: Evaluation, environment: dict[str, Any]) -> RunOutcome:
    broken = [verdict for verdict in evaluation.verdicts if verdict.severity == "error"]
    status = "collapsed" if broken else "done"
    sentence = broken[0].sentence if broken else environment["stopped"]
    return RunOutcome(name, environment["recipe"], status, sentence, environment["interrupted"])


def _make_room(run_dir: Path, identity: str, recipe: Recipe, manifest: Manifest, options: Options) -> None:
    """Keeps what a killed run of the same kind left; puts anything else aside, for it may be somebody's work."""
    begun = read_json(run_dir / "begun.json")
    if run_dir.exists() and (not begun or begun["identity"] != identity):
        aside = next(place for n in count(1) if not (place := run_dir.with_name(f"{run_dir.name}.before-{n}")).exists())
        run_dir.rename(aside)
    run_dir.mkdir(parents=True, exist_ok=True)
    if not (run_dir / "begun.json").exists():
        begun = {"identity": identity, "time": now(), "recipe": to_json(recipe), "manifest": manifest.fingerprint}
        write_json(run_dir / "begun.json", {**begun, "options": options.of_a_run()})
