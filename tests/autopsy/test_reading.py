"""Text, CSV, JSON: what is understood, and one line for what is not."""

import json

import pytest

from hilum.autopsy import read_report, read_typed
from hilum.errors import DataError

MATRIX = ((87, 147), (128, 262))


@pytest.mark.parametrize(
    "text",
    [
        "87 147 / 128 262, accuracy 86.7, n 234 390",
        "[[87,147],[128,262]] acc=86.7% n=234,390",
        "matrix: 87, 147; 128, 262\naccuracy: 86,7 %\nn 234 390",
        "87 147\n128 262\nAccuracy 86.7\nn: 234/390",
        "np.array([[87, 147], [128, 262]]), acc 86.7; counts 234 390",
        "((87,147),(128,262)) accuracy of 86.7 % n 234, 390",
        "n 234 390\n87\t147\n128\t262\nacc 86.7",
        "tp 87 fn 147 fp 128 tn 262, accuracy 86.7, n 234 390",
    ],
)
def test_one_report_typed_in_many_ways(text):
    report = read_typed(text, "typed")
    (row,) = report.rows
    assert row.matrix == MATRIX
    assert [(each.metric, each.printed.percent) for each in row.figures] == [("accuracy", True)]
    assert row.figures[0].printed.value == pytest.approx(0.867)
    assert report.sample("").counts == (234, 390)
    assert not report.ignored


def test_names_of_figures():
    text = (
        "prec 0.81, recall: 0.72 macro f1-score=0.76; sens 91 %, specificity 80 %, AUC 0.93, NPV 0.9, MCC 0.5, "
        "Cohen's kappa 0.52, balanced accuracy 0.85, weighted precision 0.8, F1 0.79, error rate 13 %"
    )
    (row,) = read_typed(text, "typed").rows
    assert [(each.metric, each.over) for each in row.figures] == [
        ("ppv", ""),
        ("sensitivity", ""),
        ("f1", "macro"),
        ("sensitivity", ""),
        ("specificity", ""),
        ("auroc", ""),
        ("npv", ""),
        ("mcc", ""),
        ("kappa", ""),
        ("balanced_accuracy", ""),
        ("ppv", "weighted"),
        ("f1", ""),
        ("error", ""),
    ]


def test_rows_samples_classes_and_intervals():
    report = read_typed(
        "classes normal, pneumonia\nn test 234 390, n val 100-2000\n"
        "ResNet50: test acc 86.70 [83.8, 89.2], val acc 96.54\nViT-B/16: test acc 62.5, recall 57.69 99.17",
        "typed",
    )
    assert report.classes == ("normal", "pneumonia")
    assert report.sample("val").sizes == range(100, 2001)
    assert [row.name for row in report.rows] == ["ResNet50", "ViT-B/16"]
    first, second = report.rows[0].figures
    assert [end.value for end in first.interval] == pytest.approx([0.838, 0.892])
    assert (first.sample, second.sample) == ("test", "val")
    assert [(each.over, each.printed.text) for each in report.rows[1].figures[1:]] == [
        ("normal", "57.69"),
        ("pneumonia", "99.17"),
    ]


def test_what_is_not_understood_is_said():
    report = read_typed("accuracy 86.7, gizmo 3, n 624", "typed")
    assert report.ignored == ("gizmo 3",)


def test_thousands_and_decimal_commas_and_numbers_of_images_in_words():
    assert read_typed("n 5,863, accuracy 86,7", "t").sample("").n == 5863
    assert read_typed("accuracy of 86.7 % on 624 images", "t").sample("").n == 624
    assert read_typed("about 87 % accuracy", "t").rows[0].figures[0].printed.vague == "about"


