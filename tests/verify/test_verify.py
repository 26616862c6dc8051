"""What `hilum verify` finds, what it leaves alone, and what it says."""

import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest

import hilum
from hilum.cli.main import main
from hilum.data.manifest import read_manifest
from hilum.data.predictions import Predictions, read_predictions
from hilum.errors import DataError, UsageError
from hilum.report import write_report
from hilum.verify import verify_folder
from hilum.workflow.seal import extend_seal, read_seal


def verify(folder, memory, **options):
    return verify_folder(folder, memory=memory, **options)


def named(found, file):
    return [each for each in found.differences if each.file == file]


def rewrite(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_an_untouched_study_passes_and_says_how_much_was_compared(finished, memory):
    found = verify(finished[0], memory)
    assert found.passed, [each.sentence for each in found.differences]
    assert found.unchecked == () and found.kind == "study" and found.compared > 1000
    assert {check.name for check in found.checks} >= {"the pictures", "the report", "the ledger", "the seal"}


def test_a_moved_study_passes(study, memory):
    moved = study.parent / "elsewhere" / "renamed"
    moved.parent.mkdir()
    study.rename(moved)
    assert verify(moved, memory).passed


def test_a_report_that_was_written_again_passes(study, memory, capsys):
    with pytest.raises(SystemExit) as exit:
        main(["report", str(study)])
    assert exit.value.code == 0
    found = verify(study, memory)
    assert found.passed, [each.sentence for each in found.differences]
    assert read_seal(study).history[-1]["command"] == "hilum report"


def test_a_study_that_was_run_again_passes(study, finished, tiny, memory):
    hilum.study(finished[1], recipes=[tiny], out=study, replicates=30, device="cpu")
    found = verify(study, memory)
    assert found.passed, [each.sentence for each in found.differences]
    assert len(read_seal(study).history) == 2


@pytest.mark.parametrize("seal", [True, False])
def test_a_changed_figure_is_named_with_its_place_and_both_values(study, memory, seal):
    document = json.loads((study / "tiny/metrics.json").read_text())
    true = document["test"]["overall"]["auroc"]["value"]
    document["test"]["overall"]["auroc"]["value"] = 0.7654321
    (study / "tiny/metrics.json").write_text(json.dumps(document, indent=1) + "\n")
    found = verify(study, memory, seal=seal)
    sentences = [each.sentence for each in named(found, "tiny/metrics.json")]
    assert f"tiny/metrics.json: test.overall.auroc.value: expected {true!r}, found 0.7654321" in sentences


@pytest.mark.parametrize("seal", [True, False])
def test_a_changed_digit_of_the_page_is_named_with_its_line(study, memory, seal):
    page = study / "report.html"
    text = page.read_text()
    place = re.search(r"data-figure=\"tiny/test/auroc\">([0-9.]+)<", text)
    page.write_text(text[: place.start(1)] + "0.11" + text[place.end(1) :])
    found = verify(study, memory, seal=seal)
    line = text[: place.start(1)].count("\n") + 1
    (first, *_) = named(found, "report.html")
    assert f"line {line}" in first.where and "0.11" in first.found


def test_swapped_predictions_are_found_in_the_figures(study, memory):
    path = study / "tiny/predictions-test.parquet"
    predictions = read_predictions(path)
    table = predictions.table.copy()
    one, other = (int(np.flatnonzero(table["target"] == label)[0]) for label in ("normal", "viral"))
    columns = [name for name in table if name.startswith(("prob_", "logit_"))]
    table.loc[[one, other], columns] = table.loc[[other, one], columns].to_numpy()
    Predictions(table, predictions.labels, predictions.about).write(path)
    found = verify(study, memory, seal=False)
    assert any("overall" in each.where for each in named(found, "tiny/metrics.json"))
    assert any("predictions" in each.where for each in named(found, "ledger.jsonl"))


def test_other_predictions_of_changed_pictures_move_the_even_point(study, memory):
    path = study / "tiny/elsewhere-val.parquet"
    predictions = read_predictions(path)
    predictions.with_logits(predictions.logits + np.array([1.0, -1.0])).write(path)
    found = verify(study, memory, seal=False)
    assert any("threshold" in each.where for each in named(found, "tiny/calibration.json"))


def test_a_moved_split_row_is_named(study, memory):
    manifest = read_manifest(study / "manifest.parquet")
    table = manifest.table.copy()
    row = int(np.flatnonzero(table["split"] == "train")[3])
    table.loc[row, "split"] = "val"
    manifest.with_table(table).write(study / "manifest.parquet")
    found = verify(study, {}, seal=False)
    assert any("fingerprint" in each.where for each in named(found, "manifest.parquet"))
    rows = named(found, "tiny/predictions-val.parquet")
    assert any(table["image_path"][row] in each.where for each in rows)


def test_an_altered_model_file_is_found(study, memory):
    path = study / "tiny/model.safetensors"
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)
    found = verify(study, memory, seal=False)
    assert any("SHA-256" in each.expected or "SHA-256" in each.where for each in named(found, "tiny/model.safetensors"))


