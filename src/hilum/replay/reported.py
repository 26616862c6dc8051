"""Every figure of the five reports, as data.

A figure's `metric` says what is to be computed for the other two columns:

    accuracy, log_loss, ppv          of a predictions file (ppv: mean over the classes, the reports name no averaging)
    sensitivity CLASS                share of the images of a class that are called so
    confusion                        the matrix; its interval is that of the accuracy
    missed CLASS                     images of a class that are called another
    called CLASS                     images of other classes that are called this one
    false-positives                  share of the wrong images that are normal and called abnormal
    epochs, parameters, lr, dropout  of the run; no sample, so no interval
    epoch-seconds                    time of an epoch on this machine
    none                             nothing that can be computed
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Reported:
    """One figure of a report.

    Args:
        row: the recipe whose row it stands in.
        figure: what it is, in words.
        text: as the report prints it.
        metric: see above.
        split: `train`, `val` or `test`: of which images; empty where it is of none.
        value: as a share in [0, 1] or a plain number; None where the report gives a range, a word or a matrix.
        mistakes: keys of `MISTAKES` that stand behind it.
        corrected: split of the corrected column where it is not the same.
        first_phase: it is of the network after its first phase, before fine-tuning.
    """

    row: str
    figure: str
    text: str
    metric: str
    split: str = ""
    value: float | None = None
    mistakes: tuple[str, ...] = ()
    corrected: str = ""
    first_phase: bool = False

    @property
    def system(self) -> str:
        """Letter of the system."""
        return self.row[0].upper()


def _share(row: str, split: str, text: str, **more) -> Reported:
    """An accuracy, as a share or in per cent; words such as `> 0.80` keep no value."""
    title = {"train": "training", "val": "validation", "test": "test"}[split]
    return Reported(row, f"{title} accuracy", text, "accuracy", split, _number(text), **more)


def _number(text: str) -> float | None:
    try:
        value = float(text.removesuffix(" %"))
    except ValueError:
        return None
    return value / 100 if text.endswith("%") else value


def _epochs(row: str, text: str) -> Reported:
    return Reported(row, "epochs", text, "epochs", value=float(text))


def _parameters(row: str, text: str) -> Reported:
    return Reported(row, "parameters", text, "parameters", value=float(text.replace(",", "")))


SPLIT, ORDER = ("image-split",), ("label-order",)


def _system_a() -> list[Reported]:
    def curve(row: str, epochs: str, train: str, val: str) -> list[Reported]:
        return [_epochs(row, epochs), _share(row, "train", train), _share(row, "val", val, mistakes=SPLIT)]

    def frozen(row: str) -> Reported:
        figure = _share(row, "val", "0.78", mistakes=SPLIT, first_phase=True)
        return replace(figure, figure="validation accuracy, frozen")

    def chance(row: str) -> Reported:
        return replace(_share(row, "test", "about 0.33", mistakes=ORDER), value=0.33)

    return [
        *curve("a-cnn-2conv", "8", "0.91", "0.77"),
        *curve("a-cnn-5conv", "12", "0.85", "0.79"),
        chance("a-cnn-5conv"),
        frozen("a-resnet50"),
        _share("a-resnet50", "val", "> 0.80", mistakes=SPLIT),
        _share("a-resnet50", "test", "0.86"),
        _share("a-resnet50-weight-decay", "val", "worse", mistakes=SPLIT),
        frozen("a-efficientnet-b0"),
        _share("a-efficientnet-b0", "test", "0.82"),
        _share("a-efficientnet-b0-adamw", "test", "0.88"),
        Reported("a-efficientnet-b0-adamw", "test images wrongly called normal", "2", "called normal", "test", 2.0),
        _share("a-mobilenetv2", "val", "> 0.80", mistakes=SPLIT),
        _share("a-mobilenetv2", "test", "0.79"),
        _share("a-vgg16", "val", "slow, weaker, dropped", mistakes=SPLIT),
        *curve("a-vit-scratch", "15", "0.60", "0.63"),
        chance("a-vit-scratch"),
        *curve("a-vit-b16", "20", "0.76", "0.71"),
        chance("a-vit-b16"),
    ]


def _system_b() -> list[Reported]:
    def tested(
        row: str, texts: Sequence[str], mistakes: tuple[str, ...] = (), of_classes: tuple[str, ...] = ()
    ) -> list[Reported]:
        accuracy, precision, *classes = [f"{text} %" for text in texts]
        named = zip(("normal", "bacterial", "covid"), classes, strict=True)
        return [
            _share(row, "test", accuracy, mistakes=mistakes),
            Reported(row, "test precision", precision, "ppv", "test", _number(precision), mistakes),
            *(
                Reported(row, f"test, {name} called so", text, f"sensitivity {name}", "test", _number(text), of_classes)
                for name, text in named
            ),
        ]

    table = {
        "original": ("96.54", "79.26", "83.76", "57.69", "99.17", "85.00"),
        "undersampled": ("97.87", "79.65", "85.85", "57.69", "97.93", "97.50"),
        "oversampled": ("98.29", "84.50", "86.48", "70.51", "97.52", "87.50"),
        "class-weights": ("96.66", "80.04", "84.87", "60.26", "98.35", "85.00"),
    }
    figures = [_parameters("b-simplecnn-original", "134,953,603")]
    for name, (val, *test) in table.items():
        row = f"b-simplecnn-{name}"
        figures += [_share(row, "val", f"{val} %", mistakes=SPLIT), *tested(row, test)]
    return [
        *figures,
        _parameters("b-simplecnn-small", "10,075,011"),
        _epochs("b-simplecnn-small", "4"),
        *tested("b-simplecnn-small", ("83.72", "85.41", "75.64", "90.08", "92.50")),
        *tested("b-resnet50", ("87.79", "88.6", "79.06", "96.28", "87.50"), ("frozen-random",), ("copied-row",)),
        *tested("b-simplecnn-tta1", ("87.79", "88.6", "79.06", "96.28", "87.50"), ("seen-test",), ("seen-test",)),
        *tested("b-simplecnn-tta2", ("89.73", "90.24", "83.76", "95.87", "87.50"), ("seen-test",), ("seen-test",)),
    ]


def _system_c() -> list[Reported]:
    on_test, shuffled = ("test-as-val",), ("shuffled-evaluation",)

    def matrix(row: str, text: str, mistakes: tuple[str, ...]) -> Reported:
        return Reported(row, "test confusion", text, "confusion", "test", mistakes=mistakes)

    def knn(row: str, text: str) -> Reported:
        return replace(_share(row, "test", text, mistakes=("knn-seen",)), figure="accuracy on a fifth of the images")

    sgd, three = "c-vgg16-sgd", "c-vgg16-three-class"
    return [
        _share("c-vgg16-binary", "test", "62.50 %", mistakes=("collapsed",)),
        matrix("c-vgg16-binary", "[[0, 234], [0, 390]]", ("collapsed",)),
        _share("c-vgg16-scheduler", "test", "62.5 %", mistakes=("collapsed",)),
        _epochs(sgd, "10"),
        Reported(sgd, "training loss", "0.1811", "log_loss", "train", 0.1811),
        _share(sgd, "train", "94.07 %"),
        Reported(sgd, "validation loss", "0.3014", "log_loss", "val", 0.3014, on_test, corrected="test"),
        _share(sgd, "val", "86.70 %", mistakes=on_test, corrected="test"),
        Reported(sgd, "learning rate", "0.001", "lr", value=0.001),
        matrix(sgd, "[[87, 147], [128, 262]]", shuffled),
        _share(three, "val", "83.97 %", mistakes=on_test, corrected="test"),
        matrix(three, "[[117, 64, 61], [101, 73, 60], [70, 41, 37]]", shuffled),
        knn("c-knn-binary", "96.84 %"),
        knn("c-knn-three-class", "81.03 %"),
        Reported("c-anomaly", "threshold on the reconstruction error", "0.01", "none", mistakes=("by-eye",)),
    ]


def _system_d() -> list[Reported]:
    table = {
        "vanilla-cnn": ("1e-5", "0.2", "88.89", "0.2608", "81.48", "0.4318", "331"),
        "mobilenetv2-frozen": ("1e-4", "0.5", "100", "0.0273", "92.59", "0.1873", "127"),
        "mobilenetv2-frozen-135": ("1e-6", "0.5", "100", "0.0609", "95.06", "0.1767", "500"),
        "mobilenetv2-unfrozen": ("1e-6", "0.5", "99.59", "0.0939", "88.89", "0.4017", "288"),
    }
    figures = [_parameters("d-vanilla-cnn", "1,045,441")]
    same = {"mistakes": ("stopping-set",), "corrected": "test"}
    for name, (lr, dropout, train, train_loss, val, val_loss, epochs) in table.items():
        row = f"d-{name}"
        figures += [
            Reported(row, "learning rate", lr, "lr", value=float(lr)),
            Reported(row, "dropout", dropout, "dropout", value=float(dropout)),
            _share(row, "train", f"{train} %"),
            Reported(row, "training loss", train_loss, "log_loss", "train", float(train_loss)),
            _share(row, "val", f"{val} %", **same),
            Reported(row, "validation loss", val_loss, "log_loss", "val", float(val_loss), **same),  # type: ignore[arg-type] # texts
            _epochs(row, epochs),
        ]
    return figures


def _system_e() -> list[Reported]:
    def remembered(row: str, text: str) -> Reported:
        return _share(row, "test", text, mistakes=("no-figure",))

    binary, three = "e-resnet101-binary", "e-resnet101-three-class"
    wrong = Reported(three, "bacterial test images called wrong", "fewer than 10", "missed bacterial", "test")
    return [
        remembered(binary, "about 87 %"),
        Reported(binary, "test errors that are false positives", "most", "false-positives", "test"),
        Reported(binary, "time of an epoch, s", "60 to 90", "epoch-seconds"),
        remembered("e-resnet18-adapter", "80 to 82 %"),
        remembered(three, "80 to 82 %"),
        replace(wrong, mistakes=("no-figure",)),
        remembered("e-knn-binary", "86 %"),
        remembered("e-knn-three-class", "76 to 78 %"),
        Reported("e-anomaly", "error and density beyond two thresholds", "no figure", "none", mistakes=("by-eye",)),
    ]


FIGURES: tuple[Reported, ...] = (*_system_a(), *_system_b(), *_system_c(), *_system_d(), *_system_e())
"""All of them, in the order of the reports."""

FOR_SCALE = (
    "On the same official test split (624 images), Kermany et al. 2018 report for normal against pneumonia an accuracy "
    "of 92.8 %, a sensitivity of 93.2 %, a specificity of 90.1 % and an AUC of 96.8 %; for bacterial against viral an "
    "accuracy of 90.7 % and an AUC of 94.0 %."
)
