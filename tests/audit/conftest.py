"""Drawn data sets in memory: a manifest and the views of its pictures, without a file."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import hilum
from hilum.audit.views import take_views
from hilum.data.manifest import Manifest
from hilum.data.phantom import Faults, draw_dataset, write_dataset
from hilum.labels import LabelSet
from hilum.transforms import Preprocessing, to_canvas

SIZE = 64


def manifest_of(table, **facts):
    """A manifest of rows with `label, patient_id, split`; what else it needs is filled in."""
    rows = pd.DataFrame(table).reset_index(drop=True)
    names = [f"{row.split}/{row.label}/{row.Index:04}.png" for row in rows.itertuples()]
    filled = {"image_path": names, "source": "drawn", "view": "PA", "height": SIZE, "width": SIZE, "sha256": names}
    rows = rows.assign(**{name: value for name, value in filled.items() if name not in rows})
    return Manifest(rows, LabelSet.of(rows["label"]), Path("drawn"), facts)


def drawn(images, *, classes=("normal", "pneumonia"), **arguments):
    """Manifest, views and the plan's table."""
    dataset = draw_dataset(images=images, size=SIZE, classes=classes, **arguments)
    preprocessing = Preprocessing(image_size=SIZE)
    canvases = np.stack([to_canvas(drawing.pixels, preprocessing) for drawing in dataset])
    return manifest_of(dataset.table[["label", "patient_id", "split"]]), take_views(canvases), dataset.table


@pytest.fixture(scope="session")
def healthy():
    """360 drawn X-rays in which disease is easy to see and nothing is wrong."""
    return drawn(360, difficulty=0.0, seed=3)


@pytest.fixture(scope="session")
def marked():
    """Strength of a planted marker -> a data set of the same 300 pictures."""
    return {
        strength: drawn(300, faults=Faults(marker=strength), independent=True, seed=4) for strength in (0.0, 0.5, 1.0)
    }


@pytest.fixture(scope="session")
def audited(tmp_path_factory):
    """Draws a data set to disk, audits it as a user does, and gives the result and the truth."""

    def audited(images=160, *, size=128, change=None, classes=("normal", "bacterial"), seed=0, audit_seed=0, **faults):
        root = tmp_path_factory.mktemp("drawn") / "data"
        arguments = {name: faults.pop(name) for name in ("independent", "images_per_patient") if name in faults}
        write_dataset(
            draw_dataset(images=images, size=size, classes=classes, faults=Faults(**faults), seed=seed, **arguments),
            root,
        )
        if change is not None:
            change(root)
        result = hilum.audit(root, out=root.parent / "audit", seed=audit_seed)
        return result, pd.read_csv(root / "truth.csv", keep_default_na=False)

    return audited
