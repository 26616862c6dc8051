"""System E: ResNets for two and three classes, k-NN on their embedding, autoencoder with a density.

Source: reference system E (`resnet-anomaly`), on the children's chest X-rays of Kermany et al. 2018.

Reported (ranges; no figures were recorded):

    e-resnet101-binary        test about 87 %, most errors false positives
    e-resnet18-adapter        three classes, 80 to 82 %
    e-resnet101-three-class   80 to 82 %, bacterial best (usually fewer than 10 of them wrong)
    e-knn-binary              86 %
    e-knn-three-class         76 to 78 %
    e-anomaly                 two thresholds, set by eye; no figure

Ours: `e-anomaly` by `hilum replay` (docs/replay.md), 1,043 validation images: with thresholds halfway between the
classes' means 78.1 % [74.9, 80.9] of the abnormal found at 27.6 % [22.6, 33.3] false alarms; with thresholds from
normal validation images 23.1 % [19.9, 26.6] at 5.2 % [3.0, 8.9], AUROC 0.835 [0.801, 0.864]. All others: not yet run.

Differences: the enlarged validation set is drawn by patient (a fifth of the training images). The report is silent on
the augmentation, the learning rate (1e-3 here), the weight decay (1e-2, AdamW's default), the scheduler (a tenth at
each third), the batch size (32), k (chosen on validation) and on what is trained behind the added convolution (it and
the last layer here). The two anomaly thresholds are quantiles of normal validation images.

Command: hilum train e-resnet101-binary chest_xray
Cost: 3 minutes for `e-anomaly` on one of two busy cores; the others not yet measured, 1 to 1.5 minutes an epoch on
their GPU.
The k-NN and anomaly settings are fields of their recipes; `hilum anomaly` (or `hilum train`) carries the latter out.
"""

from __future__ import annotations

from dataclasses import replace

from hilum.recipes.schema import Anomaly, Augmentation, Model, Neighbors, Phase, Preprocessing, Range, Recipe

SOURCE = "reference system E"

RESNET101 = Recipe(
    "e-resnet101-binary",
    "ResNet101 with ImageNet weights; its last layer is trained on augmented images.",
    SOURCE,
    model=Model("resnet101", weights="imagenet"),
    preprocessing=Preprocessing(image_size=224, fit="stretch", normalisation="auto", channels=3),
    augmentation=Augmentation(rotation=10, shift=0.05, zoom=0.1, flip=0.5),
    phases=(
        Phase(max_epochs=20, train="head", lr=1e-3, optimiser="adamw", weight_decay=1e-2, schedule="step", views=0),
    ),
    overfit_check=False,
    search=(Range("phases.0.lr", 1e-5, 1e-2, log=True), Range("phases.0.weight_decay", 1e-5, 1e-1, log=True)),
)
THREE_CLASS = replace(
    RESNET101,
    name="e-resnet101-three-class",
    description="ResNet101 as before for three classes (--labels kermany3).",
)

RECIPES = (
    RESNET101,
    replace(
        RESNET101,
        name="e-resnet18-adapter",
        description="ResNet18 behind a convolution from grey to three channels; both ends are trained.",
        model=Model("resnet18-adapter", weights="imagenet"),
        preprocessing=replace(RESNET101.preprocessing, channels=1),
        phases=(replace(RESNET101.phases[0], train="adapter,head"),),
    ),
    THREE_CLASS,
    replace(
        RESNET101,
        name="e-knn-binary",
        description="k-NN on the embedding of the binary ResNet101.",
        neighbors=Neighbors(),
    ),
    replace(
        THREE_CLASS,
        name="e-knn-three-class",
        description="k-NN on the embedding of the three-class ResNet101.",
        neighbors=Neighbors(),
    ),
    Recipe(
        "e-anomaly",
        "An autoencoder on normal images and a density of its codes; either may call an anomaly.",
        SOURCE,
        model=Model("autoencoder"),
        preprocessing=Preprocessing(image_size=128, fit="stretch", normalisation="zero-one", channels=1),
        phases=(Phase(max_epochs=10, lr=1e-3, optimiser="adam"),),
        overfit_check=False,
        anomaly=Anomaly(score="error-or-density"),
    ),
)