def test_an_altered_picture_is_named(finished, memory, tmp_path):
    study, data = finished
    shutil.copytree(data, tmp_path / "data")
    name = read_manifest(study / "manifest.parquet").table["image_path"].iloc[5]
    with (tmp_path / "data" / name).open("ab") as file:
        file.write(b"\0")
    found = verify(study, memory, data=tmp_path / "data", seal=False)
    assert [each.file for each in found.differences if each.where == "picture"] == [name]


def test_without_pictures_it_says_what_was_not_checked(study, tmp_path, memory):
    manifest = read_manifest(study / "manifest.parquet")
    manifest = type(manifest)(manifest.table, manifest.labels, tmp_path / "gone", manifest.facts)
    manifest.write(study / "manifest.parquet")
    found = verify(study, memory, seal=False)
    assert found.passed, [each.sentence for each in found.differences]
    assert any("were not looked at" in each for each in found.unchecked)
    assert any("show pictures" in each for each in found.unchecked)


def test_without_pictures_a_changed_page_is_still_found(study, tmp_path, memory):
    manifest = read_manifest(study / "manifest.parquet")
    type(manifest)(manifest.table, manifest.labels, tmp_path / "gone", manifest.facts).write(study / "manifest.parquet")
    rewrite(study / "report.html", 'data-figure="tiny/test/accuracy">', 'data-figure="tiny/test/accuracy">1')
    assert named(verify(study, memory, seal=False), "report.html")


def test_seconds_and_histories_are_held_by_the_seal(study, memory):
    history = pd.read_csv(study / "tiny/history.csv")
    history.loc[0, "train_loss"] += 0.5
    history.to_csv(study / "tiny/history.csv", index=False)
    found = verify(study, memory)
    assert named(found, "tiny/history.csv")[0].where == "the whole file"


def test_a_file_that_hilum_does_not_know_is_held_too(study, memory):
    path = study / "tiny/inspection/new/facts.json"
    path.parent.mkdir(parents=True)
    path.write_text('{"value": 0.91}')
    extend_seal(study, ["tiny/inspection/new/facts.json"], "hilum something")
    assert verify(study, memory).passed
    path.write_text('{"value": 0.92}')
    assert named(verify(study, memory), "tiny/inspection/new/facts.json")


def test_running_again_does_not_wash_a_change_away(study, finished, tiny, memory):
    rewrite(study / "tiny/environment.json", '"seconds": ', '"seconds": 1')
    hilum.study(finished[1], recipes=[tiny], out=study, replicates=30, device="cpu")
    found = named(verify(study, memory), "tiny/environment.json")
    assert any("by other hands" in each.found for each in found)


def test_a_changed_report_is_mended_by_writing_it_again(study, memory):
    rewrite(study / "report.html", "Not a medical device", "A medical device")
    assert named(verify(study, memory), "report.html")
    extend_seal(study, [write_report(study).name], "hilum report")
    assert verify(study, memory).passed


