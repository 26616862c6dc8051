"""System D: COVID against normal on 324 images; one sigmoid output; MobileNetV2 in three states of freezing.

Source: reference system D (`covid-small`), in Keras: 162 COVID and 162 normal images, 243 for training and 81 for
validation (75/25, seed 42), no test set.

Reported (training and validation accuracy in per cent; the validation set was also the one that stopped training):

    recipe                      rate    train   loss     val     loss     epochs
    d-vanilla-cnn               1e-5    88.89   0.2608   81.48   0.4318   331
    d-mobilenetv2-frozen        1e-4   100      0.0273   92.59   0.1873   127
    d-mobilenetv2-frozen-135    1e-6   100      0.0609   95.06   0.1767   500
    d-mobilenetv2-unfrozen      1e-6    99.59   0.0939   88.89   0.4017   288

Ours: accuracy in per cent, 95 % intervals over patients; seed 42; `hilum replay`, see docs/replay.md.

    recipe                      the report's way,    by patient, 64      by patient, 5 folds,
                                81 validation        test images         260 images
    d-mobilenetv2-frozen        96.3 [89.7, 98.7]    98.4 [91.7, 99.7]   95.0 [91.6, 97.1]
    d-mobilenetv2-frozen-135    96.3 [89.7, 98.7]    96.9 [89.3, 99.1]   not yet run
    d-vanilla-cnn               81.5 [71.7, 88.4]    85.9 [75.4, 92.4]   not yet run

`d-mobilenetv2-frozen` stopped by itself after 202 (the report's way) and 219 epochs, `d-mobilenetv2-frozen-135` went
through all 500 both times, `d-vanilla-cnn` through 500 and 378.
`d-mobilenetv2-unfrozen`: not yet run.

Differences: a test split is kept apart and every split is by patient. PyTorch instead of Keras: corners that a rotation
leaves empty are black, not mirrored. MobileNetV2 gets the scaling that its weights were trained with, which for Keras's
is [-1, 1]. The first 135 Keras layers (of 154; with 155, as the report counts, the border moves by one layer) end with
the expansion convolution of the last but one block but one: its batch norm, the rest of that block, the last block and
the last convolution are trained. Rates are the code's; the report's table prints ten times as much for models 1 and 3.

Command: hilum train d-mobilenetv2-frozen covid_vs_normal --seed 42 --folds 5
Cost: on one of two shared cores (AMD EPYC, no GPU) 11 to 51 s a training of `d-mobilenetv2-frozen`, which runs the
backbone once and trains a head on its features, 3.6 s an epoch of `d-vanilla-cnn`, and, on a fifth of a core,
30 to 35 min for the 500 epochs of `d-mobilenetv2-frozen-135`, whose frozen stages run once. The other: not yet run.
"""

from __future__ import annotations

from dataclasses import replace

from hilum.recipes.schema import Augmentation, Model, Phase, Preprocessing, Range, Recipe

SOURCE = "reference system D"
LAYERS_FROM_136 = (
    "blocks.5.2.bn1",
    "blocks.5.2.conv_dw",
    "blocks.5.2.bn2",
    "blocks.5.2.conv_pwl",
    "blocks.5.2.bn3",
    "blocks.6",
    "conv_head",
    "head",
)
"""What is trained when the first 135 Keras layers are frozen, in timm's names."""

VANILLA = Recipe(
    "d-vanilla-cnn",
    "Four convolutions without padding, trained from scratch on augmented images.",
    SOURCE,
    model=Model("vanilla-cnn", dropout=0.2, output="sigmoid"),
    preprocessing=Preprocessing(image_size=224, fit="stretch", normalisation="zero-one", channels=3),
    augmentation=Augmentation(flip=0.5, rotation=36, zoom=0.1, contrast=0.1),
    phases=(Phase(max_epochs=500, lr=1e-5, optimiser="adam", patience=30),),
    overfit_check=False,
    val_fraction=0.25,
    search=(Range("phases.0.lr", 1e-6, 1e-3, log=True), Range("model.dropout", 0.0, 0.6)),
)


def _mobilenet(name: str, description: str, lr: float, train: str) -> Recipe:
    phase = replace(VANILLA.phases[0], lr=lr, train=train, batch_size=32)
    return replace(
        VANILLA,
        name=name,
        description=description,
        model=Model("mobilenetv2_100", weights="imagenet", dropout=0.5, hidden=(128,), output="sigmoid"),
        preprocessing=replace(VANILLA.preprocessing, normalisation="auto"),
        augmentation=Augmentation(),
        phases=(phase,),
    )


RECIPES = (
    VANILLA,
    _mobilenet("d-mobilenetv2-frozen", "MobileNetV2 as it is; only a head on its features is trained.", 1e-4, "head"),
    _mobilenet(
        "d-mobilenetv2-frozen-135",
        "MobileNetV2, the first 135 Keras layers frozen.",
        1e-6,
        ",".join(LAYERS_FROM_136),
    ),
    _mobilenet("d-mobilenetv2-unfrozen", "MobileNetV2, all of it trained.", 1e-6, "all"),
)
