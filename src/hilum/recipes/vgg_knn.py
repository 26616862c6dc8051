"""System C: VGG16 for two and three classes, k-NN on its embedding, an autoencoder for anomalies.

Source: reference system C (`vgg-knn`), on the children's chest X-rays of Kermany et al. 2018.

Reported:

    c-vgg16-binary        test 62.50 %, confusion [[0, 234], [0, 390]]: everything is called pneumonia
    c-vgg16-scheduler     62.5 % again
    c-vgg16-sgd           10 epochs, loss 0.1811, training 94.07 %, validation loss 0.3014, 86.70 % (541 of 624: the
                          test set served as validation); confusion [[87, 147], [128, 262]], no better than chance
    c-vgg16-three-class   83.97 % beside the confusion [[117, 64, 61], [101, 73, 60], [70, 41, 37]], which is 36 %
    c-knn-binary          96.84 % on a random fifth of images that the network had been trained on
    c-knn-three-class     k = 3: 81.03 %
    c-anomaly             sick above a reconstruction error of 0.01; no figure

Ours: `c-anomaly` by `hilum replay` (docs/replay.md): 0.01, on the test images that C validates on, finds 10.3 % [7.1,
14.6] of the abnormal at 5.1 % [2.8, 9.1] false alarms; a threshold from normal validation images, on 1,043 images of
validation, 27.7 % [24.3, 31.5] at 4.5 % [2.5, 8.0], AUROC 0.745 [0.709, 0.778]. All others: not yet run.

Differences: validation is drawn from the training images, by patient, and predictions are keyed by image. The report is
silent on the widths of the two fully connected layers (256 and 128 here), the dropout (0.5), the learning rate (1e-3),
the scheduler (a tenth less after every epoch), the batch size (32), the augmentation (see below), on freezing (the
convolutions are frozen here) and on k for two classes (chosen on validation). The best epoch on validation is kept in
every row. The anomaly threshold is a quantile of normal validation images, not 0.01.

Command: hilum train c-vgg16-sgd chest_xray
Cost: 3 minutes for `c-anomaly` on one of two busy cores; the others not yet measured. An epoch runs VGG16 forward over
all training images, which are augmented anew each time.
The k-NN and anomaly settings are fields of their recipes; `hilum anomaly` (or `hilum train`) carries the latter out.
"""

from __future__ import annotations

from dataclasses import replace

from hilum.recipes.schema import Anomaly, Augmentation, Model, Neighbors, Phase, Preprocessing, Range, Recipe

SOURCE = "reference system C"
ADAM = Phase(max_epochs=10, train="head", lr=1e-3, optimiser="adam", views=0)

BINARY = Recipe(
    "c-vgg16-binary",
    "VGG16, flattened, two fully connected layers with dropout; Adam.",
    SOURCE,
    model=Model("vgg16-flatten", weights="imagenet", dropout=0.5, hidden=(256, 128)),
    preprocessing=Preprocessing(image_size=224, fit="stretch", normalisation="auto", channels=3),
    augmentation=Augmentation(rotation=10, shift=0.1, zoom=0.1, flip=0.5),
    phases=(ADAM,),
    overfit_check=False,
    search=(Range("phases.0.lr", 1e-5, 1e-2, log=True), Range("model.dropout", 0.0, 0.7)),
)
SGD = replace(
    BINARY,
    name="c-vgg16-sgd",
    description="VGG16 as before with SGD, momentum 0.9, and early stopping.",
    phases=(replace(ADAM, optimiser="sgd", patience=3),),
)
THREE_CLASS = replace(
    BINARY, name="c-vgg16-three-class", description="VGG16 as before for three classes (--labels kermany3); Adam."
)

RECIPES = (
    BINARY,
    replace(
        BINARY,
        name="c-vgg16-scheduler",
        description="VGG16 as before with Adam; the learning rate falls epoch by epoch.",
        phases=(replace(ADAM, schedule="exponential", decay=0.9),),
    ),
    SGD,
    THREE_CLASS,
    replace(
        SGD,
        name="c-knn-binary",
        description="k-NN on the last hidden layer of the binary VGG16.",
        neighbors=Neighbors(layer="hidden"),
    ),
    replace(
        THREE_CLASS,
        name="c-knn-three-class",
        description="k-NN with k = 3 on the last hidden layer of the three-class VGG16.",
        neighbors=Neighbors(k=3, layer="hidden"),
    ),
    Recipe(
        "c-anomaly",
        "An autoencoder on normal images; what it draws badly is an anomaly.",
        SOURCE,
        model=Model("autoencoder"),
        preprocessing=Preprocessing(image_size=128, fit="stretch", normalisation="zero-one", channels=1),
        phases=(Phase(max_epochs=10, lr=1e-3, optimiser="adam"),),
        overfit_check=False,
        anomaly=Anomaly(score="error"),
    ),
)
