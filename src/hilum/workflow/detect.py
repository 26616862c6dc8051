"""`hilum anomaly`: detectors on a data root, from a model file's embeddings or an autoencoder's recipe, or both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hilum.data.build import open_cache
from hilum.data.manifest import Manifest
from hilum.data.sources import list_images
from hilum.errors import HilumError, UsageError
from hilum.inspection.anomaly import Scores
from hilum.models.modelfile import read_header
from hilum.recipes.schema import Recipe
from hilum.transforms import Preprocessing
from hilum.workflow.anomaly import (
    RATE,
    SCORES,
    Detection,
    conclude,
    embedding_scores,
    normal_class,
    patch_scores,
    record_scores,
    record_scoring,
)
from hilum.workflow.autoencoder import run_autoencoder
from hilum.workflow.data import identity_of, refuse_other_data, study_data
from hilum.workflow.inspect_anomaly import about_network
from hilum.workflow.network import preprocessing_of
from hilum.workflow.options import Options
from hilum.workflow.other_data import study_of
from hilum.workflow.plan import named
from hilum.workflow.recipe_file import find_recipe
from hilum.workflow.record import locked
from hilum.workflow.seal import sealed
from hilum.workflow.study import rejection_warning, tell_data
from hilum.workflow.supplement import renew_pages
from hilum.workflow.train import folder_name
from hilum.workflow.voice import Silent, Voice

FOLDER = "anomaly"


@dataclass(frozen=True)
class DetectOptions:
    """The arguments of `hilum.anomaly`, see there.

    Args:
        study: those that every other command takes as well.
        normal: the normal class; empty = the one whose name says so.
        rate: false-alarm rate of each detector; None = the recipe's, else `RATE`.
        test: open the test split.
    """

    study: Options = field(default_factory=Options)
    normal: str = ""
    rate: float | None = None
    test: bool = False

    def __post_init__(self) -> None:
        if self.rate is not None and not 0 < self.rate < 1:
            raise UsageError("--rate", expected="a share above 0 and below 1, such as 0.05", found=f"{self.rate:g}")


def detect(
    what: Sequence[str | Recipe], data: Path, options: DetectOptions, voice: Voice | None = None
) -> tuple[Detection, int]:
    """Scores a data root's images and says how well the scores tell normal from abnormal.

    Args:
        what: a model file, or a recipe with `anomaly` set, or one of each: then all are in one table.
        data: folder or manifest file; normal training images are what everything is fitted on.

    Returns:
        What came of it, and how many files could not be used.

    Raises:
        HilumError: nothing of that kind, no usable data, no normal class.
    """
    voice = voice or Silent()
    model, recipe = _told_apart(what)
    recipe = _with_wishes(recipe, options)
    if model is not None:
        read_header(model)  # before the data are read: a mistyped path should not cost minutes
    given = options.study
    listing = list_images(data, given.labels)
    study_dir = given.out or (study_of(model) if model else None) or Path("runs") / folder_name(data, given)
    refuse_other_data(study_dir, identity_of(listing, given))
    study_dir.mkdir(parents=True, exist_ok=True)
    with locked(study_dir), sealed(study_dir, "hilum anomaly"):
        with voice.stage("data") as bar:
            found = study_data(data, study_dir, given, [preprocessing_of(recipe)] if recipe else [], bar)
        tell_data(voice, found, [*found.manifest.facts["warnings"], *rejection_warning(found)])
        detection = _detected(model, recipe, found.manifest, study_dir, options, voice)
        renew_pages(study_dir)
    return detection, found.rejected


def _with_wishes(recipe: Recipe | None, options: DetectOptions) -> Recipe | None:
    """The recipe with the normal class and the rate that were asked for."""
    if recipe is None or recipe.anomaly is None:
        return recipe
    normal = options.normal or recipe.anomaly.normal
    quantile = recipe.anomaly.quantile if options.rate is None else 1 - options.rate
    return replace(recipe, anomaly=replace(recipe.anomaly, normal=normal, quantile=quantile))


def _told_apart(what: Sequence[str | Recipe]) -> tuple[Path | None, Recipe | None]:
    """The model file and the recipe among what was named."""
    models = [Path(each) for each in what if not isinstance(each, Recipe) and _is_file(each)]
    recipes = [each if isinstance(each, Recipe) else find_recipe(each) for each in what if not _is_model(each)]
    for recipe in recipes:
        if recipe.anomaly is None:
            raise UsageError(
                f"recipe {recipe.name}",
                expected="one with `anomaly` set, such as e-anomaly, or a model file",
                found="a classifier's recipe",
                way_out=f"Train it with `hilum train {recipe.name}` and give its model.safetensors.",
            )
    if len(models) > 1 or len(recipes) > 1 or not (models or recipes):
        raise UsageError(
            "hilum anomaly",
            expected="a model file, a recipe of an autoencoder, or one of each",
            found=", ".join(str(each if not isinstance(each, Recipe) else each.name) for each in what) or "nothing",
        )
    named(recipes)
    return (models[0] if models else None), (recipes[0] if recipes else None)


def _is_model(what: str | Recipe) -> bool:
    return not isinstance(what, Recipe) and _is_file(what)


def _is_file(name: str) -> bool:
    return str(name).endswith(".safetensors")


def _detected(
    model: Path | None, recipe: Recipe | None, manifest: Manifest, study_dir: Path, options: DetectOptions, voice: Voice
) -> Detection:
    """The autoencoder, the network's detectors, or both in one table."""
    redrawn = _redrawn(recipe, manifest, study_dir, options, voice) if recipe is not None else None
    if model is None:
        assert redrawn is not None  # one of the two was named
        return redrawn[0]
    normal = redrawn[1].normal if redrawn else normal_class(manifest, options.normal)
    run = _run_of(model, study_dir)
    folder = study_dir / run / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    splits = ("val", "test") if options.test and len(manifest.split("test")) else ("val",)
    opening = None
    if "test" in splits:
        images = len(manifest.split("test"))
        opening = record_scoring(
            study_dir, run, "anomaly detectors", model, folder / SCORES, images, "hilum anomaly"
        )  # fmt: skip
    with voice.stage("embeddings and patches"):
        scores, about = _of_model(model, manifest, study_dir, splits, normal, options)
    if redrawn is not None:
        scores, about = redrawn[1].beside(scores), _with_redrawn(about, redrawn[0].document, recipe)
    rate = options.rate or (1 - recipe.anomaly.quantile if recipe and recipe.anomaly else RATE)
    with voice.stage("figures"):
        result = conclude(
            folder, scores, rate=rate, splits=splits, about=about, seed=options.study.seed,
            replicates=options.study.replicates,
        )  # fmt: skip
    if opening is not None:
        record_scores(study_dir, opening, folder / SCORES)
    return result


