"""Hyper-parameter search on validation: every trial is kept and listed, the winner becomes a recipe."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from hilum.errors import TrainingError, UsageError
from hilum.evaluation import read_evaluations
from hilum.recipes.convert import to_json
from hilum.recipes.schema import Range, Recipe
from hilum.workflow.data import write_csv
from hilum.workflow.options import Options
from hilum.workflow.record import digest_of, write_json
from hilum.workflow.run import run_recipe
from hilum.workflow.seal import sealed
from hilum.workflow.space import apply_values, is_whole, make_space
from hilum.workflow.train import Prepared, prepare
from hilum.workflow.voice import Silent, Voice

if TYPE_CHECKING:
    import optuna

HEARTBEAT, GRACE = 20, 90
"""Seconds: how often a worker says that its trial lives, and after what silence the trial counts as lost."""

WARM_UP_TRIALS, WARM_UP_EPOCHS = 4, 2
"""No trial is pruned before so many others have ended and so many of its own epochs are done."""

WAIT = 600.0
"""Seconds that a worker waits for another one to read the data."""


class Pruned(TrainingError):
    """A trial that was ended because it did worse than most others had at the same epoch."""


@dataclass(frozen=True)
class Tuning:
    """A search.

    Args:
        folder: has `trials.csv`, `trials.svg`, `best.json`, the storage `trials.sqlite`, and a run folder a trial.
        trials: one row a trial: `trial, status` (`done`, `pruned`, `failed`, `running`), `val_log_loss` (what is
            searched for), `epochs, seconds, reason`, and the value of each field; the best first.
        best: the winner; None while no trial has ended well.
        interrupted: Ctrl-C; the same call goes on.
    """

    folder: Path
    recipe: Recipe
    space: tuple[Range, ...]
    trials: pd.DataFrame
    best: Recipe | None
    rejected: int = 0
    interrupted: bool = False

    @property
    def headline(self) -> str:
        """One sentence: how many trials, and what the best came to."""
        done = int((self.trials["status"] == "done").sum()) if len(self.trials) else 0
        if self.best is None:
            return f"{self.recipe.name}: none of {len(self.trials)} trials ended well."
        best = self.trials.iloc[0]
        pruned = int((self.trials["status"] == "pruned").sum())
        return (
            f"{self.recipe.name}: best of {done} finished trials ({pruned} pruned) is trial {best['trial']} with a "
            f"validation log loss of {best['val_log_loss']:.4f}; as the best of many it is optimistic."
        )


def tune_recipe(
    recipe: Recipe,
    data: Path,
    options: Options,
    *,
    trials: int,
    space: Sequence[str] = (),
    voice: Voice | None = None,
) -> Tuning:
    """Searches until so many trials have ended; earlier calls and other processes on the same folder count too.

    Only training and validation images are used, and every split is by patient. A trial that does worse than the
    median of the others at the same epoch is pruned.

    Args:
        trials: how many in all, pruned and failed ones included.
        space: texts such as `phases.0.lr=1e-5..1e-2:log`; the recipe's own, else the usual fields, when empty.

    Raises:
        HilumError: no usable data, a wrong option, or optuna is not installed.
    """
    if trials < 1:
        raise UsageError("--trials", expected="1 or more", found=str(trials))
    ranges, voice, optuna = make_space(recipe, space), voice or Silent(), _optuna()
    with prepare(recipe, data, options, voice, wait=WAIT) as prepared:
        pass  # the data are read; from here on workers share the folder
    identity = digest_of(to_json(recipe), to_json_space(ranges), prepared.manifest.fingerprint, options.seed)
    folder = prepared.study_dir / f"{recipe.name}-tune-{identity[:6]}"
    folder.mkdir(exist_ok=True)
    interrupted = False
    with sealed(prepared.study_dir, "hilum tune"):
        search = _open(folder, recipe.name, options.seed, optuna)
        while not interrupted and _ended(search) < trials and not prepared.is_over:
            interrupted = _one_trial(search, recipe, ranges, prepared, folder, options, trials - _ended(search), voice)
        return _summarise(search, recipe, ranges, folder, prepared.rejected, interrupted)


def to_json_space(space: Sequence[Range]) -> list[dict[str, Any]]:
    """Names and numbers of a space."""
    return [vars(each) | {"choices": list(each.choices)} for each in space]


def _optuna():
    try:
        import optuna
    except ModuleNotFoundError:
        way_out = "pip install 'hilum[tune]'"
        raise UsageError("hilum tune", expected="the package optuna", found="none", way_out=way_out) from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def _open(folder: Path, name: str, seed: int, optuna) -> optuna.Study:
    import warnings

    url = f"sqlite:///{folder.resolve() / 'trials.sqlite'}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # the heart beat
        storage = optuna.storages.RDBStorage(
            url, engine_kwargs={"connect_args": {"timeout": 60}}, heartbeat_interval=HEARTBEAT, grace_period=GRACE
        )
    search = optuna.create_study(
        study_name=name,
        storage=storage,
        load_if_exists=True,
        direction="minimize",
        pruner=optuna.pruners.MedianPruner(n_startup_trials=WARM_UP_TRIALS, n_warmup_steps=WARM_UP_EPOCHS),
    )
    # A worker that joins, or a search that goes on, must not draw again what the first ones drew.
    search.sampler = optuna.samplers.TPESampler(seed=seed + len(search.trials))
    return search


def _ended(search: optuna.Study) -> int:
    """Trials that have ended, well or not; those that were lost with their process do not count."""
    return sum(trial.state.is_finished() and "outcome" in trial.user_attrs for trial in search.trials)


def _one_trial(
    search: optuna.Study,
    recipe: Recipe,
    space: Sequence[Range],
    prepared: Prepared,
    folder: Path,
    options: Options,
    left: int,
    voice: Voice,
) -> bool:
    """Runs one trial; returns whether Ctrl-C was pressed."""
    import optuna

    interrupted = False

    def objective(trial: optuna.Trial) -> float:
        nonlocal interrupted
        values = {each.field: _suggest(trial, recipe, each) for each in space}
        own = apply_values(recipe, values)
        run = f"{folder.name}/trial-{trial.number:04}"

        def on_epoch(history: list[dict[str, Any]]) -> None:
            trial.report(history[-1]["val_loss"], len(history))
            if trial.should_prune():
                raise Pruned(run, found=f"worse than most others after {len(history)} epochs")

        with voice.stage(f"trial {trial.number}") as bar:
            outcome = run_recipe(
                own, prepared.manifest, prepared.study_dir, options,
                time_budget=prepared.seconds_left(max(left, 1)), on_step=bar, run=run, on_epoch=on_epoch,
            )  # fmt: skip
        interrupted = outcome.interrupted
        if interrupted:
            raise optuna.TrialPruned("interrupted")
        return _judge(trial, outcome.status, outcome.sentence, prepared.study_dir / run)

    search.optimize(objective, n_trials=1, catch=(TrainingError,))
    return interrupted


def _judge(trial: optuna.Trial, status: str, sentence: str, run_dir: Path) -> float:
    """The trial's validation log loss; what training left beside figures and recipe is removed."""
    import optuna

    shutil.rmtree(run_dir / "checkpoints", ignore_errors=True)
    (run_dir / "model.safetensors").unlink(missing_ok=True)
    history = run_dir / "history.csv"
    table = pd.read_csv(history) if history.exists() else pd.DataFrame({"seconds": []})
    trial.set_user_attr("epochs", len(table))
    trial.set_user_attr("seconds", float(table["seconds"].sum()))
    if status in ("done", "collapsed"):
        trial.set_user_attr("outcome", "done")
        trial.set_user_attr("reason", sentence)
        return read_evaluations(run_dir / "metrics.json")["val"].overall["log_loss"].value
    pruned = "worse than most others" in sentence
    trial.set_user_attr("outcome", "pruned" if pruned else "failed")
    trial.set_user_attr("reason", sentence)
    if pruned:
        raise optuna.TrialPruned(sentence)
    raise TrainingError(f"trial {trial.number}", found=sentence)


