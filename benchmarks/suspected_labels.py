"""How well wrong labels are found: drawn X-rays of which a share is filed under another class.

Prints, for three difficulties and two shares, over several data sets of 600 images (480 outside the test split, k of
them filed wrongly): precision at k of the ranking (which is also its recall), recall at 2k, and of the images that are
listed how many there are, how many are wrong (precision), and which share of the wrong ones that is (recall).

    python benchmarks/suspected_labels.py [--sets 5]      # about 4 minutes on a core
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from hilum.audit.labels import suspect_labels
from hilum.audit.views import take_views
from hilum.data.manifest import Manifest
from hilum.data.phantom import Faults, draw_dataset
from hilum.labels import LabelSet
from hilum.transforms import Preprocessing, to_canvas

IMAGES, SIZE = 600, 64


def measure(seed: int, difficulty: float, share: float) -> list[float]:
    """Precision at k, recall at 2k, images listed, precision and recall of the list; NaN where nobody is asked."""
    faults = Faults(wrong_labels=share)
    dataset = draw_dataset(
        images=IMAGES, size=SIZE, classes=("normal", "pneumonia"), difficulty=difficulty, faults=faults, seed=seed
    )
    preprocessing = Preprocessing(image_size=SIZE)
    views = take_views(np.stack([to_canvas(drawing.pixels, preprocessing) for drawing in dataset]))
    table = dataset.table[["label", "patient_id", "split", "view"]].assign(
        image_path=dataset.table["name"], source="drawn", height=SIZE, width=SIZE, sha256=dataset.table["name"]
    )
    suspects = suspect_labels(Manifest(table, LabelSet.of(table["label"]), Path("drawn")), views, seed=seed)
    if suspects is None:
        return [float("nan")] * 5
    wrong = dataset.table["wrong_label"].to_numpy()[suspects.rows]
    k, ranked, listed = int(wrong.sum()), wrong[suspects.ranking], wrong[suspects.order]
    precision = float(listed.mean()) if len(listed) else float("nan")
    return [ranked[:k].mean(), ranked[: 2 * k].sum() / max(k, 1), len(listed), precision, listed.sum() / max(k, 1)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=int, default=5)
    sets = parser.parse_args().sets
    sys.stdout.write("difficulty  wrong   asked   precision@k  recall@2k   listed  precision  recall\n")
    for difficulty in (0.0, 0.25, 0.5):
        for share in (0.02, 0.06):
            found = np.array([measure(seed, difficulty, share) for seed in range(sets)])
            asked = found[np.isfinite(found[:, 0])]
            means = [float(np.nanmean(column)) if np.isfinite(column).any() else float("nan") for column in asked.T]
            means = means or [float("nan")] * 5
            row = f"{means[0]:11.2f} {means[1]:10.2f} {means[2]:8.1f} {means[3]:10.2f} {means[4]:7.2f}"
            sys.stdout.write(f"{difficulty:10.2f} {share:6.0%} {len(asked):4d}/{sets:<3d} {row}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