def _redrawn(
    recipe: Recipe, manifest: Manifest, study_dir: Path, options: DetectOptions, voice: Voice
) -> tuple[Detection, Scores]:
    """What a recipe's autoencoder finds."""
    with voice.stage(f"autoencoder {recipe.name}") as bar:
        detection, scores, environment = run_autoencoder(
            recipe, manifest, study_dir, options.study, time_budget=options.study.time_budget, on_step=bar,
            open_test=options.test,
        )  # fmt: skip
    if environment["interrupted"]:
        raise KeyboardInterrupt
    return detection, scores


def _with_redrawn(about: Mapping[str, Any], document: Mapping[str, Any], recipe: Recipe | None) -> dict[str, Any]:
    """What is to be said, with what the autoencoder's own document says; its pictures lie in its own folder."""
    place = f"../../{recipe.name if recipe else ''}"
    return {
        **about,
        "autoencoder": document["autoencoder"],
        "own_rule": document["own_rule"],
        "pictures": [{**each, "file": f"{place}/{each['file']}"} for each in document["pictures"]],
        "remarks": [*document["remarks"], *about["remarks"]],
    }


def _run_of(model: Path, study_dir: Path) -> str:
    """Name of the run within the folder; for a model from elsewhere that of its own folder."""
    above = model.resolve().parent
    inside = above.is_relative_to(study_dir.resolve()) and above != study_dir.resolve()
    return above.relative_to(study_dir.resolve()).as_posix() if inside else f"{FOLDER}-of-{above.name}"


def _of_model(
    path: Path, manifest: Manifest, study_dir: Path, splits: Sequence[str], normal: str, options: DetectOptions
) -> tuple[Scores, dict[str, Any]]:
    """Scores of every detector that needs a network, and what is to be said of it."""
    from hilum.inference import embed_images
    from hilum.inference.device import choose_device
    from hilum.models import load_model

    model, header = load_model(path)
    preprocessing, device = Preprocessing(**header.preprocessing), choose_device(options.study.device)
    cache = open_cache(manifest, preprocessing, study_dir / "cache")
    table = manifest.table
    wanted = ((table["split"] == "train") & (table["label"] == normal)) | table["split"].isin(splits)
    rows = table[wanted]
    matrix = embed_images(model, cache.of(rows), preprocessing, device=device)
    scores, remarks = embedding_scores(rows, matrix, normal, model=path.parent.name), list[str]()
    try:
        scored = rows[rows["split"] != "train"]
        found = patch_scores(
            model, preprocessing, manifest, cache, scored, normal, seed=options.study.seed, device=device
        )
        scores = scores.beside(found)
    except HilumError as error:
        remarks.append(f"The memory of patches was left out: {error}")
    train = rows[rows["split"] == "train"]
    return scores, about_network(path, header, train, remarks)
