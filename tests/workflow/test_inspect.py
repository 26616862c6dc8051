"""The inspection of a study's run: one pass over the images, shared, and the time dealt out."""

import json
import shutil

import pytest

from hilum.data.manifest import read_manifest
from hilum.workflow import inspect, inspect_embeddings
from hilum.workflow.inspect import EMBEDDING, LEAST, PARTS, inspect_run
from hilum.workflow.inspect_projection import inspect_projection
from hilum.workflow.options import Options
from hilum.workflow.voice import Silent


@pytest.fixture
def study_dir(trained, tmp_path):
    study, _ = trained
    folder = tmp_path / "study"
    shutil.copytree(study.study_dir, folder)
    shutil.rmtree(folder / "tiny" / "inspection")
    return folder


def inspected(study_dir, seconds=60.0, **given):
    manifest = read_manifest(study_dir / "manifest.parquet")
    options = Options(device="cpu", replicates=20)
    return inspect_run(
        study_dir, "tiny", manifest, options, test_opened=True, seconds=seconds, voice=Silent(),
        on_step=lambda *_: None, **given,
    )  # fmt: skip


def only(monkeypatch, *names, part=None):
    chosen = tuple((name, words, part or work, weight) for name, words, work, weight in PARTS if name in names)
    monkeypatch.setattr(inspect, "PARTS", chosen)


def test_the_images_are_embedded_in_one_pass_that_every_part_takes(study_dir, monkeypatch):
    calls, real = [], inspect_embeddings._embed
    monkeypatch.setattr(inspect_embeddings, "_embed", lambda *given: calls.append(len(given[2])) or real(*given))
    only(monkeypatch, "neighbors", "projection", "cam")
    assert set(inspected(study_dir)) == {"neighbors", "projection", "cam"}
    assert calls == [len(read_manifest(study_dir / "manifest.parquet"))]
    document = json.loads((study_dir / "tiny/inspection/neighbors/neighbors.json").read_text())
    assert all(some == whole for some, whole in document["about"]["images"].values())
    assert inspected(study_dir) == {} and len(calls) == 1


def test_a_part_has_its_share_of_what_is_left_and_never_nothing(study_dir, monkeypatch):
    shares = []
    only(monkeypatch, *(name for name, *_ in PARTS), part=lambda context: shares.append(context.seconds))
    monkeypatch.setattr(inspect, "_embed_all", lambda context: shares.append(context.seconds))
    inspected(study_dir, seconds=100.0)
    assert shares[0] == 100 * EMBEDDING
    weights = [weight for *_, weight in PARTS]
    left = [weight / sum(weights[number:]) for number, weight in enumerate(weights)]
    assert shares[1:] == pytest.approx([100 * each for each in left], abs=2)
    shutil.rmtree(study_dir / "tiny" / "inspection")
    shares.clear()
    inspected(study_dir, seconds=1e-3)
    assert shares[1:] == pytest.approx([LEAST * 1e-3] * len(PARTS))


def test_a_part_that_fails_loses_neither_the_others_nor_the_study(study_dir, monkeypatch):
    def fails(context):
        raise ValueError("broken")

    working = tuple(part for part in PARTS if part[0] == "neighbors")
    monkeypatch.setattr(inspect, "PARTS", (("cam", "No maps", fails, 1.0), *working))
    assert set(inspected(study_dir)) == {"neighbors"}


@pytest.mark.parametrize("balance", ["oversampled", "as-is"])
def test_the_copies_of_an_oversampled_run_are_on_the_map(study_dir, balance):
    path = study_dir / "tiny" / "recipe.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "balance": balance}))
    manifest = read_manifest(study_dir / "manifest.parquet")
    train = manifest.table["split"].eq("train") & manifest.table["label"].eq(next(iter(manifest.labels)))
    manifest = type(manifest)(
        manifest.table.drop(manifest.table.index[train][:20]).reset_index(drop=True), manifest.labels, manifest.root,
        manifest.facts,
    )  # fmt: skip
    context = inspect.InspectionContext(
        study_dir, "tiny", manifest, Options(device="cpu", replicates=20), True, 60.0, lambda *_: None
    )
    inspect_projection(context)
    document = json.loads((study_dir / "tiny/inspection/projection/projection.json").read_text())
    counts = manifest.split("train")["label"].value_counts()
    copies = counts.max() - counts.min() if balance == "oversampled" else 0
    assert document["oversampled"] == (balance == "oversampled")
    assert document["shown"]["copy"][0] == copies and (balance == "as-is" or copies >= 10)
