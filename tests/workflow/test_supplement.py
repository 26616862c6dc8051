"""Cards and checklists as a study leaves them, and as `hilum checklist` makes them again."""

import json
import re
import shutil
from pathlib import Path

import pytest

import hilum
from hilum.cli.main import main
from hilum.report import render_card, render_checklist
from hilum.report.checklist import read_checklist
from hilum.workflow.seal import find_changes, read_seal
from hilum.workflow.supplement import write_supplement


@pytest.fixture
def study(trained, tmp_path):
    done, _ = trained
    folder = tmp_path / "study"
    shutil.copytree(done.study_dir, folder, ignore=shutil.ignore_patterns("cache"))
    write_supplement(folder)  # other tests have looked at the study since its own was written
    return folder


def test_a_card_lies_beside_every_model_file(study):
    models = [path.parent for path in study.rglob("model.safetensors")]
    assert models
    for run in models:
        assert (run / "model-card.md").read_text(encoding="utf-8") == render_card(run)


def test_every_link_of_a_real_study_leads_somewhere(study):
    report = (study / "report.html").read_text(encoding="utf-8")
    ids = set(re.findall(r'id="([^"]+)"', report))
    linked = [each for entry in read_checklist(study).entries for each in entry.evidence]
    assert len(set(linked)) > 12
    for target in linked:
        name, _, anchor = target.partition("#")
        assert (study / name).exists() and (not anchor or anchor in ids), target
    for link in re.findall(r'href="([^"#:]+)"', report):
        assert (study / link).exists(), link


def test_the_files_of_a_study_can_be_made_again(study):
    for kind in ("csv", "html", "md"):
        written = (study / f"checklist.{kind}").read_bytes().decode("utf-8")
        assert written == render_checklist(study, kind), kind


def test_the_command_writes_the_form_and_keeps_the_seal(study, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["checklist", str(study), "--json"])
    document = json.loads(capsys.readouterr().out)
    assert ended.value.code == 0 and len(document["items"]) == 96
    assert [Path(each).name for each in document["files"]] == [
        "checklist.csv", "checklist.html", "checklist.md", "answers.csv",
    ]  # fmt: skip
    seal = read_seal(study)
    assert seal is not None and not find_changes(study, seal)
    form = study / "answers.csv"
    form.write_text(form.read_text().replace("card,licence,Licence of the model file,", "card,licence,,CC0-1.0"))
    with pytest.raises(SystemExit):
        main(["checklist", str(study)])
    assert "open" in capsys.readouterr().out
    assert "CC0-1.0" in render_card(study) and not find_changes(study, read_seal(study))


def test_a_study_is_a_pilot(study):
    plan = hilum.plan(study=study)
    given = [each for each in plan.answers if each.given]
    assert given and any(not each.given for each in plan.answers) and plan.notes
    assert {"validation set", "test set"} <= {
        name for name in ("validation set", "test set") for each in given if name in each.sentence
    }
    only = hilum.plan(study=study, figure="accuracy", expect=0.8, within=0.05)
    assert all(each.question.startswith("accuracy") for each in only.answers)
    assert any(each.assumed["accuracy"] == 0.8 and each.reach == 0.05 for each in only.answers)
    apart = hilum.plan(study=study, figure="accuracy", expect=0.8, against=0.9, discordant=[0.15]).answers
    assert any(each.kind == "paired" and each.reach == pytest.approx(0.1) for each in apart)


@pytest.mark.parametrize(
    "arguments", [["plan", "--study", "nowhere"], ["checklist", "nowhere"], ["plan", "--study", ".", "--images", "5"]]
)
def test_bad_input_is_one_line(arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    error = capsys.readouterr().err
    assert ended.value.code in (2, 4) and error.startswith("hilum: ") and error.count("\n") == 1
    assert not list(tmp_path.iterdir())
