"""Embeddings of a run, made once."""

import shutil

import numpy as np
import pandas as pd
import pytest

from hilum.data.manifest import read_manifest
from hilum.errors import DataError
from hilum.inference import embed_images
from hilum.models import load_model
from hilum.transforms import Preprocessing
from hilum.workflow import inspect_embeddings
from hilum.workflow.inspect import InspectionContext
from hilum.workflow.inspect_embeddings import embed_run, embeddings_of, in_turn
from hilum.workflow.options import Options


@pytest.fixture
def context(trained, tmp_path):
    study, _ = trained
    folder = tmp_path / "study"
    shutil.copytree(study.study_dir, folder, ignore=shutil.ignore_patterns("inspection"))
    manifest = read_manifest(folder / "manifest.parquet")
    return InspectionContext(folder, "tiny", manifest, Options(device="cpu"), True, 60.0, lambda *_: None)


def test_they_are_those_of_the_model_file(context):
    from hilum.data.build import open_cache

    found = embeddings_of(context, ("train", "val", "test"))
    model, header = load_model(context.study_dir / "tiny" / "model.safetensors")
    preprocessing = Preprocessing(**header.preprocessing)
    rows = context.manifest.table
    canvases = open_cache(context.manifest, preprocessing, context.study_dir / "cache").of(rows)
    np.testing.assert_allclose(found.matrix, embed_images(model, canvases, preprocessing), atol=1e-5)
    assert found.table["image_path"].tolist() == rows["image_path"].tolist()
    assert found.about["images"] == {
        name: [count, count] for name, count in context.manifest.counts().sum(axis=1).items()
    }


def test_a_second_call_computes_only_what_is_missing(context, monkeypatch):
    first = embeddings_of(context, ("train",))
    calls = []
    real = inspect_embeddings._embed
    monkeypatch.setattr(inspect_embeddings, "_embed", lambda *given: calls.append(len(given[2])) or real(*given))
    again = embeddings_of(context, ("train",))
    assert not calls
    np.testing.assert_array_equal(first.matrix, again.matrix)
    both = embeddings_of(context, ("train", "val"))
    assert calls == [len(context.manifest.split("val"))]
    assert both.table["image_path"].tolist() == [
        name
        for name, split in context.manifest.table[["image_path", "split"]].itertuples(index=False)
        if split != "test"
    ]


def test_other_weights_are_embedded_anew(context):
    before = embeddings_of(context, ("val",))
    path = context.study_dir / "tiny" / "model.safetensors"
    from hilum.models import save_model
    from hilum.models.extras import add_extras

    add_extras(path, {"something": 1})
    assert embeddings_of(context, ("val",)).about["key"] == before.about["key"]
    model, header = load_model(path)
    for weight in model.backbone.parameters():
        weight.data.mul_(1.5)
    about = {name: getattr(header, name) for name in ("labels", "preprocessing", "recipe", "fingerprint", "extras")}
    save_model(path, model, **about)
    after = embeddings_of(context, ("val",))
    assert not np.allclose(before.matrix, after.matrix)


def test_test_stays_shut(context):
    from dataclasses import replace

    with pytest.raises(DataError, match="test, which is shut"):
        embeddings_of(replace(context, test_opened=False), ("val", "test"))


def test_without_time_some_of_each_split_are_embedded_and_said_so(context, monkeypatch):
    monkeypatch.setattr(inspect_embeddings, "AT_ONCE", 16)
    found = embed_run(
        context.study_dir, "tiny", context.manifest, context.options, ("train", "val", "test"), seconds=0.0
    )
    assert len(found) == 16 and set(found.table["split"]) == {"train", "val", "test"}
    assert sum(done for done, _ in found.about["images"].values()) == 16
    more = embed_run(context.study_dir, "tiny", context.manifest, context.options, ("train", "val", "test"))
    assert all(done == of for done, of in more.about["images"].values())
    assert more.table["image_path"].tolist() == context.manifest.table["image_path"].tolist()


def test_the_first_of_every_split_come_before_the_rest_of_any():
    rows = pd.DataFrame({"split": ["train"] * 5000 + ["val"] * 1500 + ["test"] * 1200})
    order = in_turn(rows, seed=0)
    assert order["split"].iloc[:3000].value_counts().to_dict() == {"train": 1000, "val": 1000, "test": 1000}
    assert order["split"].iloc[:300].value_counts().min() >= 99
    assert order["split"].iloc[3000:].tolist() == ["test"] * 200 + ["val"] * 500 + ["train"] * 4000
    assert sorted(order.index) == list(rows.index)
