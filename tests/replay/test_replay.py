"""`hilum replay` as a user calls it, on networks and data that are small enough."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from hilum.cli import main
from hilum.data.manifest import read_manifest
from hilum.data.predictions import read_predictions
from hilum.errors import WeightsNotFound
from hilum.evaluation import evaluate, read_ledger
from hilum.recipes.registry import RECIPES
from hilum.replay.reported import FIGURES
from hilum.replay.run import replay
from hilum.replay.systems import SYSTEMS, find_rows, find_systems
from hilum.replay.values import Settings


def call(*arguments):
    with pytest.raises(SystemExit) as exit_:
        main(["replay", *map(str, arguments)])
    return exit_.value.code


def run(system, data, out, only=(), **more):
    systems = find_systems(system)
    rows = find_rows(systems, tuple(only))
    return replay(systems, Settings(out, rows, {system: data}, replicates=50, device="cpu", **more))


def line_of(result, row, figure):
    return next(each for each in result.lines if (each.figure.row, each.figure.figure) == (row, figure))


def test_a_shuffled_evaluation_gives_chance_beside_a_high_accuracy(small_recipes, kermany, tmp_path):
    result = run("C", kermany, tmp_path / "out", ("c-vgg16-three-class",))
    accuracy = line_of(result, "c-vgg16-three-class", "validation accuracy")
    matrix = line_of(result, "c-vgg16-three-class", "test confusion")
    assert accuracy.followed.estimate.value > 0.8
    assert matrix.followed.estimate.value < 0.6
    assert matrix.corrected.estimate.value > 0.8
    assert np.sum(json.loads(matrix.followed.text)) == 36
    # The report's validation set is the test set; ours is not.
    study = tmp_path / "out" / "vgg-knn" / "three-class"
    seen = read_predictions(study / "followed" / "predictions" / "c-vgg16-three-class-val.parquet")
    test = set(read_manifest(study / "manifest.parquet").split("test")["image_path"])
    assert set(seen.table["image_path"]) == test


def test_the_label_order_of_two_passes_gives_a_third(small_recipes, kermany, tmp_path):
    result = run("A", kermany, tmp_path / "out", ("a-cnn-5conv",))
    line = line_of(result, "a-cnn-5conv", "test accuracy")
    assert line.followed.estimate.value < 0.6 and line.corrected.estimate.value > 0.8
    assert line_of(result, "a-cnn-5conv", "epochs").followed.text == "12"


def test_the_test_split_is_opened_once_a_column_and_never_again(small_recipes, kermany, tmp_path):
    rows = ("a-cnn-2conv", "a-cnn-5conv", "a-resnet50")
    first = run("A", kermany, tmp_path / "out", rows)
    ledger = read_ledger(tmp_path / "out" / "kermany-transfer" / "three-class")
    assert [entry.run for entry in ledger] == ["followed", "corrected"]
    assert all(entry.predictions_sha256 and entry.images == 36 for entry in ledger)
    again = run("A", kermany, tmp_path / "out", rows)
    assert read_ledger(tmp_path / "out" / "kermany-transfer" / "three-class") == ledger
    assert [line.corrected.estimate for line in again.lines if line.corrected.source.endswith("parquet")] == [
        line.corrected.estimate for line in first.lines if line.corrected.source.endswith("parquet")
    ]


def test_a_published_figure_is_that_of_the_file_it_names(small_recipes, kermany, tmp_path):
    result = run("A", kermany, tmp_path / "out", ("a-cnn-2conv",))
    cell = line_of(result, "a-cnn-2conv", "validation accuracy").corrected
    predictions = read_predictions(tmp_path / "out" / cell.source)
    assert cell.estimate.value == pytest.approx((predictions.decisions == predictions.target).mean())
    assert cell.estimate == evaluate(predictions, replicates=50).overall["accuracy"]
    assert cell.images == len(predictions)


def test_a_frozen_network_of_random_values_only_where_the_report_had_it(small_recipes, kermany, tmp_path):
    from dataclasses import replace

    row = RECIPES["b-resnet50"]
    frozen = replace(
        row, model=replace(row.model, weights="imagenet"), phases=(replace(row.phases[-1], train="head", max_epochs=1),)
    )
    small_recipes["b-resnet50"] = frozen  # monkeypatched by the fixture, which puts the original back
    result = run("B", kermany, tmp_path / "out", ("b-resnet50",))
    line = line_of(result, "b-resnet50", "test accuracy")
    assert line.followed.estimate is not None
    assert line.corrected.empty and "Not yet run" in line.corrected.note


def test_rows_that_share_a_network_train_it_once(small_recipes, kermany, tmp_path):
    result = run("B", kermany, tmp_path / "out", ("b-simplecnn-oversampled", "b-simplecnn-tta1"), epochs=1)
    assert not line_of(result, "b-simplecnn-tta1", "test accuracy").corrected.empty
    runs = [path.parent.name for path in (tmp_path / "out").rglob("begun.json")]
    assert runs == ["b-simplecnn-oversampled"] * 2
    note = line_of(result, "b-simplecnn-oversampled", "test accuracy").corrected.note
    assert "no class" not in note
    assert "covid" in line_of(result, "b-simplecnn-oversampled", "test, covid called so").corrected.note


def test_neighbours_of_images_that_the_network_has_seen(small_recipes, kermany, tmp_path):
    result = run("C", kermany, tmp_path / "out", ("c-knn-binary",))
    line = line_of(result, "c-knn-binary", "accuracy on a fifth of the images")
    assert line.followed.images == 18 and line.corrected.images == 36  # a fifth of 90; the test split
    assert line.followed.source.endswith("c-knn-binary-val-seen.parquet")


def test_without_a_test_split_the_stopping_set_is_reported(small_recipes, covid, tmp_path):
    result = run("D", covid, tmp_path / "out", ("d-vanilla-cnn",))
    line = line_of(result, "d-vanilla-cnn", "validation accuracy")
    assert line.followed.images == 24 and line.corrected.source.endswith("-test.parquet")
    ledger = read_ledger(tmp_path / "out" / "covid-small" / "covid")
    assert [entry.model_sha256 == "" for entry in ledger] == [True, False]
    assert line_of(result, "d-vanilla-cnn", "learning rate").corrected.text == "0.003"


def test_folds_leave_the_test_split_shut(small_recipes, covid, tmp_path):
    result = run("D", covid, tmp_path / "out", ("d-vanilla-cnn",), folds=2, epochs=1)
    line = line_of(result, "d-vanilla-cnn", "validation accuracy")
    manifest = read_manifest(tmp_path / "out" / "covid-small" / "covid" / "manifest.parquet")
    assert line.corrected.images == len(manifest) - len(manifest.split("test"))
    assert [entry.run for entry in read_ledger(tmp_path / "out" / "covid-small" / "covid")] == ["followed"]
    assert "Cut to 1 of up to 12 epochs" in line.corrected.note
    about = read_predictions(tmp_path / "out" / line.corrected.source).about
    assert about["model"] == "one a fold" and len(set(about["models"])) == 2


def test_missing_weights_leave_a_row_empty_and_the_others_go_on(small_recipes, covid, tmp_path, monkeypatch):
    from dataclasses import replace

    row = small_recipes["d-mobilenetv2-frozen"]
    small_recipes["d-mobilenetv2-frozen"] = replace(row, model=replace(row.model, weights="imagenet"))

    def nowhere(*_, weights, **__):
        if weights != "none":
            raise WeightsNotFound("pre-trained weights of cnn-tiny", found="none")
        return create(*_, weights=weights, **__)

    import hilum.models

    create = hilum.models.create_model
    monkeypatch.setattr(hilum.models, "create_model", nowhere)
    rows = ("d-vanilla-cnn", "d-mobilenetv2-frozen")
    result = run("D", covid, tmp_path / "out", rows, epochs=1)
    empty = line_of(result, "d-mobilenetv2-frozen", "validation accuracy")
    assert empty.followed.empty and "weights of cnn-tiny" in empty.corrected.note
    assert not line_of(result, "d-vanilla-cnn", "validation accuracy").followed.empty
    asked = run("D", covid, tmp_path / "other", rows, epochs=1, start_random=True)
    cell = line_of(asked, "d-mobilenetv2-frozen", "validation accuracy").corrected
    assert not cell.empty and "random values" in cell.note


def test_table_and_page_hold_every_reported_figure(small_recipes, covid, tmp_path, capsys):
    """Whatever is run: a figure without a run stays in the table, with the reason."""
    out = tmp_path / "out"
    assert call("all", f"D={covid}", "--only", "d-vanilla-cnn", "--epochs", 1, "--out", out, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["counts"]["reported"] == len(FIGURES) == 126
    table = pd.read_csv(out / "replay.csv")
    assert table["reported"].tolist() == [figure.text for figure in FIGURES]
    assert table["row"].tolist() == [figure.row for figure in FIGURES]
    empty = table["followed_value"].isna() & table["followed_text"].isna()
    assert table["followed_note"][empty].notna().all() and (~empty).sum() == len(SYSTEMS["D"].figures) - 21
    page = (out / "replay.html").read_text()
    shown = re.findall(r'<td><span class="value">(.*?)</span>', page)
    assert len(shown) == 126
    assert "http" not in re.sub(r"http-equiv|https?://www.w3.org", "", page)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["F"], "A (kermany-transfer)"),
        (["covid-smal"], "Did you mean covid-small"),
        (["D", "--only", "d-vanila-cnn"], "Did you mean `d-vanilla-cnn`"),
        (["D", "--only", "a-resnet50"], "rows such as d-vanilla-cnn"),
        (["D", "nowhere"], "nothing there"),
        (["D", "A=."], "letters among D"),
        (["D", "--epochs", "0"], "1 or more"),
        (["D", "--folds", "1"], "2 or more"),
    ],
)
def test_wrong_arguments_are_one_line_with_a_way_out(arguments, words, capsys):
    assert call(*arguments) == 2
    err = capsys.readouterr().err
    assert words in err and err.count("\n") == 1
