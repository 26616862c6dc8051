"""How often the shortcut probes cry wolf, and how much of a planted marker they need.

Draws data sets of 200 X-rays each and prints how many of them have a finding:

- pictures drawn independently of the class, where any finding is a false alarm (at most 5 in 100 are wanted);
- easily visible disease and no shortcut, where a warning or an error is a false alarm;
- a side marker that follows the class in a growing share of the images, and is the only thing that does.

Measures what `docs/decisions/0006-when-a-shortcut-is-an-alarm.md` states.

    python benchmarks/shortcut_alarms.py [--sets 200]      # about 15 minutes on a core
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from hilum.audit.finding import Finding
from hilum.audit.shortcuts import find_shortcuts
from hilum.audit.views import take_views
from hilum.data.manifest import Manifest
from hilum.data.phantom import Faults, draw_dataset
from hilum.evaluation.intervals import exact_interval
from hilum.labels import LabelSet
from hilum.transforms import Preprocessing, to_canvas

IMAGES, SIZE = 200, 64
STRENGTHS = (0.1, 0.2, 0.3, 0.5, 0.75, 1.0)


def findings(seed: int, **arguments) -> list[Finding]:
    """Shortcut findings on one drawn data set."""
    dataset = draw_dataset(images=IMAGES, size=SIZE, classes=("normal", "pneumonia"), seed=seed, **arguments)
    pictures = [drawing.pixels for drawing in dataset]
    table = dataset.table[["label", "patient_id", "split", "view"]].assign(
        image_path=dataset.table["name"],
        source="drawn",
        height=[picture.shape[0] for picture in pictures],
        width=[picture.shape[1] for picture in pictures],
        sha256=dataset.table["name"],
    )
    preprocessing = Preprocessing(image_size=SIZE)
    views = take_views(np.stack([to_canvas(picture, preprocessing) for picture in pictures]))
    return find_shortcuts(Manifest(table, LabelSet.of(table["label"]), Path("drawn")), views, seed=seed)


def report(name: str, hits: list[bool]) -> None:
    """One line: how many of how many, with a 95 % interval."""
    k, n = sum(hits), len(hits)
    interval = exact_interval(k, n)
    sys.stdout.write(f"{name:44s} {k:4d} of {n}  [{100 * interval.low:.1f}, {100 * interval.high:.1f}] %\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=int, default=200)
    sets = parser.parse_args().sets
    report("independent of the class: any finding", [bool(findings(seed, independent=True)) for seed in range(sets)])
    fewer = range(max(1, sets // 5))
    healthy = [[each.severity for each in findings(seed, difficulty=0.0)] for seed in fewer]
    report("visible disease: a note", [bool(each) for each in healthy])
    report("visible disease: a warning or an error", [bool({"warning", "error"} & set(each)) for each in healthy])
    for strength in STRENGTHS:
        found = [
            {each.severity for each in findings(seed, independent=True, faults=Faults(marker=strength))}
            for seed in fewer
        ]
        report(f"marker in {strength:.0%} of the images: any finding", [bool(each) for each in found])
        report(f"marker in {strength:.0%} of the images: an error", ["error" in each for each in found])


if __name__ == "__main__":
    main()
