"""After looks into a study: its pages tell of them, `hilum verify` passes, and what is changed then is still found."""

import json
import re
import shutil

import pytest

import hilum
from hilum.cli.main import main
from hilum.evaluation import read_evaluations, read_ledger
from hilum.report.words import render_estimate
from hilum.workflow.record import locked
from hilum.workflow.seal import SEVERAL, extend_seal, read_seal
from hilum.workflow.supplement import renew_study

QUICK = {"device": "cpu", "replicates": 20}


@pytest.fixture(scope="module")
def place(trained, tmp_path_factory):
    """A copy of the finished study, and its data."""
    study, data = trained
    folder = tmp_path_factory.mktemp("renewal") / "study"
    shutil.copytree(study.study_dir, folder)
    return folder, data


@pytest.fixture(scope="module")
def looked_into(place, tmp_path_factory):
    """The study after every kind of look."""
    study, data = place
    model, out = study / "tiny" / "model.safetensors", tmp_path_factory.mktemp("out")
    theirs = out / "theirs"
    for label in ("normal", "viral"):
        shutil.copytree(data / label, theirs / label)
    before = len(read_ledger(study))
    hilum.neighbors(model, data, k=1, metric="cosine", weights="uniform", **QUICK)
    hilum.neighbors(model, data, k=3, metric="cosine", weights="uniform", **QUICK)
    for number in range(3):
        hilum.evaluate(model, theirs, out=out / f"evaluated-{number}", **QUICK)
    hilum.anomaly(model, data, out=study, rate=0.3, test=True, **QUICK)
    hilum.project(model, out=out / "map", points=60, test=True, device="cpu")
    hilum.project(model, out=study / "map", points=60, device="cpu")
    assert len(read_ledger(study)) == before + 7
    return study


def verify(capsys, folder):
    with pytest.raises(SystemExit) as ended:
        main(["verify", str(folder)])
    return ended.value.code, capsys.readouterr().out


def test_every_page_tells_of_every_look_and_verify_passes(looked_into, capsys):
    code, said = verify(capsys, looked_into)
    assert code == 0, said
    assert "before opening" not in said and "came after the seal" not in said
    openings, report = read_ledger(looked_into), (looked_into / "report.html").read_text()
    for each in openings:
        assert each.reason in report and each.predictions_sha256[:12] in report
    card = (looked_into / "tiny" / "model-card.md").read_text()
    assert all(each.reason in card for each in openings if each.split == "test")


def test_the_card_says_what_the_looks_came_to(looked_into):
    card = (looked_into / "tiny" / "model-card.md").read_text()
    part = card[card.index("## What it knows and looks at") : card.index("## The data")]
    folder = looked_into / "tiny" / "inspection"
    known = [folder / "neighbors" / "metrics.json"] if (folder / "neighbors" / "metrics.json").exists() else []
    for path in known:
        accuracy = read_evaluations(path)["test"].overall["accuracy"]
        assert render_estimate(accuracy, percent=True).replace("\u00a0", " ") in part.replace("\\", "")
    detected = json.loads((looked_into / "tiny" / "anomaly" / "anomaly.json").read_text())
    best = max(each["splits"]["test"]["auroc"]["value"] for each in detected["detectors"])
    assert f"AUROC of {best:.2f}" in part and "**`hilum anomaly`.**" in part
    assert known or "Nothing of the kind" not in part


def test_pages_of_single_looks_are_sealed(looked_into):
    seal = read_seal(looked_into)
    for name in (
        "tiny/inspection/neighbors-k1-cosine-uniform/neighbors.html", "map/map.html", "map/projection.json",
        "tiny/anomaly/anomaly.json",
    ):  # fmt: skip
        assert name in seal.files, name
    assert not seal.altered


@pytest.mark.parametrize(
    "name",
    ["report.html", "checklist.md", "tiny/model-card.md", "tiny/inspection/neighbors-k1-cosine-uniform/neighbors.html"],
)
def test_a_digit_that_is_changed_afterwards_is_found(looked_into, name, tmp_path, capsys):
    copy = tmp_path / "copy"
    shutil.copytree(looked_into, copy)
    path = copy / name
    text = path.read_text()
    figure = re.search(r"0\.\d\d", text[text.index("]") :] if "]" in text else text)[0]
    path.write_text(text.replace(figure, "0.01" if figure != "0.01" else "0.02", 1))
    code, said = verify(capsys, copy)
    assert code == 5 and name in said


def test_a_map_of_test_images_is_an_opening_and_one_without_is_none(place, tmp_path):
    study, _ = place
    model, before = study / "tiny" / "model.safetensors", len(read_ledger(study))
    hilum.project(model, out=tmp_path / "a", points=60, method="pca", device="cpu")
    assert len(read_ledger(study)) == before
    hilum.project(model, out=tmp_path / "b", points=60, method="pca", test=True, device="cpu")
    (opening,) = read_ledger(study)[before:]
    assert opening.split == "test" and "purity of the pca map" in opening.reason and opening.predictions_sha256


def test_a_report_keeps_its_pictures_where_they_are_gone(trained, tmp_path, capsys):
    study, _ = trained
    copy = tmp_path / "moved"
    shutil.copytree(study.study_dir, copy, ignore=shutil.ignore_patterns("cache"))
    data = tmp_path / "theirs"
    shutil.copytree(study.manifest.root, data)
    hidden = study.manifest.root.rename(tmp_path / "hidden")
    try:
        before = (copy / "report.html").read_text()
        for number in range(2):
            hilum.evaluate(copy / "tiny" / "model.safetensors", data, out=tmp_path / f"o{number}", **QUICK)
        assert (copy / "report.html").read_text() == before and before.count('<img class="xray"') > 3
        code, said = verify(capsys, copy)
        assert code == 0 and "report.html was written before opening" in said, said
    finally:
        hidden.rename(study.manifest.root)


def test_whoever_is_at_work_writes_the_pages_itself(trained, tmp_path, monkeypatch):
    study, _ = trained
    copy = tmp_path / "copy"
    shutil.copytree(study.study_dir, copy, ignore=shutil.ignore_patterns("cache"))
    monkeypatch.setattr("hilum.workflow.supplement.WAIT", 0.1)
    card = copy / "tiny" / "model-card.md"
    card.write_text("older")
    with locked(copy):
        renew_study(copy, "hilum evaluate")
        assert card.read_text() == "older"
    renew_study(copy, "hilum evaluate")
    assert "Model card" in card.read_text()


def test_files_of_two_builds_are_not_taken_for_one(place, tmp_path, monkeypatch):
    copy = tmp_path / "copy"
    shutil.copytree(place[0], copy, ignore=shutil.ignore_patterns("cache"))
    monkeypatch.setattr("hilum.workflow.seal.build_digest", lambda: "a later build")
    extend_seal(copy, ["report.html"], "hilum report")
    assert read_seal(copy).code == SEVERAL


def test_a_command_that_writes_beside_what_was_changed_does_not_wash_the_change_away(trained, tmp_path, capsys):
    study, _ = trained
    copy = tmp_path / "copy"
    shutil.copytree(study.study_dir, copy)
    history = copy / "tiny" / "history.csv"
    history.write_text(history.read_text().replace("0.", "1.", 1))
    hilum.project(copy / "tiny" / "model.safetensors", out=copy / "tiny", points=60, method="pca", device="cpu")
    assert "tiny/map.html" in read_seal(copy).files
    code, said = verify(capsys, copy)
    assert code == 5 and "tiny/history.csv" in said
