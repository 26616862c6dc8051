"""What each part of a recipe adds, by cross-validation on the training images of a two-class set.

    python benchmarks/ablation.py run DATA/train results.jsonl --arms plain warp border --seeds 0 1
    python benchmarks/ablation.py table results.jsonl

DATA/train is a folder of class folders that holds no test image, so none can be opened here. Folds are of whole
patients. The training part of each is cut to `--images`, so that an arm costs minutes; what is left out of a recipe
that way is its length, and a part that only pays in a long training will not show. A held-out image is predicted as it
is and after each damage of `damaged_validation.py`: plain cross-validation is saturated on such sets, and the shift
between their splits is of that kind. `--held series` holds out all negatives of one kind of file name
(`IM-...`, `NORMAL2-IM-...`) instead of a fold, with a fold of the positives: a real shift inside the training images.

One JSON line per (arm, held-out part, seed), with the score of every held-out image; lines that are there are not made
again, so the same command goes on. `table` needs only the lines.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ablation_arms import arms_of
from ablation_table import render
from damaged_validation import DAMAGES
from threshold_rules import STRESSED

from hilum.data.build import build_dataset, open_cache
from hilum.data.manifest import Manifest
from hilum.data.sources import list_images
from hilum.data.splits import connected_groups, draw_groups
from hilum.labels import is_normal
from hilum.recipes.schema import Recipe
from hilum.transforms.stress import stressed
from hilum.workflow.folds import make_folds
from hilum.workflow.network import network_of, phases_of, preprocessing_of, settings_of
from hilum.workflow.options import Options

FOLDS, VAL_SHARE, COPIES = 5, 0.15, 2
SERIES = r"^(?:.*/)?([A-Za-z0-9]+(?:-[A-Za-z]+)?)-?\d"


@dataclass(frozen=True)
class Part:
    """Rows of the manifest's table: what a network trains on, stops by, and is judged on."""

    name: str
    train: np.ndarray
    val: np.ndarray
    held: np.ndarray


def read_training_images(data: Path, work: Path, recipe: Recipe, labels: str = "folders") -> Manifest:
    """Every image of the folder as training image; a cache of its canvases."""
    listing = list_images(data, labels)
    if "test" in set(listing.table["split"].dropna()):
        raise SystemExit(f"{data} has a test split; give the folder of the training images alone")
    manifest = build_dataset(listing, cache_dir=work, preprocessings=[preprocessing_of(recipe)]).manifest
    return manifest.with_table(manifest.table.assign(split="train"))


def parts_of(manifest: Manifest, held: str, images: int, most_held: int, most_parts: int) -> list[Part]:
    """The first held-out parts, each with a training part that is cut to so many images, patient by patient."""
    labels, table = manifest.table["label"].to_numpy(), manifest.table
    groups = connected_groups(table["patient_id"], table["sha256"])
    folds = [(each.table["split"] == "fold").to_numpy() for each in make_folds(manifest, FOLDS, Options())]
    if held == "series":
        names = table["image_path"].str.extract(SERIES, expand=False)
        negative = np.array([is_normal(each) for each in labels])
        if not negative.any():
            raise SystemExit(f"--held series needs a class of normal X-rays; found {', '.join(manifest.labels)}")
        kinds = sorted(set(names[negative]))
        out = {kind: (negative & (names == kind).to_numpy()) | (~negative & folds[n]) for n, kind in enumerate(kinds)}
    else:
        out = {f"fold-{number + 1}": each for number, each in enumerate(folds)}
    made = []
    for name, kept in list(out.items())[:most_parts]:
        rest = np.flatnonzero(~np.isin(groups, groups[kept]))
        chosen = rest[draw_groups(labels[rest], groups[rest], min(1.0, images / len(rest)), 1)]
        inner = draw_groups(labels[chosen], groups[chosen], VAL_SHARE, 2)
        judged = np.flatnonzero(kept)
        judged = np.sort(np.random.default_rng(3).permutation(judged)[:most_held])
        made.append(Part(f"{held}:{name}", chosen[~inner], chosen[inner], judged))
    return made


