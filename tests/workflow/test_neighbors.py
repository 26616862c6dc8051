"""`hilum embed` and `hilum neighbors` as they are called: figures, answers, refusals."""

import json
import shutil

import numpy as np
import pytest

import hilum
from hilum.cli.main import main
from hilum.errors import DataError, UsageError
from hilum.evaluation import read_ledger
from hilum.inspection.embeddings import read_embeddings


@pytest.fixture(scope="module")
def place(trained, tmp_path_factory):
    """A copy of the finished study, and its data."""
    study, data = trained
    folder = tmp_path_factory.mktemp("neighbors") / "study"
    shutil.copytree(study.study_dir, folder)
    return folder, data


def model_of(place):
    return place[0] / "tiny" / "model.safetensors"


def rows_of(place, split):
    from hilum.data.manifest import read_manifest

    manifest = read_manifest(place[0] / "manifest.parquet")
    return [manifest.path(name) for name in manifest.split(split)["image_path"]]


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main([str(each) for each in arguments])
    said = capsys.readouterr()
    return ended.value.code, said.out, said.err


def test_embed_writes_one_row_an_image_with_the_studys_splits(place, tmp_path, capsys):
    out = tmp_path / "e.parquet"
    code, said, _ = run(capsys, "embed", model_of(place), place[1], "--out", out, "--device", "cpu", "--json")
    document, found = json.loads(said), read_embeddings(out)
    assert code == 0 and document["images"] == len(found) == 120 and document["width"] == found.dim
    assert set(found.table["split"]) == {"train", "val", "test"}


def test_embed_of_other_data_and_another_layer(place, make_data, tmp_path):
    other = make_data("theirs", per_class=4, seed=9)
    found = hilum.embed(model_of(place), other, layer="hidden", device="cpu", out=tmp_path / "h.parquet")
    assert len(found.embeddings) == 8 and set(found.embeddings.table["split"]) == {"other"}
    assert found.embeddings.about["layer"] == "hidden" and "8 images" in found._repr_html_()
    np.testing.assert_array_equal(read_embeddings(tmp_path / "h.parquet").matrix, found.embeddings.matrix)


def test_own_data_open_test_once_and_write_it_down(place, tmp_path, capsys):
    before = len(read_ledger(place[0]))
    arguments = ("neighbors", model_of(place), place[1], "--device", "cpu", "--replicates", "20", "--out", tmp_path)
    code, said, _ = run(capsys, *arguments)
    assert code == 0 and "test: accuracy" in said and "not to be believed" in said and "test, true normal" in said
    run(capsys, *arguments)
    assert len(read_ledger(place[0])) - before in (0, 1)  # the study itself may have opened it for the same settings
    page = (tmp_path / "neighbors.html").read_text()
    assert "vote: k = " in page and "Ties go to the class" in page and "http://" not in page


def test_a_new_image_is_answered_with_its_neighbours(place, make_data, capsys, tmp_path):
    new = sorted((make_data("new", per_class=1, seed=77) / "viral").iterdir())[0]
    code, said, _ = run(capsys, "neighbors", model_of(place), new, "--device", "cpu", "--json", "--out", tmp_path / "o")
    (answer,) = json.loads(said)["answers"]
    train = {path.relative_to(place[1]).as_posix() for path in rows_of(place, "train")}
    assert code == 0 and answer["label"] == "viral" and sum(answer["votes"].values()) == pytest.approx(1)
    assert {near["image_path"] for near in answer["neighbors"]} <= train
    assert (tmp_path / "o" / "neighbors.html").read_text().count("data:image") >= 6
    found = hilum.neighbors(model_of(place), new, device="cpu")
    assert "viral" in found._repr_html_() and found.answers[0]._repr_html_().count("<img") >= 4