def test_a_missing_or_changed_seal_is_found(study, memory):
    seal = (study / "seal.json").read_bytes()
    (study / "seal.json").write_bytes(seal.replace(b'"hilum study"', b'"hilum other"'))
    assert named(verify(study, memory), "seal.json")
    (study / "seal.json").unlink()
    assert named(verify(study, memory), "seal.json")


def test_filling_in_the_list_of_suspected_labels_is_no_fault(study, memory):
    path = study / "suspected-labels.csv"
    if not path.exists():
        pytest.skip("this study suspects no label")
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    table.loc[0, "corrected"] = "viral"
    table.to_csv(path, index=False)
    assert verify(study, memory).passed


def test_an_opening_that_is_taken_out_is_found(study, memory):
    lines = (study / "ledger.jsonl").read_text().splitlines(keepends=True)
    (study / "ledger.jsonl").write_text(lines[1])
    assert named(verify(study, memory, seal=False), "ledger.jsonl")


def test_an_opening_by_an_inspection_that_is_taken_out_is_found_without_the_seal(study, memory):
    ledger = study / "ledger.jsonl"
    lines = ledger.read_text().splitlines(keepends=True)
    kept = [line for line in lines if json.loads(line)["opening"] == 1]
    if len(kept) == len(lines):
        pytest.skip("this study's inspection had no time for the test split")
    ledger.write_text("".join(kept))
    assert any("an opening for tiny/inspection" in each.where for each in verify(study, memory, seal=False).differences)


def test_other_data_leave_the_study_whole_and_are_verified_themselves(study, tmp_path, make_pictures, memory):
    theirs = make_pictures(tmp_path / "theirs", per_class=30, seed=5)
    trial = hilum.evaluate(
        study / "tiny/model.safetensors", theirs, out=tmp_path / "trial", recalibrate=0.5, prevalence=0.1, replicates=30
    )
    found = verify(trial.folder, {})
    assert found.kind == "evaluation" and found.passed, [each.sentence for each in found.differences]
    assert verify(study, memory).passed
    document = json.loads((trial.folder / "evaluation.json").read_text())
    document["recalibration"]["temperature"] += 0.01
    (trial.folder / "evaluation.json").write_text(json.dumps(document, indent=1) + "\n")
    places = [each.where for each in verify(trial.folder, {}, seal=False).differences]
    assert "recalibration.temperature" in places


def test_folds_are_pooled_again(tmp_path, finished, tiny):
    hilum.train(tiny, finished[1], folds=2, out=tmp_path / "runs", replicates=20, device="cpu")
    found = verify(tmp_path / "runs", {})
    assert found.kind == "runs" and found.passed, [each.sentence for each in found.differences]
    path = next((tmp_path / "runs").glob("*/folds.json"))
    document = json.loads(path.read_text())
    document["seeds"][0]["pooled"]["overall"]["accuracy"]["value"] += 0.02
    path.write_text(json.dumps(document, indent=1) + "\n")
    places = [each.where for each in verify(tmp_path / "runs", {}, seal=False).differences]
    assert "seed 0.overall.accuracy.value" in places


def test_the_command_exits_with_5_and_prints_what_differs(study, memory, capsys):
    rewrite(study / "tiny/history.csv", "1", "2")
    with pytest.raises(SystemExit) as exit:
        main(["verify", str(study), "--json", "--out", str(study.parent / "found.json")])
    assert exit.value.code == 5
    document = json.loads(capsys.readouterr().out)
    assert not document["passed"] and "tiny/history.csv" in {each["file"] for each in document["differences"]}
    assert json.loads((study.parent / "found.json").read_text()) == document


def test_what_is_no_study_is_one_clear_error(tmp_path, finished):
    with pytest.raises(DataError, match="expected a folder of `hilum study`"):
        verify_folder(tmp_path)
    with pytest.raises(UsageError, match="--data"):
        verify_folder(finished[0], data=tmp_path / "nothing")
