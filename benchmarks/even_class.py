"""Would the point `even`, made for several classes, hold under shift better than the most probable class?

    python benchmarks/even_class.py run DATA/train results.jsonl --labels kermany3 --recipe small-hardened
    python benchmarks/even_class.py table results.jsonl

    python benchmarks/even_class.py study STUDY STUDY/RUN results.jsonl

DATA/train is a folder that holds no test image. As in `ablation.py`, held out are whole patients, or all normal images
of one kind of file name with a fold of the others: a real shift inside the training images. Each held-out picture is
seen as it is and after the damages of `damaged_validation.py`, done to all pictures and to the normal ones alone. The
rules see validation pictures, as they are and stressed once, as a run does. One JSON line a training; lines that are
there are not made again. What came out: docs/decisions/0010-a-threshold-under-shift.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from ablation import Part, parts_of, read_lines, read_training_images
from ablation_arms import ema_of, shortened
from damaged_validation import DAMAGES
from scipy import special

from hilum.data.build import open_cache
from hilum.data.manifest import Manifest
from hilum.evaluation.calibration import fit_temperature
from hilum.evaluation.thresholds import even_threshold
from hilum.labels import LabelSet, is_normal
from hilum.recipes.registry import RECIPES
from hilum.recipes.schema import Recipe
from hilum.transforms.stress import stressed
from hilum.workflow.network import network_of, phases_of, settings_of
from hilum.workflow.options import Options


def one_line(recipe: Recipe, manifest: Manifest, part: Part, options: Options, work: Path) -> dict[str, Any]:
    """Trains, and keeps the logits `[N, K]` of validation (as it is, stressed) and of held-out pictures (damaged)."""
    from hilum.inference.device import choose_device
    from hilum.inference.predict import predict_logits
    from hilum.training.datamodule import Examples
    from hilum.training.fit import fit

    model, preprocessing = network_of(recipe, manifest, options)
    canvases = open_cache(manifest, preprocessing, work)
    target = manifest.labels.encode(manifest.table["label"].tolist()).astype(np.int64)

    def pictures(rows: np.ndarray) -> np.ndarray:
        return np.asarray(canvases.of(manifest.table.iloc[rows])[:])

    device = choose_device(options.device)
    with tempfile.TemporaryDirectory() as folder:
        fit(
            model, Examples(pictures(part.train), target[part.train]), Examples(pictures(part.val), target[part.val]),
            preprocessing=preprocessing, phases=phases_of(recipe), settings=settings_of(recipe, options),
            run_dir=Path(folder), device=device,
        )  # fmt: skip

    def logits(some: np.ndarray) -> list[list[float]]:
        return np.round(predict_logits(model, some, preprocessing, device=device, engine="torch"), 3).tolist()

    val, held = pictures(part.val), pictures(part.held)
    return {
        "labels": list(manifest.labels),
        "val": logits(val),
        "elsewhere": logits(stressed(val, 1)),
        "val_target": target[part.val].tolist(),
        "target": target[part.held].tolist(),
        "held": {name: logits(np.stack([damage(each) for each in held])) for name, damage in DAMAGES.items()},
    }


def run(given: argparse.Namespace) -> None:
    recipe = replace(shortened(RECIPES[given.recipe], given.size, given.epochs), batch_size=given.batch_size)
    recipe = replace(recipe, ema=ema_of(given.epochs))
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        manifest = read_training_images(given.data, work, recipe, given.labels)
        for held in given.held:
            for part in parts_of(manifest, held, given.images, given.judged, given.parts):
                key = {"recipe": given.recipe, "part": part.name, "labels_rule": given.labels}
                key |= {name: getattr(given, name) for name in ("size", "epochs", "images", "judged", "batch_size")}
                if key in [{name: line.get(name) for name in key} for line in read_lines(given.out)]:
                    continue
                options = Options(seed=0, weights_dir=given.weights_dir)
                line = {**key, **one_line(recipe, manifest, part, options, work)}
                with given.out.open("a") as file:
                    file.write(json.dumps(line) + "\n")
                sys.stdout.write(f"{part.name}\n")
                sys.stdout.flush()


def of_study(run_dir: Path, study: Path) -> Iterator[dict[str, Any]]:
    """Lines of a run that stands: half of its validation patients fit the rules, the other half is judged, and back."""
    from hilum.data.manifest import read_manifest
    from hilum.data.splits import connected_groups, draw_groups
    from hilum.inference.predict import predict_logits
    from hilum.models import load_model
    from hilum.transforms import Preprocessing

    manifest = read_manifest(study / "manifest.parquet")
    table = manifest.split("val")
    model, header = load_model(run_dir / "model.safetensors", labels=manifest.labels.names)
    preprocessing = Preprocessing(**header.preprocessing)
    pictures = np.asarray(open_cache(manifest, preprocessing, study / "cache").of(table)[:])
    target = manifest.labels.encode(table["label"].tolist())
    groups = connected_groups(table["patient_id"], table["sha256"])
    half = draw_groups(table["label"].to_numpy(), groups, 0.5, 0)

    def logits(some: np.ndarray) -> np.ndarray:
        return np.round(predict_logits(model, some, preprocessing), 3)

    plain, elsewhere = logits(pictures), logits(stressed(pictures, 1))
    damaged = {name: logits(np.stack([damage(each) for each in pictures])) for name, damage in DAMAGES.items()}
    for number, fitted in enumerate((half, ~half)):
        yield {
            "recipe": run_dir.name,
            "part": f"validation:half-{number + 1}",
            "size": preprocessing.image_size,
            "epochs": "all",
            "labels": list(manifest.labels),
            "val": plain[fitted].tolist(),
            "elsewhere": elsewhere[fitted].tolist(),
            "val_target": target[fitted].tolist(),
            "target": target[~fitted].tolist(),
            "held": {name: each[~fitted].tolist() for name, each in damaged.items()},
        }


def decided(line: Mapping[str, Any]) -> Iterator[tuple[str, str, float, float]]:
    """(shift, rule, accuracy, balanced accuracy) of one line; damages are averaged."""
    labels = LabelSet(tuple(line["labels"]))
    truth, of_val = np.array(line["target"]), np.array(line["val_target"])
    normal = np.isin(truth, [position for position, label in enumerate(labels) if is_normal(label)])
    fitted = fit_temperature(np.array(line["val"]), of_val)

    def probs(logits: Any) -> np.ndarray:
        scaled = fitted(np.asarray(logits))
        raised = np.exp(scaled - scaled.max(1, keepdims=True))
        return raised / raised.sum(1, keepdims=True)

    as_is, elsewhere = probs(line["val"]), probs(line["elsewhere"])
    shares = np.bincount(of_val, minlength=len(labels)) / len(of_val)
    offsets = {
        "most probable": np.zeros(len(labels)),
        "less the prior": -np.log(shares),
        "even, validation as it is": even_offsets(as_is, of_val),
        "even, stressed copies too": even_offsets(np.concatenate([as_is, elsewhere]), np.tile(of_val, 2)),
    }
    held = {name: np.log(np.maximum(probs(each), 1e-30)) for name, each in line["held"].items()}
    plain = held.pop("none")
    shifts = {
        "as they are": [plain],
        "all damaged": list(held.values()),
        "normal ones damaged": [np.where(normal[:, None], each, plain) for each in held.values()],
    }
    for shift, versions in shifts.items():
        for rule, offset in offsets.items():
            found = [_figures((each + offset).argmax(1), truth, len(labels)) for each in versions]
            yield shift, rule, *np.mean(found, axis=0).tolist()


def even_offsets(probs: np.ndarray, target: np.ndarray) -> np.ndarray:
    """What is added to the log probability of each class, so that each pair is parted at its even threshold.

    K classes have K (K - 1) / 2 pairs and K - 1 free offsets: the ones with the least squared distance from all
    thresholds, on the scale of log odds. For two classes that is the point `even` itself.

    Args:
        probs: float `[N, K]`, of validation images as they are, and as they might look elsewhere.
        target: int `[N]`.

    Returns:
        float `[K]`.
    """
    apart = np.zeros((probs.shape[1],) * 2)
    for one, other in combinations(range(probs.shape[1]), 2):
        of_pair = np.isin(target, (one, other))
        pair = probs[of_pair][:, [one, other]]
        cut = special.logit(even_threshold(pair[:, 1] / np.maximum(pair.sum(1), 1e-300), target[of_pair] == other))
        apart[one, other], apart[other, one] = cut, -cut
    return apart.mean(1)


def _figures(called: np.ndarray, truth: np.ndarray, classes: int) -> tuple[float, float]:
    right = called == truth
    return float(right.mean()), float(np.mean([right[truth == each].mean() for each in range(classes)]))


def render(lines: Sequence[Mapping[str, Any]]) -> str:
    """Markdown: for each recipe, kind of held-out part and shift the means over trainings."""
    rows: dict[tuple[str, ...], list[tuple[float, float]]] = {}
    for line in lines:
        kind = line["part"].partition(":")[0]
        for shift, rule, *figures in decided(line):
            rows.setdefault((line["recipe"], kind, shift, rule), []).append((figures[0], figures[1]))
    text = "| recipe | held out | pictures | rule | accuracy | balanced accuracy | lines |\n"
    text += "|---|---|---|---|---|---|---|\n"
    for key, found in rows.items():
        accuracy, balanced = np.mean(found, axis=0)
        text += f"| {' | '.join(key)} | {accuracy:.3f} | {balanced:.3f} | {len(found)} |\n"
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    runs = commands.add_parser("run", help="train and score")
    runs.add_argument("data", type=Path)
    runs.add_argument("out", type=Path)
    runs.add_argument("--labels", default="folders")
    runs.add_argument("--recipe", default="small-hardened")
    runs.add_argument("--held", nargs="*", default=["series", "patients"], choices=["patients", "series"])
    runs.add_argument("--images", type=int, default=1200, help="training and validation images of a part, at most")
    runs.add_argument("--judged", type=int, default=400, help="held-out images of a part, at most")
    runs.add_argument("--parts", type=int, default=2, help="folds of patients, or series, at most")
    runs.add_argument("--size", type=int, default=112)
    runs.add_argument("--epochs", type=int, default=24)
    runs.add_argument("--batch-size", type=int, default=16)
    runs.add_argument("--weights-dir", type=Path)
    stands = commands.add_parser("study", help="a run that stands: rules from half of its validation patients")
    stands.add_argument("study", type=Path)
    stands.add_argument("run", type=Path)
    stands.add_argument("out", type=Path)
    tables = commands.add_parser("table", help="a table in Markdown")
    tables.add_argument("out", type=Path)
    given = parser.parse_args()
    if given.command == "run":
        run(given)
    elif given.command == "study":
        with given.out.open("a") as file:
            file.writelines(json.dumps(line) + "\n" for line in of_study(given.run, given.study))
    else:
        sys.stdout.write(render(read_lines(given.out)))


if __name__ == "__main__":
    main()
