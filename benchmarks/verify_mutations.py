"""How many small changes of a study `hilum verify` finds: seeded mutations of drawn studies, with and without the seal.

    python benchmarks/verify_mutations.py --mutations 500

Each mutation changes one thing in a finished study of drawn X-rays (a digit or a letter of a text file, two predictions
swapped, a label flipped, a split row moved, a bit of the model or of a picture, a row dropped or put in twice, an entry
of the ledger, a coordinate of a drawing, a file deleted or cut short, a key of a JSON file renamed, a pixel of the
cache), and is put back afterwards.

A survivor is a mutation after which `hilum verify` still finds nothing. The untouched studies must pass.
`tests/verify/test_mutations.py` runs 50 mutations of a small study.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hilum.data.manifest import read_manifest
from hilum.data.predictions import Predictions, read_predictions
from hilum.verify import verify_folder

IMAGES = 240
"""Of a drawn study."""

TEXTS = (".json", ".csv", ".html", ".svg", ".jsonl")


@dataclass(frozen=True)
class Place:
    """A study that may be spoiled, its pictures, and what draws.

    Args:
        data: the folder of the pictures.
    """

    study: Path
    data: Path
    generator: np.random.Generator

    def one(self, items: list):
        if not items:
            raise LookupError("nothing to choose from")
        return items[int(self.generator.integers(len(items)))]

    def files(self, *suffixes: str) -> list[Path]:
        """Files of the study besides cache and locks, in order."""
        every = (each for each in sorted(self.study.rglob("*")) if each.is_file())
        own = (each for each in every if "cache" not in each.relative_to(self.study).parts and each.name[0] != ".")
        return [each for each in own if not suffixes or each.suffix in suffixes]


Mutation = Callable[[Place], tuple[Path, str]]


def change_digit(place: Place) -> tuple[Path, str]:
    """One digit anywhere in a text file becomes another one."""
    path = place.one(place.files(*TEXTS))
    content = bytearray(path.read_bytes())
    masked = re.sub(rb"base64,[A-Za-z0-9+/=]*", lambda found: b" " * len(found[0]), bytes(content))
    digits = [match.start() for match in re.finditer(rb"[0-9]", masked)]
    at = place.one(digits)
    old = content[at]
    content[at] = ord(str((int(chr(old)) + int(place.generator.integers(1, 10))) % 10))
    path.write_bytes(content)
    return path, f"digit at {at}: {chr(old)} to {chr(content[at])}"


def change_coordinate(place: Place) -> tuple[Path, str]:
    """A coordinate of a drawing."""
    path = place.one(place.files(".svg"))
    text = path.read_text()
    match = place.one(list(re.finditer(r'(?:x|y|x1|y1|x2|y2|cx|cy|width|height|d|points)="[^"]*?(\d)', text)))
    digit = str((int(match[1]) + 1) % 10)
    path.write_text(text[: match.start(1)] + digit + text[match.end(1) :])
    return path, f"coordinate at {match.start(1)}"


def change_key(place: Place) -> tuple[Path, str]:
    """A key of a JSON file gets another name."""
    path = place.one(place.files(".json"))
    text = path.read_text()
    match = place.one(list(re.finditer(r'"([A-Za-z_][\w-]*)":', text)))
    path.write_text(f"{text[: match.start(1)]}{match[1]}x{text[match.end(1) :]}")
    return path, f"key {match[1]}"


def change_word(place: Place) -> tuple[Path, str]:
    """A letter of a text file becomes another one."""
    path = place.one(place.files(*TEXTS))
    text = path.read_text()
    masked = re.sub(r"base64,[A-Za-z0-9+/=]*", lambda found: " " * len(found[0]), text)
    match = place.one(list(re.finditer(r"[a-z]", masked)))
    letter = "q" if match[0] != "q" else "z"
    path.write_text(text[: match.start()] + letter + text[match.end() :])
    return path, f"letter at {match.start()}"


def drop_row(place: Place) -> tuple[Path, str]:
    """A line of a table or the ledger is gone."""
    path, lines = _lines(place)
    at = int(place.generator.integers(1 if path.suffix == ".csv" else 0, len(lines)))
    path.write_text("".join(lines[:at] + lines[at + 1 :]))
    return path, f"line {at + 1} dropped"


def double_row(place: Place) -> tuple[Path, str]:
    """A line of a table or the ledger stands there twice."""
    path, lines = _lines(place)
    at = int(place.generator.integers(1 if path.suffix == ".csv" else 0, len(lines)))
    path.write_text("".join(lines[: at + 1] + lines[at:]))
    return path, f"line {at + 1} twice"


def _lines(place: Place) -> tuple[Path, list[str]]:
    few = [each for each in place.files(".csv", ".jsonl") if len(each.read_text().splitlines()) > 1]
    path = place.one(few)
    return path, path.read_text().splitlines(keepends=True)


def change_ledger(place: Place) -> tuple[Path, str]:
    """An entry of the ledger says something else."""
    path = place.one(place.files(".jsonl"))
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    line = place.one(lines)
    name = place.one([each for each in line if each != "event"])
    line[name] = line[name] + 1 if isinstance(line[name], int) else f"{line[name]}0"
    path.write_text("".join(json.dumps(each) + "\n" for each in lines))
    return path, f"entry {name}"


def delete_file(place: Place) -> tuple[Path, str]:
    path = place.one(place.files())
    path.unlink()
    return path, "deleted"


def cut_file(place: Place) -> tuple[Path, str]:
    """A file loses its end."""
    path = place.one([each for each in place.files() if each.stat().st_size > 1])
    content = path.read_bytes()
    keep = int(place.generator.integers(0, len(content)))
    path.write_bytes(content[:keep])
    return path, f"cut to {keep} of {len(content)} bytes"


def swap_predictions(place: Place) -> tuple[Path, str]:
    """What the network said of two images is exchanged."""
    path, predictions = _predictions(place)
    table = predictions.table.copy()
    columns = [name for name in table if name.startswith(("prob_", "logit_"))]
    said = table[columns].to_numpy()
    one = int(place.generator.integers(len(table)))
    others = np.flatnonzero((said != said[one]).any(axis=1))  # neighbours' votes repeat: a swap of equals is no change
    other = place.one(others.tolist())
    table.loc[[one, other], columns] = table.loc[[other, one], columns].to_numpy()
    Predictions(table, predictions.labels, predictions.about).write(path)
    return path, f"rows {one} and {other} swapped"


def flip_label(place: Place) -> tuple[Path, str]:
    """One true label becomes another class, in predictions or in the manifest."""
    if place.generator.random() < 0.5:
        path, predictions = _predictions(place)
        table = predictions.table.copy()
        row = int(place.generator.integers(len(table)))
        table.loc[row, "target"] = place.one([each for each in predictions.labels if each != table.loc[row, "target"]])
        Predictions(table, predictions.labels, predictions.about).write(path)
    else:
        path = place.study / "manifest.parquet"
        manifest = read_manifest(path)
        table = manifest.table.copy()
        row = int(place.generator.integers(len(table)))
        table.loc[row, "label"] = place.one([each for each in manifest.labels if each != table.loc[row, "label"]])
        manifest.with_table(table).write(path)
    return path, f"label of row {row}"


def move_split(place: Place) -> tuple[Path, str]:
    """One image stands in another split."""
    path = place.study / "manifest.parquet"
    manifest = read_manifest(path)
    table = manifest.table.copy()
    row = int(place.generator.integers(len(table)))
    table.loc[row, "split"] = place.one([each for each in ("train", "val", "test") if each != table.loc[row, "split"]])
    manifest.with_table(table).write(path)
    return path, f"split of row {row}"


def change_prediction(place: Place) -> tuple[Path, str]:
    """The logits of one image change a little, and the probabilities with them."""
    path, predictions = _predictions(place)
    logits = predictions.logits.copy()
    row = int(place.generator.integers(len(logits)))
    logits[row, 0] += 0.01
    predictions.with_logits(logits).write(path)
    return path, f"logit of row {row}"


def change_table_row(place: Place) -> tuple[Path, str]:
    """A row of the manifest is dropped, or stands there twice."""
    import pandas as pd

    path = place.study / "manifest.parquet"
    manifest = read_manifest(path)
    row = int(place.generator.integers(len(manifest)))
    twice = place.generator.random() < 0.5
    table = manifest.table
    table = pd.concat([table, table.iloc[[row]]]) if twice else table.drop(index=row)
    manifest.with_table(table).write(path)
    return path, f"row {row} {'twice' if twice else 'dropped'}"


def change_model(place: Place) -> tuple[Path, str]:
    """One bit of a model file."""
    return _flip_bit(place, place.one(place.files(".safetensors")))


def change_picture(place: Place) -> tuple[Path, str]:
    """One bit of a picture."""
    manifest = read_manifest(place.study / "manifest.parquet")
    return _flip_bit(place, place.data / place.one(manifest.table["image_path"].tolist()))


def change_parquet(place: Place) -> tuple[Path, str]:
    """One bit of a Parquet file."""
    return _flip_bit(place, place.one(place.files(".parquet")))


def change_cache(place: Place) -> tuple[Path, str]:
    """One bit of a decoded picture that the manifest knows."""
    manifest = read_manifest(place.study / "manifest.parquet")
    path = place.one(sorted((place.study / "cache").glob("*/canvases.npy")))
    rows = json.loads((path.parent / "index.json").read_text())
    canvases = np.load(path, mmap_mode="r+")
    row = rows[place.one(manifest.table["sha256"].tolist())]
    y, x = (int(place.generator.integers(side)) for side in canvases.shape[1:])
    canvases[row, y, x] ^= 16
    canvases.flush()
    del canvases
    return path, f"canvas {row}, pixel {y}, {x}"


def _flip_bit(place: Place, path: Path) -> tuple[Path, str]:
    content = bytearray(path.read_bytes())
    at, bit = int(place.generator.integers(len(content))), int(place.generator.integers(8))
    content[at] ^= 1 << bit
    path.write_bytes(content)
    return path, f"bit {bit} of byte {at}"


def _predictions(place: Place) -> tuple[Path, Predictions]:
    path = place.one([each for each in place.files(".parquet") if each.name.startswith("predictions-")])
    return path, read_predictions(path)


MUTATIONS: dict[str, tuple[int, Mutation]] = {
    "digit": (8, change_digit),
    "coordinate": (2, change_coordinate),
    "key": (2, change_key),
    "letter": (2, change_word),
    "row dropped": (2, drop_row),
    "row twice": (2, double_row),
    "ledger": (2, change_ledger),
    "file deleted": (3, delete_file),
    "file cut": (3, cut_file),
    "predictions swapped": (3, swap_predictions),
    "prediction": (3, change_prediction),
    "label flipped": (3, flip_label),
    "split moved": (3, move_split),
    "manifest row": (2, change_table_row),
    "model": (3, change_model),
    "picture": (3, change_picture),
    "parquet bit": (2, change_parquet),
    "cache": (2, change_cache),
}
"""Name -> how often it is drawn, beside the others; the mutation."""


def draw_mutations(count: int, seed: int) -> list[str]:
    """Names of mutations, every kind in turn as often as it weighs."""
    weights = np.array([weight for weight, _ in MUTATIONS.values()], float)
    shares = np.floor(count * weights / weights.sum()).astype(int)
    names = [name for name, share in zip(MUTATIONS, shares, strict=True) for _ in range(share)]
    generator = np.random.default_rng(seed)
    names += generator.choice(list(MUTATIONS), count - len(names), p=weights / weights.sum()).tolist()
    return [names[i] for i in generator.permutation(len(names))]


@contextmanager
def mutated(name: str, study: Path, data: Path, seed: int) -> Iterator[tuple[Path, str]]:
    """One mutation, put back afterwards.

    Yields:
        The file that was changed, and how.
    """
    with tempfile.TemporaryDirectory() as kept:
        pictures = [each for each in data.rglob("*") if each.is_file()] if name == "picture" else []
        before = {path: path.read_bytes() for path in [*_small(study), *pictures]}
        if name == "cache":
            shutil.copytree(study / "cache", Path(kept) / "cache")
        try:
            yield _spoil(name, Place(study, data, np.random.default_rng(seed)))
        finally:
            for path, content in before.items():
                if not path.exists() or path.read_bytes() != content:
                    path.write_bytes(content)
            if name == "cache":
                shutil.rmtree(study / "cache")
                shutil.copytree(Path(kept) / "cache", study / "cache")


def _spoil(name: str, place: Place) -> tuple[Path, str]:
    """A mutation of its kind; another file is drawn where the first has nothing that it could change."""
    for _ in range(50):
        try:
            return MUTATIONS[name][1](place)
        except LookupError:
            continue
    raise LookupError(f"no file of the study can be spoiled by `{name}`")


def _small(study: Path) -> list[Path]:
    return [each for each in study.rglob("*") if each.is_file() and each.relative_to(study).parts[0] != "cache"]


def run_mutations(
    study: Path, data: Path, count: int, seed: int, *, seal: bool, memory: dict, every: int = 0
) -> list[dict]:
    """Each mutation with what came of it: `name, file, change, found` (how many differences), `named` (its file is).

    Args:
        every: a line is printed after so many mutations; 0 prints survivors only.
    """
    rows = []
    for number, name in enumerate(draw_mutations(count, seed)):
        with mutated(name, study, data, seed * 100_000 + number) as (path, change):
            found = verify_folder(study, data=data, seal=seal, memory=memory)
            inside = data if data in path.parents else study
            file = path.relative_to(inside).as_posix()
            files = {each.file for each in found.differences}
            rows.append({"name": name, "file": file, "change": change, "found": len(found.differences)})
            rows[-1]["named"] = any(each == file or each in file or file in each for each in files)
            if not found.differences:
                _say(f"  survivor, {'with' if seal else 'without'} the seal: {name}, {file}, {change}")
            if every and (number + 1) % every == 0:
                _say(f"  {study.name}: {number + 1} of {count}, {sum(row['found'] > 0 for row in rows)} found")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mutations", type=int, default=500)
    parser.add_argument("--studies", type=int, default=2, help="drawn studies, each with a seed of its own")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=None, help="where the studies lie, or go")
    parser.add_argument("--without-seal", type=int, default=None, help="how many of them also without the seal; all")
    parser.add_argument("--out", type=Path, default=None)
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp(prefix="verify-"))
    studies = [make_study(folder, options.seed + number) for number in range(options.studies)]
    memory: dict = {}
    for study, data in studies:
        began = time.monotonic()
        found = verify_folder(study, data=data, memory=memory)
        _say(f"{study.name} untouched: {found.headline} {time.monotonic() - began:.1f} s, first time")
        for each in found.differences:
            _say(f"  FALSE ALARM {each.sentence}")
    rows = {True: [], False: []}
    without = options.mutations if options.without_seal is None else options.without_seal
    wanted = {True: options.mutations, False: without}
    for seal, every in rows.items():
        if not wanted[seal]:
            continue
        began = time.monotonic()
        for number, (study, data) in enumerate(studies):
            share = wanted[seal] // len(studies)
            every += run_mutations(
                study, data, share, options.seed + 10 * number + 1, seal=seal, memory=memory, every=25
            )
        _report(every, "with the seal" if seal else "without the seal", time.monotonic() - began)
    if options.out:
        options.out.write_text(json.dumps({"with_seal": rows[True], "without_seal": rows[False]}, indent=1) + "\n")
    sys.exit(any(not row["found"] for row in rows[True]))


def make_study(folder: Path, seed: int) -> tuple[Path, Path]:
    """A study of drawn X-rays with two small networks, and its pictures; one that is there already is taken."""
    import hilum
    from hilum.data.phantom import draw_dataset, write_dataset
    from hilum.recipes.schema import Augmentation, Model, Phase, Preprocessing, Recipe

    study, data = folder / f"study-{seed}", folder / f"data-{seed}"
    if not data.exists():
        write_dataset(draw_dataset(images=IMAGES, seed=seed), data)
    recipes = [
        Recipe(
            name,
            model=Model("cnn-tiny"),
            preprocessing=Preprocessing(image_size=64, normalisation="half", channels=1),
            augmentation=Augmentation(flip=0.5),
            phases=(Phase(max_epochs=8, lr=lr, optimiser="adamw", schedule="cosine"),),
            batch_size=16,
            precision="32",
        )
        for name, lr in (("first", 3e-3), ("second", 1e-3))
    ]
    if not (study / "report.html").exists():
        hilum.study(data, recipes=recipes, out=study, seed=seed, replicates=200, time_budget=900, device="cpu")
    return study, data


def _report(rows: list[dict], words: str, seconds: float) -> None:
    survivors = [row for row in rows if not row["found"]]
    named = sum(row["named"] for row in rows if row["found"])
    _say(f"{words}: {len(rows)} mutations, {len(survivors)} survivors, {named} with their file named, {seconds:.0f} s")
    for name, count in sorted(Counter(row["name"] for row in survivors).items()):
        total = sum(row["name"] == name for row in rows)
        _say(f"  {name}: {count} of {total} survive")
    for row in survivors:
        _say(f"    {row['name']}: {row['file']}, {row['change']}")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
