"""`--corrections`: a study takes back what a person has corrected."""

import pytest

from hilum.audit import Audit, Finding
from hilum.data.manifest import read_manifest
from hilum.data.phantom import draw_dataset, write_dataset
from hilum.errors import DataError
from hilum.recipes.schema import Phase, Recipe
from hilum.recipes.schema import Preprocessing as RecipePreprocessing
from hilum.transforms import Preprocessing
from hilum.workflow.audit import write_suspects
from hilum.workflow.data import study_data
from hilum.workflow.options import Options
from hilum.workflow.study import run_study
from hilum.workflow.train import train_recipe


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    dataset = draw_dataset(images=60, size=32, classes=("normal", "viral"), seed=1)
    return write_dataset(dataset, tmp_path_factory.mktemp("drawn") / "data", format="png")


def _read(data, study_dir, **options):
    study_dir.mkdir(exist_ok=True)
    found = study_data(data, study_dir, Options(**options), [Preprocessing(image_size=32)], lambda *_: None)
    return found, found.manifest.table.set_index("image_path")


def _corrections(path, *rows):
    path.write_text("\n".join(["image_path,label,suggested,score,corrected", *rows]) + "\n")
    return path


def test_a_corrected_label_reaches_the_manifest_and_no_image_changes_its_split(data, tmp_path):
    _, before = _read(data, tmp_path / "study")
    name = before.index[(before["split"] == "train") & (before["label"] == "normal")][0]
    file = _corrections(tmp_path / "suspected-labels.csv", f"{name},normal,viral,2.5,viral")
    found, after = _read(data, tmp_path / "study", corrections=file)
    assert not found.reused
    assert after.loc[name, "label"] == "viral"
    assert (after.drop(name)["label"] == before.drop(name)["label"]).all()
    assert (after["split"] == before["split"]).all()
    assert found.manifest.facts["corrections"]["changed"][0]["image_path"] == name
    again, _ = _read(data, tmp_path / "study", corrections=file)
    assert again.reused and again.manifest.facts["corrections"]["file"] == "suspected-labels.csv"
    back, _ = _read(data, tmp_path / "study")
    assert not back.reused and "corrections" not in back.manifest.facts


def test_a_mistyped_file_leaves_no_folder_behind(data, tmp_path):
    with pytest.raises(DataError, match="corrected labels"):
        run_study(data, Options(out=tmp_path / "study", corrections=tmp_path / "none.csv"))
    assert not (tmp_path / "study").exists()


def test_an_image_that_is_not_there_is_named(data, tmp_path):
    file = _corrections(tmp_path / "mine.csv", "train/normal/none.png,normal,viral,2.5,viral")
    with pytest.raises(DataError, match=r"mine.csv: train/normal/none.png"):
        _read(data, tmp_path / "study", corrections=file)


def test_the_list_of_suspects_is_made_anew_until_somebody_works_in_it(tmp_path):
    path = tmp_path / "suspected-labels.csv"

    def found(name):
        row = {"image_path": name, "label": "normal", "suggested": "viral", "score": 1.0, "corrected": ""}
        return Audit((Finding("suspected-labels", "note", "", "", "", table=(row,)),))

    write_suspects(path, found("old.png"))
    write_suspects(path, found("new.png"))
    assert "new.png" in path.read_text() and "old.png" not in path.read_text()
    worked = _corrections(path, "new.png,normal,viral,1.0,viral").read_text()
    write_suspects(path, found("other.png"))
    assert path.read_text() == worked


def test_a_single_recipe_takes_corrections_and_a_folder_of_their_own(data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _, before = _read(data, tmp_path / "look")
    name = before.index[(before["split"] == "train") & (before["label"] == "normal")][0]
    file = _corrections(tmp_path / "suspected-labels.csv", f"{name},normal,viral,2.5,viral")
    recipe = Recipe("tiny", preprocessing=RecipePreprocessing(image_size=32), phases=(Phase(max_epochs=1),))
    plain = train_recipe(recipe, data, Options(replicates=50))
    corrected = train_recipe(recipe, data, Options(replicates=50, corrections=file))
    assert plain.run_dir.parent != corrected.run_dir.parent
    labels = read_manifest(corrected.run_dir.parent / "manifest.parquet").table.set_index("image_path")["label"]
    assert labels[name] == "viral"


def test_figures_are_made_anew_when_other_redraws_are_asked_for(data, tmp_path):
    recipe = Recipe("tiny", preprocessing=RecipePreprocessing(image_size=32), phases=(Phase(max_epochs=1),))
    first = train_recipe(recipe, data, Options(out=tmp_path / "runs", replicates=50))
    made = (first.run_dir / "model.safetensors").stat().st_mtime_ns
    again = train_recipe(recipe, data, Options(out=tmp_path / "runs", replicates=60))
    assert (first.validation.source["replicates"], again.validation.source["replicates"]) == (50, 60)
    assert (first.run_dir / "model.safetensors").stat().st_mtime_ns == made
    assert again.validation.overall["accuracy"].value == first.validation.overall["accuracy"].value
