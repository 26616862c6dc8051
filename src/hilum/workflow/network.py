"""A recipe's words as the values that the library takes."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from hilum.data.manifest import Manifest
from hilum.errors import RecipeError
from hilum.recipes import schema
from hilum.recipes.schema import Recipe
from hilum.transforms import Augmentation, Preprocessing, View, make_views
from hilum.workflow.options import Options

if TYPE_CHECKING:
    from hilum.models import Classifier
    from hilum.training.phase import Phase
    from hilum.training.work import Settings

WITHOUT_WEIGHTS = "imagenet"
"""What the normalisation `auto` means for a network that starts from nothing."""


def preprocessing_of(recipe: Recipe) -> Preprocessing:
    """A recipe's preprocessing as the value that the code applies; `auto` as for a network without weights."""
    named = asdict(recipe.preprocessing)
    return Preprocessing(**{**named, "normalisation": named["normalisation"].replace("auto", WITHOUT_WEIGHTS)})


def network_of(recipe: Recipe, manifest: Manifest, options: Options) -> tuple[Classifier, Preprocessing]:
    """The recipe's network, and the preprocessing that it and its weights want.

    Raises:
        RecipeError: a recipe that is no classifier, or a network that cannot be built for these classes.
        WeightsNotFound: its pre-trained weights are nowhere.
    """
    from hilum.models import create_model

    refuse_anomaly(recipe)
    preprocessing = preprocessing_of(recipe)
    # Only a single sigmoid output has to be asked for.
    output = {} if recipe.model.output == "softmax" else {"output": recipe.model.output}
    model = create_model(
        recipe.model.name,
        num_classes=len(manifest.labels),
        in_channels=preprocessing.channels,
        image_size=preprocessing.image_size,
        weights=recipe.model.weights,
        weights_dir=options.weights_dir,
        dropout=recipe.model.dropout,
        hidden=recipe.model.hidden,
        seed=options.seed,
        **output,
    )
    if model.weights and model.weights["normalisation"] and recipe.preprocessing.normalisation == "auto":
        preprocessing = replace(preprocessing, normalisation=model.weights["normalisation"])
    return model, preprocessing


def refuse_anomaly(recipe: Recipe) -> None:
    """Raises:
    RecipeError: a recipe of an anomaly detector, which is no classifier and is not trained as one.
    """
    if recipe.anomaly is not None:
        raise RecipeError(
            f"recipe {recipe.name}",
            expected="a recipe that trains a classifier",
            found="settings of an anomaly detector",
            way_out=f"`hilum anomaly {recipe.name} DATA` trains it and says what it finds.",
        )


def phases_of(recipe: Recipe) -> list[Phase]:
    """A recipe's phases as the values that training takes."""
    from hilum.training.phase import Phase

    return [Phase(**asdict(phase)) for phase in recipe.phases]


def augmentation_of(recipe: Recipe) -> Augmentation:
    """A recipe's augmentation as the value that the code applies."""
    return Augmentation(**asdict(recipe.augmentation))


def views_of(policy: tuple[str | schema.View, ...]) -> tuple[View, ...]:
    """A recipe's views as the values that prediction takes."""
    return make_views([each if isinstance(each, str) else asdict(each) for each in policy])


def settings_of(recipe: Recipe, options: Options) -> Settings:
    """What all phases of a recipe share."""
    from hilum.training.work import Settings

    return Settings(
        augmentation=augmentation_of(recipe),
        balance=recipe.balance,
        label_smoothing=recipe.label_smoothing,
        mixup=recipe.mixup,
        soft_share=recipe.distil.share if recipe.distil else 0.0,
        ema=recipe.ema,
        batch_size=recipe.batch_size,
        precision=recipe.precision,
        overfit_check=recipe.overfit_check,
        seed=options.seed,
    )
