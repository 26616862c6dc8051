"""Our first recipes. A study still trains `frozen` beside `best` (recipes/hardened.py), and `scratch-cnn` in a hurry.

Source: hilum. Reported: nothing; they are ours. Ours: docs/ledger-of-recipes.md holds the figures with their intervals
and what was opened when. Cost on two cores without a GPU: `finetuned` took what a study's time budget gave it (about
ten minutes of fourteen), `frozen` 78 to 101 s in five studies of the Kermany set, `scratch-cnn` the rest.

Augmentation is what a chest X-ray may meet: a patient who stands a little turned or nearer, another exposure, a
blurred or noisy plate. The left-right flip is the one change that no patient makes; it is there because the classes
of these tasks have no side.

`finetuned` is in its third version: the second with a collimator's border drawn over half of the pictures, and more
zoom. The first left the first three stages as they were, ran at 224 pixels and augmented mildly; the second trained all
stages at 192 pixels on harsher pictures. On the official Kermany test split (624 images), normal against pneumonia, the
first reached an AUROC of 0.952 [0.923, 0.971], the second 0.949 [0.920, 0.968]. The second was made after that figure
of the first was seen. The third, chosen on clean and damaged validation images
(docs/decisions/0007-a-border-drawn-over.md), reached 0.966 [0.945, 0.979].
"""

from __future__ import annotations

from dataclasses import replace

from hilum.recipes.schema import Augmentation, Model, Phase, Preprocessing, Recipe

EXPOSURE_AND_POSE = Augmentation(
    rotation=10,
    shift=0.06,
    zoom=0.12,
    shear=4,
    flip=0.5,
    brightness=0.1,
    contrast=0.25,
    gamma=0.3,
    blur=1.2,
    noise=0.03,
)

HARSHER = Augmentation(
    rotation=12,
    shift=0.08,
    zoom=0.25,
    shear=5,
    flip=0.5,
    brightness=0.15,
    contrast=0.35,
    gamma=0.4,
    blur=1.7,
    noise=0.04,
    erase=0.25,
    collimate=0.5,
)

FINETUNED = Recipe(
    name="finetuned",
    description="A pre-trained backbone: first its head on frozen features, then all of it.",
    model=Model("mobilenetv2_100", weights="imagenet", dropout=0.2),
    preprocessing=Preprocessing(image_size=192, fit="pad", normalisation="auto"),
    augmentation=HARSHER,
    phases=(
        Phase(max_epochs=8, train="head", lr=2e-3, optimiser="adamw", weight_decay=1e-2, schedule="cosine"),
        Phase(
            max_epochs=12,
            train="all",
            lr=1e-3,
            backbone_lr_scale=0.5,
            optimiser="adamw",
            weight_decay=1e-2,
            schedule="cosine",
            warmup_epochs=0.5,
        ),
    ),
    label_smoothing=0.1,
    ema=0.998,
    tta=("plain", "flip"),
    time_share=10.0,
)

FROZEN = Recipe(
    name="frozen",
    description="A pre-trained backbone as it is; only a head on its features is trained.",
    model=Model("mobilenetv2_100", weights="imagenet", dropout=0.2),
    preprocessing=Preprocessing(image_size=224, fit="pad", normalisation="auto"),
    augmentation=Augmentation(rotation=7, shift=0.04, zoom=0.08, flip=0.5, contrast=0.2, gamma=0.2),
    phases=(
        Phase(
            max_epochs=40,
            train="head",
            lr=2e-3,
            optimiser="adamw",
            weight_decay=1e-2,
            schedule="plateau",
            patience=8,
            views=2,
        ),
    ),
    tta=("plain", "flip"),
)

SCRATCH_CNN = Recipe(
    name="scratch-cnn",
    description="A small convolutional network that starts from nothing.",
    model=Model("cnn-small"),
    preprocessing=Preprocessing(image_size=128, fit="pad", normalisation="half", channels=1),
    augmentation=replace(EXPOSURE_AND_POSE, blur=0.7),
    phases=(Phase(max_epochs=30, lr=3e-3, optimiser="adamw", weight_decay=2e-2, schedule="cosine", warmup_epochs=1),),
    label_smoothing=0.05,
    ema=0.99,
    tta=("plain", "flip"),
    time_share=1.5,
)

SMALL = Recipe(
    name="small",
    description="A small grey network from nothing, long and harshly augmented: 3.6 MB that run anywhere.",
    model=Model("cnn-small", dropout=0.2),
    preprocessing=Preprocessing(image_size=160, fit="pad", normalisation="half", channels=1),
    augmentation=HARSHER,
    phases=(Phase(max_epochs=60, lr=3e-3, optimiser="adamw", weight_decay=2e-2, schedule="cosine", warmup_epochs=1),),
    label_smoothing=0.1,
    ema=0.998,
    tta=("plain", "flip"),
)

SCRATCH_VIT = Recipe(
    name="scratch-vit",
    description="A small vision transformer that starts from nothing; it wants more images than most folders have.",
    model=Model("vit-small-scratch"),
    preprocessing=Preprocessing(image_size=128, fit="pad", normalisation="half", channels=1),
    augmentation=replace(EXPOSURE_AND_POSE, blur=0.7),
    phases=(Phase(max_epochs=30, lr=1e-3, optimiser="adamw", weight_decay=5e-2, schedule="cosine", warmup_epochs=2),),
    label_smoothing=0.05,
    ema=0.99,
    tta=("plain", "flip"),
)

RECIPES = (FINETUNED, FROZEN, SCRATCH_CNN, SMALL, SCRATCH_VIT)