def test_an_image_that_was_seen_is_refused_with_the_reason(place, make_data, capsys, tmp_path):
    seen, val = rows_of(place, "train")[0], rows_of(place, "val")[0]
    copy = tmp_path / "renamed.png"
    shutil.copy(seen, copy)
    code, said, _ = run(capsys, "neighbors", model_of(place), copy, val, "--device", "cpu")
    assert code == 4 and "renamed.png: refused, the very file is" in said
    assert "which the model was trained on" in said and "which the model was chosen on" in said
    code, said, _ = run(capsys, "neighbors", model_of(place), copy, "--device", "cpu", "--allow-leak", "--json")
    (answer,) = json.loads(said)["answers"]
    assert (
        code == 0
        and "trained on" in answer["leak"]
        and answer["neighbors"][0]["distance"] == pytest.approx(0, abs=1e-3)
    )


def test_the_very_picture_in_another_file_is_refused(place, tmp_path, capsys):
    import cv2

    seen = rows_of(place, "train")[1]
    packed = tmp_path / "again.bmp"
    cv2.imwrite(str(packed), cv2.imread(str(seen), cv2.IMREAD_GRAYSCALE))
    _, said, _ = run(capsys, "neighbors", model_of(place), packed, "--device", "cpu")
    assert "refused, the very picture is" in said


def test_other_data_leave_out_what_was_seen_and_show_what_it_would_add(place, make_data, tmp_path):
    other = make_data("mixed", per_class=10, seed=5)
    for number, path in enumerate(rows_of(place, "train")[:12]):
        shutil.copy(path, other / path.parent.name / f"copy{number}.png")
    found = hilum.neighbors(model_of(place), other, device="cpu", replicates=20, allow_leak=True, out=tmp_path / "o")
    assert found.evaluations["other"].images == 20 and found.evaluations["leak"].images == 32
    assert len(found.refused) == 12 and "12 images" in found.remarks[0]
    honest = hilum.neighbors(model_of(place), other, device="cpu", replicates=20, out=tmp_path / "p")
    assert set(honest.evaluations) == {"other"}
    assert (tmp_path / "p" / "predictions-other.parquet").exists()


def test_only_images_that_were_seen_is_an_error(place, tmp_path):
    folder = tmp_path / "data"
    for path in rows_of(place, "train")[:20]:
        (folder / path.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder / path.parent.name)
    with pytest.raises(DataError, match=r"not seen.*--allow-leak"):
        hilum.neighbors(model_of(place), folder, device="cpu", out=tmp_path / "o")


def test_what_a_study_found_out_is_never_overwritten(place, make_data, capsys):
    own = place[0] / "tiny" / "inspection" / "neighbors"
    hilum.neighbors(model_of(place), place[1], device="cpu", replicates=20)
    before = {path.name: path.read_bytes() for path in own.iterdir() if path.suffix != ".html"}
    new = sorted((make_data("asked", per_class=1, seed=78) / "viral").iterdir())[0]
    assert "k = 3" in hilum.neighbors(model_of(place), new, k=3, device="cpu").settings
    given = {"k": 1, "metric": "cosine", "weights": "uniform", "device": "cpu", "replicates": 20}
    found = hilum.neighbors(model_of(place), place[1], **given)
    page = found.page.read_text()
    assert found.folder.name == "neighbors-k1-cosine-uniform" and not found.chosen
    assert "set beforehand" in page and "chosen on validation" not in page
    assert "set beforehand" in read_ledger(place[0])[-1].reason
    assert {path.name: path.read_bytes() for path in own.iterdir() if path.suffix != ".html"} == before
    assert set(hilum.neighbors(model_of(place), place[1], device="cpu").evaluations) == {"val", "seen", "test"}
    code, said, _ = run(capsys, "verify", place[0])
    assert code == 0, said