def test_a_matrix_as_csv_with_names(tmp_path):
    path = tmp_path / "m.csv"
    path.write_text("true,normal,pneumonia\nnormal,87,147\npneumonia,128,262\naccuracy,86.7\nn,234,390\n")
    report = read_report(path)
    assert report.classes == ("normal", "pneumonia") and report.rows[0].matrix == MATRIX
    assert report.rows[0].rows_are == "true" and report.sample("").counts == (234, 390)
    (tmp_path / "bare.csv").write_text("87;147\n128;262\n")
    assert read_report(tmp_path / "bare.csv").rows[0].matrix == MATRIX


def test_a_table_as_csv(tmp_path):
    path = tmp_path / "b.csv"
    path.write_text(
        "model,val acc,test acc,normal,bacteria,covid,n test\n"
        "original,96.54,79.26,57.69,99.17,85.00,516\noversampled,98.29,84.50,70.51,97.52,87.50,516\n"
    )
    report = read_report(path)
    assert [row.name for row in report.rows] == ["original", "oversampled"]
    assert report.classes == ("normal", "bacteria", "covid") and report.sample("test").n == 516
    assert {each.metric for each in report.rows[0].figures} == {"accuracy", "sensitivity"}
    assert report.rows[1].figures[-1].printed.decimals == 2  # 87.50 keeps its nought


def test_json_keeps_trailing_zeros_and_takes_hilums_own_metrics(tmp_path):
    report = read_typed('{"accuracy": 86.70, "n": 624, "matrix": [[87, 147], [128, 262]]}', "j")
    assert report.rows[0].figures[0].printed.decimals == 2
    figure = {"value": 0.75, "ci_low": 0.7, "ci_high": 0.8, "k": 3, "n": 4}
    one = {
        "schema": "hilum.evaluation/1",
        "labels": ["a", "b"],
        "positive": "b",
        "confusion": [[2, 1], [0, 1]],
        "overall": {"accuracy": figure, "auroc": None},
        "per_class": [],
    }
    (tmp_path / "study/run").mkdir(parents=True)
    (tmp_path / "study/run/metrics.json").write_text(json.dumps({"val": one}))
    for place in (tmp_path / "study", tmp_path / "study/run", tmp_path / "study/run/metrics.json"):
        (row,) = read_report(place).rows
        assert row.name == "run" and row.figures[0].printed.value == 0.75


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("nowhere.json", "no such file"),
        ("hello 1", "found neither"),
        ("1 2 / 3 4 5", "as many rows as columns"),
        ("0 0 / 0 0", "zeros only"),
        ('{"accuracy": "good"}', "a number such as 86.7"),
        ('{"acuracy": 0.9}', "Did you mean `accuracy`"),
        ('{"matrix": [[1, 2.5], [3, 4]]}', "whole numbers"),
        ('{"matrix": [[1, -2], [3, 4]]}', "whole numbers"),
        ('{"matrix": 3}', "rows of whole numbers"),
        ('{"rows": 3}', "a list of objects"),
        ('{"accuracy": 0.9', "JSON"),
        ('{"classes": ["a", "a"], "accuracy": 0.9}', "each class once"),
        ('{"classes": ["a", "b", "c"], "matrix": [[1, 2], [3, 4]]}', "as many names"),
        ('{"positive": "c", "accuracy": 0.9}', "name of a class"),
        ('{"accuracy": 0.9, "n": 0}', "one image or more"),
        ('{"accuracy": 0.9, "samples": {"val": {"n": [20, 10]}}}', "a range"),
        ('{"accuracy": 0.9, "rows_are": "sideways"}', "true or predicted"),
        ("{}", "found neither"),
    ],
)
def test_bad_input_ends_in_one_clear_line(given, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError) as error:
        read_report(given)
    assert words in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"\x89PNG\r\n\0\0", b"", b"[[1,2],[3", b"\x00" * 50])
def test_files_that_are_no_report(content, tmp_path):
    (tmp_path / "r.txt").write_bytes(content)
    with pytest.raises(DataError):
        read_report(tmp_path / "r.txt")
    with pytest.raises(DataError, match="a folder without one"):
        read_report(tmp_path)
