"""Drawn data sets in memory: a manifest and the views of its pictures, without a file."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hilum.audit.views import take_views
from hilum.data.manifest import Manifest
from hilum.data.phantom import Faults, draw_dataset
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
    """240 drawn X-rays in which disease is easy to see and nothing is wrong."""
    return drawn(240, difficulty=0.0, seed=3)


@pytest.fixture(scope="session")
def marked():
    """Strength of a planted marker -> a data set of the same 150 patients and pictures."""
    return {
        strength: drawn(150, faults=Faults(marker=strength), independent=True, seed=4) for strength in (0.0, 0.5, 1.0)
    }
