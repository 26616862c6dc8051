"""What `import hilum` offers: the command line's main jobs as functions."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from hilum.recipes.schema import Recipe
from hilum.serving.predictor import Predictor
from hilum.workflow.audit import AuditedData, run_audit
from hilum.workflow.evaluate import Trial, TrialOptions, evaluate_on
from hilum.workflow.folds import Repetition, repeat_recipe
from hilum.workflow.options import Options
from hilum.workflow.recipe_file import find_recipe
from hilum.workflow.study import Study, run_study
from hilum.workflow.train import Run, train_recipe
from hilum.workflow.voice import Voice


def study(
    data: str | Path | None = None,
    *,
    labels: str = "folders",
    recipes: Sequence[str | Recipe] | None = None,
    out: str | Path | None = None,
    time_budget: float | None = None,
    quick: bool = False,
    weights_dir: str | Path | None = None,
    patient_pattern: str | None = None,
    corrections: str | Path | None = None,
    val_fraction: float = 0.2,
    test_fraction: float = 0.2,
    replicates: int = 1000,
    device: str = "auto",
    seed: int = 0,
    voice: Voice | None = None,
) -> Study:
    """Splits, trains, evaluates and reports.

    Args:
        data: a folder of class folders, of train/ and test/ folders of those, or a CSV or Parquet manifest; None draws
            X-rays.
        labels: `folders`, `kermany3`, or a regular expression with a group named `label`.
        recipes: names or recipes; None takes what suits the data and the machine.
        out: the study's folder; `runs/NAME` when None. What an earlier call finished there is not done again.
        time_budget: seconds; None means 14 minutes without a GPU, no limit with one, 80 s for drawn X-rays.
        quick: small and short, to see whether everything works.
        weights_dir: a folder of pre-trained weights, one folder a model.
        patient_pattern: regular expression on the path; its groups make the patient key.
        corrections: a suspected-labels.csv with corrected labels filled in.
        val_fraction: share of the training images that validates, in (0, 0.5].
        test_fraction: share of all images that tests, where no test split is given, in (0, 0.5].
        replicates: of the bootstrap behind the intervals.
        device: `auto`, `cpu`, `cuda` or `mps`.
        voice: told what goes on; None is silent.

    Returns:
        The study; it shows itself in a notebook.

    Raises:
        HilumError: no usable data or a wrong option, in one line.
    """
    command = _as_typed(study, locals())
    options = Options(
        labels=labels,
        recipes=recipes,
        out=None if out is None else Path(out),
        time_budget=time_budget,
        quick=quick,
        weights_dir=None if weights_dir is None else Path(weights_dir),
        device=device,
        seed=seed,
        patient_pattern=patient_pattern,
        corrections=None if corrections is None else Path(corrections),
        val_fraction=val_fraction,
        test_fraction=test_fraction,
        replicates=replicates,
        command=command,
    )
    return run_study(None if data is None else Path(data), options, voice)


def _as_typed(function: Callable[..., object], arguments: Mapping[str, object]) -> str:
    """The call that repeats this one: arguments that are not what they are anyway."""
    parameters = inspect.signature(function).parameters.values()
    given = [each for each in parameters if each.name != "voice" and arguments[each.name] != each.default]
    shown = [f"{each.name}={_plainly(arguments[each.name])}" for each in given]
    return f"hilum.{function.__name__}({', '.join(shown)})"


def _plainly(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_plainly, value))}]"
    if isinstance(value, Recipe):
        return repr(value.name)
    return repr(str(value)) if isinstance(value, Path) else repr(value)


def train(
    recipe: str | Recipe,
    data: str | Path,
    *,
    labels: str = "folders",
    folds: int = 0,
    seeds: int = 1,
    out: str | Path | None = None,
    time_budget: float | None = None,
    weights_dir: str | Path | None = None,
    patient_pattern: str | None = None,
    corrections: str | Path | None = None,
    val_fraction: float | None = None,
    test_fraction: float = 0.2,
    replicates: int = 1000,
    device: str = "auto",
    seed: int = 0,
    voice: Voice | None = None,
) -> Run | Repetition:
    """Trains one recipe; the figures are those of validation, the test split stays shut.

    Args:
        recipe: a name from `hilum recipes`, a file (`./mine.py`, `./mine.json`), or a Recipe.
        data, labels, patient_pattern, corrections, test_fraction, replicates, device, voice: as in `study`.
        folds: at least 2 trains on each of so many folds of whole patients and pools the figures; 0 does not.
        seeds: more than 1 trains with so many seeds, from `seed` on.
        out: the folder for manifest, cache and run; `runs/NAME` when None. What is finished there is not done again.
        time_budget: seconds; None means no limit.
        val_fraction: share of the training images that validates; None takes the recipe's, else 0.2.

    Returns:
        A Run; with folds or seeds a Repetition.

    Raises:
        HilumError: no usable data, a wrong option, or a run that failed, in one line.
    """
    chosen = recipe if isinstance(recipe, Recipe) else find_recipe(str(recipe))
    options = Options(
        labels=labels,
        out=None if out is None else Path(out),
        time_budget=time_budget,
        weights_dir=None if weights_dir is None else Path(weights_dir),
        device=device,
        seed=seed,
        patient_pattern=patient_pattern,
        corrections=None if corrections is None else Path(corrections),
        val_fraction=val_fraction or chosen.val_fraction or Options.val_fraction,
        test_fraction=test_fraction,
        replicates=replicates,
    )
    if folds or seeds > 1:
        return repeat_recipe(chosen, Path(data), options, folds=folds, seeds=seeds, voice=voice)
    return train_recipe(chosen, Path(data), options, voice)


def audit(
    data: str | Path,
    *,
    labels: str = "folders",
    out: str | Path | None = None,
    patient_pattern: str | None = None,
    corrections: str | Path | None = None,
    val_fraction: float = 0.2,
    test_fraction: float = 0.2,
    seed: int = 0,
    voice: Voice | None = None,
) -> AuditedData:
    """Looks for everything that is wrong with a data set before anybody trains on it.

    Args:
        data: a folder of class folders, of train/ and test/ folders of those, or a CSV or Parquet manifest.
        labels: `folders`, `kermany3`, or a regular expression with a group named `label`.
        out: where `audit.json` and `audit.html` go; `runs/NAME` when None, as for a study of the same data.
        patient_pattern: regular expression on the path; its groups make the patient key.
        corrections: a suspected-labels.csv with corrected labels filled in.
        val_fraction, test_fraction: as for `study`.
        voice: told what goes on; None is silent.

    Returns:
        The findings with the manifest that they are about, and the page.

    Raises:
        HilumError: no usable data or a wrong option, in one line.
    """
    command = _as_typed(audit, locals())
    options = Options(
        labels=labels,
        out=None if out is None else Path(out),
        seed=seed,
        patient_pattern=patient_pattern,
        corrections=None if corrections is None else Path(corrections),
        val_fraction=val_fraction,
        test_fraction=test_fraction,
        command=command,
    )
    return run_audit(Path(data), options, voice)


def evaluate(
    model: str | Path,
    data: str | Path,
    *,
    labels: str = "folders",
    mapping: Sequence[str] = (),
    tta: Sequence[str] = (),
    prevalence: float | None = None,
    recalibrate: float | None = None,
    patient_pattern: str | None = None,
    replicates: int = 1000,
    out: str | Path | None = None,
    device: str = "auto",
    seed: int = 0,
    voice: Voice | None = None,
) -> Trial:
    """Tries a model on somebody else's data.

    Where the model file lies in its study, the opening goes into the study's ledger, and images that the model was
    trained or chosen on are left out.

    Args:
        model: a model file.
        data: a folder of class folders, or a CSV or Parquet manifest; all its images are used, whatever their split.
        labels: `folders`, `kermany3`, or a regular expression with a group named `label`.
        mapping: such as `pneumonia=bacteria+virus`, see `hilum.evaluation.mapping.map_labels`.
        tta: a policy of the model's recipe, or names of views; empty takes those of the model file.
        prevalence: share of the ill, in (0, 1), at which PPV and NPV are given too.
        recalibrate: share of the patients, in (0, 1), on which probabilities and thresholds are fitted anew.
        out: folder; `runs/STUDY-RUN-on-DATA` when None.

    Returns:
        Figures with intervals; it shows itself in a notebook.

    Raises:
        HilumError: no model file, no usable data, or an option that does not fit, in one line.
    """
    options = TrialOptions(
        labels=labels,
        mapping=mapping,
        tta=tta,
        prevalence=prevalence,
        recalibrate=recalibrate,
        patient_pattern=patient_pattern,
        out=None if out is None else Path(out),
        device=device,
        seed=seed,
        replicates=replicates,
        reason="hilum.evaluate",
    )
    return evaluate_on(Path(model), Path(data), options, voice)


def load(path: str | Path, *, device: str = "auto") -> Predictor:
    """A model file, ready to predict.

    Raises:
        ModelFileError: no model file of hilum, or a damaged one.
    """
    return Predictor.load(Path(path), device=device)
