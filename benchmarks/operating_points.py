"""Where to put a threshold when the test set has moved and its labels may not be used: rules compared on drawn X-rays.

    python benchmarks/operating_points.py run results.jsonl --seeds 10      # about a minute a seed on a quiet core
    python benchmarks/operating_points.py table results.jsonl

Every seed draws a set of two classes whose truth is known and plants a shift in two ways:

- `confounded`: in training and validation the negatives come from a sharper machine than the positives, on test all
  come from the softer one. It is what the Kermany set seems to have: the fine grain tells its classes apart nearly
  perfectly in training and much less so on test.
- `moved`: on test both classes are softer, of lower contrast and darker than in training.

Every rule sees the networks and the validation images, never the test labels. What counts is the balanced accuracy on
test, and how far it lies below that of the best threshold in hindsight. `table LINES --real` tries the rules that need
one network on the lines of `ablation.py`: real negatives of another series, or damaged ones, are held out.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from ablation import read_lines
from damaged_validation import DAMAGES
from threshold_rules import BEFORE, RULES, STRESSED, balanced_accuracy, best_in_hindsight

from hilum.data.phantom import draw_dataset
from hilum.data.splits import draw_groups
from hilum.evaluation.intervals import student_quantile
from hilum.transforms import Augmentation, Preprocessing, to_canvas
from hilum.transforms.stress import stressed

SIZE, POOL, TEST, MEMBERS, EPOCHS, DIFFICULTY = 64, 300, 250, 3, 10, 0.05
COPIES = 4
SMALLER = {**DAMAGES, "blur, sd 1.3 pixels": lambda canvas: cv2.GaussianBlur(canvas, (0, 0), 0.6)}
"""The damages for pictures of this size."""

AUGMENTATION = Augmentation(rotation=8, shift=0.05, zoom=0.12, flip=0.5, contrast=0.2, gamma=0.2, blur=0.6, noise=0.02)
PREPROCESSING = Preprocessing(image_size=SIZE, normalisation="half", channels=1)


@dataclass(frozen=True)
class Images:
    """Canvases uint8 `[N, S, S]`, bool `[N]` whether positive, and the patient of each."""

    canvases: np.ndarray
    positive: np.ndarray
    patient: np.ndarray

    def take(self, rows: np.ndarray) -> Images:
        return Images(self.canvases[rows], self.positive[rows], self.patient[rows])


@cache
def drawn(seed: int) -> Images:
    """Normal chests and chests with pneumonia, as many of each."""
    dataset = draw_dataset(
        images=POOL + TEST, size=SIZE, classes=("normal", "bacterial"), difficulty=DIFFICULTY, seed=seed
    )
    canvases = np.stack([to_canvas(each.pixels, PREPROCESSING) for each in dataset])
    patients = np.unique(dataset.table["patient_id"], return_inverse=True)[1]
    return Images(canvases, (dataset.table["label"] == "bacterial").to_numpy(), patients)


def soften(canvas: np.ndarray, strength: float) -> np.ndarray:
    """As from a machine of less sharpness that stores at a low quality."""
    soft = cv2.GaussianBlur(canvas, (0, 0), 0.3 + 0.6 * strength)
    return cv2.imdecode(cv2.imencode(".jpg", soft, [cv2.IMWRITE_JPEG_QUALITY, 60])[1], cv2.IMREAD_GRAYSCALE)


def move(canvas: np.ndarray, strength: float) -> np.ndarray:
    """Softer, of lower contrast, darker."""
    grey = soften(canvas, strength) / 255
    return np.clip(255 * ((grey - 0.5) * (1 - 0.4 * strength) + 0.5 - 0.15 * strength), 0, 255).astype(np.uint8)


def planted(images: Images, is_test: np.ndarray, kind: str, strength: float) -> Images:
    """The shift of one kind."""
    met = (is_test | images.positive) if kind == "confounded" else is_test
    change = soften if kind == "confounded" else move
    canvases = images.canvases.copy()
    canvases[met] = [change(each, strength) for each in images.canvases[met]]
    return replace(images, canvases=canvases)


def trained(train: Images, val: Images, seed: int, smoothing: float) -> Callable[[np.ndarray], np.ndarray]:
    """A small network; gives canvases -> logit of the positive class less that of the other."""
    import torch

    from hilum.inference.predict import predict_logits
    from hilum.models import create_model
    from hilum.training.datamodule import Examples
    from hilum.training.fit import Settings, fit
    from hilum.training.phase import Phase

    model = create_model("cnn-tiny", num_classes=2, in_channels=1, image_size=SIZE, seed=seed)
    settings = Settings(AUGMENTATION, label_smoothing=smoothing, precision="32", overfit_check=False, seed=seed)
    phase = Phase(EPOCHS, lr=3e-3, optimiser="adamw", weight_decay=1e-2, schedule="cosine", warmup_epochs=1)
    parts = [Examples(each.canvases, each.positive.astype(np.int64)) for each in (train, val)]
    with tempfile.TemporaryDirectory() as folder:
        fit(
            model, *parts, preprocessing=PREPROCESSING, phases=[phase], settings=settings, run_dir=Path(folder),
            device=torch.device("cpu"),
        )  # fmt: skip

    def score(canvases: np.ndarray) -> np.ndarray:
        logits = predict_logits(model, canvases, PREPROCESSING, engine="torch")
        return np.asarray(logits[:, 1] - logits[:, 0], dtype=np.float64)

    return score


def one_line(seed: int, kind: str) -> dict[str, Any]:
    """Draws, plants, trains, and writes down the scores of every network."""
    whole = drawn(seed)
    is_test = draw_groups(whole.positive.astype(str), whole.patient, TEST / (POOL + TEST), seed)
    strength = float(np.random.default_rng([seed, 7]).uniform(0.3, 1.0))
    images = planted(whole, is_test, kind, strength)
    pool, test = images.take(np.flatnonzero(~is_test)), images.take(np.flatnonzero(is_test))
    is_val = draw_groups(pool.positive.astype(str), pool.patient, 0.2, seed)
    train, val = pool.take(np.flatnonzero(~is_val)), pool.take(np.flatnonzero(is_val))
    damaged = {name: np.stack([damage(each) for each in val.canvases]) for name, damage in SMALLER.items()}
    damaged |= {
        f"{STRESSED}{number}": each for number, each in enumerate(np.split(stressed(val.canvases, COPIES), COPIES))
    }
    line: dict[str, Any] = {"seed": seed, "kind": kind, "strength": strength}
    line |= {"val_positive": _bits(val.positive), "positive": _bits(test.positive)}
    for name, smoothing in (("smoothed", 0.1), ("plain", 0.0)):
        score = trained(train, val, seed, smoothing)
        line[name] = {
            "val": {each: _listed(score(seen)) for each, seen in damaged.items()},
            "test": _listed(score(test.canvases)),
        }
    return line | {"members": _members(pool, test, seed)}


def _members(pool: Images, test: Images, seed: int) -> dict[str, Any]:
    """One network a fold: its scores of the fold that it never saw, and of test."""
    fold = np.random.default_rng([seed, 8]).integers(MEMBERS, size=pool.patient.max() + 1)[pool.patient]
    own, tests = np.zeros(len(fold)), []
    for number in range(MEMBERS):
        rest = np.flatnonzero(fold != number)
        inner = draw_groups(pool.positive[rest].astype(str), pool.patient[rest], 0.15, seed)
        score = trained(pool.take(rest[~inner]), pool.take(rest[inner]), seed + 1000 * (number + 1), 0.1)
        own[fold == number] = score(pool.canvases[fold == number])
        tests.append(_listed(score(test.canvases)))
    return {"out_of_fold": _listed(own), "positive": _bits(pool.positive), "test": tests}


def _bits(values: np.ndarray) -> list[int]:
    return values.astype(int).tolist()


def _listed(values: np.ndarray) -> list[float]:
    return np.round(values, 3).tolist()


def render(lines: Sequence[Mapping[str, Any]]) -> str:
    """A table of rules for each kind of shift: means over the seeds with intervals (Student's t)."""
    text = []
    for kind in sorted({line["kind"] for line in lines}):
        here = [line for line in lines if line["kind"] == kind]
        best = [
            best_in_hindsight(np.array(line["smoothed"]["test"]), np.array(line["positive"], bool)) for line in here
        ]
        text += [
            f"{kind}: {len(here)} sets or runs; the best threshold in hindsight gives {np.mean(best):.3f}",
            "",
            f"| rule | balanced accuracy | below the best in hindsight | less {BEFORE} | sensitivity | specificity |",
            "|---|---|---|---|---|---|",
        ]
        for name, rule in RULES.items():
            found = [rule(line) for line in here]
            if any(each is None for each in found):
                continue
            given = np.array([balanced_accuracy(each.score, each.positive, each.threshold) for each in found])
            lost = np.array(best) - given[:, 0]
            before = [RULES[BEFORE](line) for line in here]
            gained = given[:, 0] - [balanced_accuracy(*each)[0] for each in before if each is not None]
            text.append(
                f"| {name} | {given[:, 0].mean():.3f} | {_interval(lost, kind)} | {_interval(gained, kind)} "
                f"| {given[:, 1].mean():.3f} | {given[:, 2].mean():.3f} |"
            )
        text.append("")
    return "\n".join(text)


def _interval(values: np.ndarray, kind: str) -> str:
    if len(values) < 2 or kind.startswith(REAL):
        return f"{values.mean():.3f}"
    half = student_quantile(0.95, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return f"{values.mean():.3f} ± {half:.3f}"


def of_real(lines: Sequence[Mapping[str, Any]], arms: Sequence[str]) -> list[dict[str, Any]]:
    """Lines of `ablation.py` in the form of this file: what was held out stands for test.

    Once as it is, and once for each damage of its negatives; that damage is then unknown to the rules.
    """
    made = []
    for line in lines:
        if arms and line["arm"] not in arms:
            continue
        positive, held = np.array(line["positive"], bool), line["held"]
        for damage, scores in held.items():
            test = np.where(positive, held["none"], scores).tolist()
            known = {name: each for name, each in line["val"].items() if name == "none" or name != damage}
            how = "as they are" if damage == "none" else "negatives damaged in a way unknown to the rules"
            made.append(
                {
                    "kind": f"{REAL}, {line['part'].split(':')[0]} held out, {how}",
                    "val_positive": line["val_positive"],
                    "positive": line["positive"],
                    "smoothed": {"val": known, "test": test},
                }
            )
    return made


REAL = "real"
"""Kinds that begin so share images between their lines: their scatter is no interval."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    runs = commands.add_parser("run")
    runs.add_argument("out", type=Path)
    runs.add_argument("--seeds", type=int, default=10)
    tables = commands.add_parser("table")
    tables.add_argument("out", type=Path)
    tables.add_argument("--real", action="store_true", help="the lines are those of ablation.py")
    tables.add_argument("--arms", nargs="*", default=[])
    arguments = parser.parse_args()
    lines = read_lines(arguments.out)
    if arguments.command == "table":
        sys.stdout.write(render(of_real(lines, arguments.arms) if arguments.real else lines))
        return
    for kind in ("confounded", "moved"):
        for seed in range(arguments.seeds):
            if not any((line["seed"], line["kind"]) == (seed, kind) for line in lines):
                line = one_line(seed, kind)
                with arguments.out.open("a") as file:
                    file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