def one_line(recipe: Recipe, manifest: Manifest, part: Part, seed: int, options: Options, work: Path) -> dict[str, Any]:
    """Trains, and scores the held-out images, damaged and not: logit of the positive class less that of the other."""
    from hilum.inference.device import choose_device
    from hilum.inference.predict import predict_logits
    from hilum.training.datamodule import Examples
    from hilum.training.fit import fit

    started = time.monotonic()
    model, preprocessing = network_of(recipe, manifest, options)
    canvases = open_cache(manifest, preprocessing, work)
    target = manifest.labels.encode(manifest.table["label"].tolist()).astype(np.int64)

    def examples(rows: np.ndarray) -> Examples:
        return Examples(np.asarray(canvases.of(manifest.table.iloc[rows])[:]), target[rows])

    device = choose_device(options.device)
    with tempfile.TemporaryDirectory() as folder:
        result = fit(
            model, examples(part.train), examples(part.val), preprocessing=preprocessing, phases=phases_of(recipe),
            settings=settings_of(recipe, options), run_dir=Path(folder), device=device,
        )  # fmt: skip
    trained = time.monotonic()
    column = manifest.labels.index(manifest.labels.positive)

    def scores(pictures: np.ndarray) -> list[float]:
        logits = predict_logits(model, pictures, preprocessing, device=device, engine="torch")
        return np.round(logits[:, column] - logits[:, 1 - column], 3).tolist()

    def damaged(rows: np.ndarray) -> dict[str, list[float]]:
        pictures = examples(rows).inputs
        return {name: scores(np.stack([damage(each) for each in pictures])) for name, damage in DAMAGES.items()}

    def elsewhere(rows: np.ndarray) -> dict[str, list[float]]:
        pictures = np.split(stressed(examples(rows).inputs, COPIES), COPIES)
        return {f"{STRESSED}{number}": scores(each) for number, each in enumerate(pictures)}

    return {
        "val": damaged(part.val) | elsewhere(part.val),
        "val_positive": (target[part.val] == column).astype(int).tolist(),
        "positive": (target[part.held] == column).astype(int).tolist(),
        "patient": manifest.table["patient_id"].iloc[part.held].astype(str).tolist(),
        "held": damaged(part.held),
        "best_epoch": result.best_epoch,
        "train_seconds": round(trained - started, 1),
        "seconds": round(time.monotonic() - started, 1),
    }


def wanted(arms: dict[str, Recipe], parts: list[Part], seeds: list[int]) -> Iterator[tuple[int, Part, str]]:
    """Every seed of every part before the next seed, the arms side by side: a table can be made at any time."""
    for seed in seeds:
        for part in parts:
            for arm in arms:
                yield seed, part, arm


def run(arguments: argparse.Namespace) -> None:
    arms = arms_of(arguments.recipe, arguments.size, arguments.epochs, arguments.batch_size)
    chosen = {name: arms[name] for name in arguments.arms or arms}
    base = next(iter(chosen.values()))
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        manifest = read_training_images(arguments.data, work, base)
        cut = (arguments.images, arguments.judged, arguments.parts)
        chosen_parts = [parts_of(manifest, held, *cut) for held in arguments.held]
        parts = [part for parts in chosen_parts for part in parts]
        setting = {
            "recipe": arguments.recipe,
            "size": arguments.size,
            "epochs": arguments.epochs,
            "images": arguments.images,
            "batch_size": base.batch_size,
        }
        for seed, part, arm in wanted(chosen, parts, arguments.seeds):
            key = {"arm": arm, "part": part.name, "seed": seed, **setting}
            if key in [{name: line.get(name) for name in key} for line in read_lines(arguments.out)]:
                continue
            options = Options(seed=seed, weights_dir=arguments.weights_dir, device=arguments.device)
            line = {**key, **one_line(chosen[arm], manifest, part, seed, options, work)}
            with arguments.out.open("a") as file:
                file.write(json.dumps(line) + "\n")
            sys.stdout.write(f"{arm} {part.name} seed {seed}: {line['train_seconds']:.0f} of {line['seconds']:.0f} s\n")
            sys.stdout.flush()


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The lines of a results file; a last one that was cut off is left out."""
    lines = []
    for text in path.read_text().splitlines() if path.exists() else ():
        try:
            lines.append(json.loads(text))
        except ValueError:
            continue
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    runs = commands.add_parser("run", help="train and score")
    runs.add_argument("data", type=Path)
    runs.add_argument("out", type=Path)
    runs.add_argument("--arms", nargs="*", default=[], help="all when none is named")
    runs.add_argument("--recipe", default="small", choices=["small", "finetuned"])
    runs.add_argument("--held", nargs="*", default=["patients"], choices=["patients", "series"])
    runs.add_argument("--seeds", type=int, nargs="*", default=[0])
    runs.add_argument("--images", type=int, default=1200, help="training and validation images of a part, at most")
    runs.add_argument("--judged", type=int, default=500, help="held-out images of a part, at most")
    runs.add_argument("--parts", type=int, default=FOLDS, help="folds of patients, or series, at most")
    runs.add_argument("--size", type=int, default=128)
    runs.add_argument("--epochs", type=int, default=12)
    runs.add_argument("--batch-size", type=int, default=0, help="0 = the recipe's")
    runs.add_argument("--weights-dir", type=Path)
    runs.add_argument("--device", default="auto")
    tables = commands.add_parser("table", help="a table in Markdown")
    tables.add_argument("out", type=Path)
    tables.add_argument("--against", default="plain")
    tables.add_argument("--replicates", type=int, default=1000)
    arguments = parser.parse_args()
    if arguments.command == "run":
        run(arguments)
    else:
        sys.stdout.write(render(read_lines(arguments.out), arguments.against, arguments.replicates))


if __name__ == "__main__":
    main()