def _suggest(trial: optuna.Trial, recipe: Recipe, each: Range) -> Any:
    if each.choices:
        return trial.suggest_categorical(each.field, list(each.choices))
    if is_whole(recipe, each.field):
        return trial.suggest_int(each.field, round(each.low), round(each.high), log=each.log)
    return trial.suggest_float(each.field, each.low, each.high, log=each.log)


def _summarise(
    search: optuna.Study, recipe: Recipe, space: tuple[Range, ...], folder: Path, rejected: int, interrupted: bool
) -> Tuning:
    from hilum.report.charts.trials import plot_trials

    rows = [_row(trial, space) for trial in search.trials]
    columns = ["trial", "status", "val_log_loss", "epochs", "seconds", "reason", *(each.field for each in space)]
    table = pd.DataFrame(rows, columns=columns)
    order = table["status"].map({"done": 0, "pruned": 1, "failed": 2}).fillna(3)
    table = table.iloc[pd.DataFrame({"o": order, "v": table["val_log_loss"]}).sort_values(["o", "v"]).index]
    table = table.reset_index(drop=True)
    write_csv(folder / "trials.csv", table)
    best = _winner(recipe, table, space)
    if best is not None:
        write_json(folder / "best.json", to_json(best))
        svg = plot_trials(table, [(each.field, each.log) for each in space], recipe.name).standalone()
        partial = folder / "trials.svg.partial"
        partial.write_text(svg, encoding="utf-8")
        partial.replace(folder / "trials.svg")
    return Tuning(folder, recipe, space, table, best, rejected, interrupted)


def _row(trial: optuna.trial.FrozenTrial, space: Sequence[Range]) -> dict[str, Any]:
    about = trial.user_attrs
    last = trial.intermediate_values[max(trial.intermediate_values)] if trial.intermediate_values else None
    lost = "failed" if trial.state.is_finished() else "running"
    return {
        "trial": trial.number,
        "status": about.get("outcome", lost),
        "val_log_loss": trial.value if about.get("outcome") == "done" else last,
        "epochs": about.get("epochs", len(trial.intermediate_values)),
        "seconds": about.get("seconds"),
        "reason": about.get("reason", ""),
        **{each.field: trial.params.get(each.field) for each in space},
    }


def _winner(recipe: Recipe, table: pd.DataFrame, space: Sequence[Range]) -> Recipe | None:
    if not len(table) or table["status"].iloc[0] != "done":
        return None
    best = table.iloc[0]
    values = {each.field: best[each.field] for each in space}
    values = {name: int(value) if is_whole(recipe, name) else value for name, value in values.items()}
    words = f"{recipe.name} with the best values of {int((table['status'] == 'done').sum())} finished trials."
    return replace(apply_values(recipe, values), name=f"{recipe.name}-tuned", description=words)