def test_test_images_in_another_folder_are_an_opening_of_test(place, tmp_path):
    folder, before = tmp_path / "again", len(read_ledger(place[0]))
    for path in rows_of(place, "test"):
        (folder / path.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder / path.parent.name)
    hilum.neighbors(model_of(place), folder, device="cpu", replicates=20, out=tmp_path / "o")
    (opening,) = read_ledger(place[0])[before:]
    assert opening.split == "test" and opening.predictions_sha256 and "k-NN" in opening.reason


def test_an_index_of_another_model_is_refused(place, tmp_path):
    from hilum.models.extras import add_extras

    hilum.neighbors(model_of(place), rows_of(place, "test")[0], device="cpu")
    index = place[0] / "tiny" / "inspection" / "neighbors" / "index.arrow"
    alone = tmp_path / "model.safetensors"
    shutil.copy(model_of(place), alone)
    add_extras(alone, {"something": 1})  # the same weights
    assert hilum.neighbors(alone, rows_of(place, "test")[0], index=index, device="cpu").answers[0].label
    with pytest.raises(DataError, match="an index, or the study"):
        hilum.neighbors(alone, rows_of(place, "test")[0], device="cpu")


@pytest.mark.parametrize(
    "wrong", [{"k": -1}, {"metric": "hamming"}, {"weights": "x"}, {"layer": "block1"}, {"seed": -1}]
)
def test_wrong_options(place, wrong):
    with pytest.raises(UsageError):
        hilum.neighbors(model_of(place), place[1], **wrong)


def test_project_draws_originals_and_copies(place, tmp_path, capsys):
    from hilum.data.manifest import read_manifest

    out = tmp_path / "map"
    given = ("--oversample", "--method", "pca", "--points", "40", "--seed", "2", "--out", out, "--device", "cpu")
    code, said, _ = run(capsys, "project", model_of(place), *given, "--json")
    document = json.loads(said)
    assert code == 0 and document["method"] == "pca" and document["settings"]["seed"] == 2
    assert len(document["rows"]) == len(document["points"]) == 40 + document["shown"]["copy"][0]
    assert document["shown"]["test"][0] == 0 and {"train", "val", "val on the map"} == set(document["purity"])
    known = set(read_manifest(place[0] / "manifest.parquet").table["image_path"])
    originals = [name for name, _, split in document["rows"] if split != "copy"]
    assert set(originals) <= known and (out / "map.html").exists()
    sides = {label: 0 for _, label, split in document["rows"] if split in ("train", "copy")}
    for _, label, split in document["rows"]:
        if split in ("train", "copy"):
            sides[label] += 1
    assert len(set(sides.values())) == 1  # filled up to the largest class


def test_project_draws_the_same_map_again(place, tmp_path):
    first, again = (hilum.project(model_of(place), out=tmp_path / n, points=60, device="cpu") for n in ("a", "b"))
    assert first.document["points"] == again.document["points"] and "pure" in first._repr_html_()
    with pytest.raises(UsageError, match="--perplexity"):
        hilum.project(model_of(place), out=tmp_path / "c", perplexity=0)


def test_a_folder_of_nothing_but_images_is_answered_image_by_image(place, make_data, tmp_path):
    flat = tmp_path / "flat"
    flat.mkdir()
    for number, path in enumerate(sorted(make_data("new", per_class=2, seed=79).rglob("*.png"))):
        shutil.copy(path, flat / f"{number}.png")
    found = hilum.neighbors(model_of(place), flat, device="cpu")
    assert len(found.answers) == 4 and all(each.label for each in found.answers)
    rows = hilum.embed(model_of(place), flat, device="cpu", out=tmp_path / "e.parquet").embeddings.table
    assert (rows["label"] == "").all() and len(rows) == 4


def test_a_place_that_cannot_be_written_is_told_before_anything_is_computed(place, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="--out"):
        hilum.embed(model_of(place), place[1], device="cpu", out=tmp_path)
    with pytest.raises(UsageError, match="--out"):
        hilum.project(model_of(place), out=tmp_path / "file", device="cpu")
