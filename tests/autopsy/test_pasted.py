"""What people paste: k/n with its per cent, scikit-learn's report, a Markdown table; and names that look alike."""

import re

import numpy as np
import pytest
from sklearn import metrics

import hilum
from hilum.autopsy.simulate import draw_report


def drawn(counts, seed, skill=1.6):
    generator = np.random.default_rng(seed)
    target = np.repeat(np.arange(len(counts)), counts)
    scores = generator.normal(size=(len(target), len(counts)))
    scores[np.arange(len(target)), target] += skill
    return target, scores.argmax(1)


def codes(report):
    return {each.code for each in hilum.autopsy(report).impossible}


CLASSES = ["covid", "normal", "bacterial", "viral", "tb"]
SICK = drawn((50, 120, 80, 60, 40), 2)
BOTH = drawn((234, 390), 5, 2.0)


@pytest.mark.parametrize("digits", [2, 4])
@pytest.mark.parametrize(("calls", "names"), [(SICK, CLASSES), (BOTH, None), (BOTH, ["NORMAL", "viral pneumonia"])])
def test_a_classification_report_is_read_whole(calls, names, digits):
    printed = metrics.classification_report(*calls, target_names=names, digits=digits)
    found = hilum.autopsy(f"Results on test:\n{printed}")
    (row,) = found.report.rows
    assert not found.impossible and not found.report.ignored
    assert found.report.samples[""].counts == tuple(np.bincount(calls[0]))
    assert len(row.figures) == 3 * len(found.report.classes) + 1 + 6
    raised = re.sub(r"accuracy( +)0\.\d+", r"accuracy\g<1>0.99", printed)
    assert codes(raised) >= {"accuracy-from-recalls", "same-figure"}


def test_a_classification_report_beside_its_matrix():
    matrix = metrics.confusion_matrix(*BOTH)
    printed = metrics.classification_report(*BOTH, digits=3)
    assert not codes(f"{printed}\n{matrix}\n")
    assert hilum.autopsy(f"{printed}\n{matrix}\n").report.rows[0].matrix == tuple(map(tuple, matrix.tolist()))
    other = matrix + np.array([[10, -10], [0, 0]])
    assert "matrix-figure" in codes(f"{printed}\n{other}\n")


def test_a_classification_report_of_some_classes_claims_nothing_of_the_others():
    printed = metrics.classification_report(*SICK, labels=[0, 1], target_names=CLASSES[:2])
    assert "micro avg" in printed and not codes(printed)
    assert "f1" in codes(printed.replace(printed.split()[7], "0.99"))


SOUND = (
    "sensitivity 35/40 (87.5 %), specificity 18/20 (90.0 %), accuracy 53/60 (88.3 %), PPV 35/37 (94.6 %), NPV 18/23",
    "sensitivity = 87.5 % (35/40), specificity = 90 % (18/20)",
    "sensitivity: 88% (35/40; 95% CI 73-96)",
    "accuracy 541/624, n 234 390",
    {"classes": ["a", "b"], "positive": "b", "n": [234, 390], "figures": {"sensitivity": "325/390"}},
    "model,accuracy\nA,541/624\n",
)


@pytest.mark.parametrize("report", SOUND)
def test_fractions_are_shares_of_so_many_images(report):
    found = hilum.autopsy(report)
    assert not found.impossible
    assert any(each.printed.fraction for each in found.report.rows[0].figures)


@pytest.mark.parametrize(
    ("report", "code"),
    [
        ("accuracy 541/624 (88.7 %)", "said-twice"),
        ("sensitivity 35/40 (88.5 %)", "said-twice"),
        ("sensitivity 35/40, specificity 118/120, accuracy 154/160", "accuracy-from-recalls"),
        ("sensitivity 335/400, PPV 330/360", "same-figure"),
        ("accuracy 541/623, n 234 390", "no-count"),
        ("87 147 / 128 262, sensitivity 263/390", "matrix-figure"),
    ],
)
def test_fractions_that_contradict(report, code):
    assert code in codes(report)


def test_two_whole_numbers_for_two_classes_stay_two_shares():
    first, second = hilum.autopsy("classes a, b; recall 88/92").report.rows[0].figures
    assert (first.over, second.over) == ("a", "b") and second.printed.value == 0.92


def test_a_markdown_table():
    table = "| model | accuracy | sensitivity |\n|:--|--:|--:|\n| A | 91.7 | 91.3 |\n| B | 90.1 | 94.1 |\n"
    assert [row.name for row in hilum.autopsy(table).report.rows] == ["A", "B"]


def test_an_empty_corner_between_bars_stays_one():
    bare, framed = "|a|b\na|87|147\nb|128|262\n", "| | a | b |\n|--|--|--|\n| a | 87 | 147 |\n| b | 128 | 262 |\n"
    for table in (bare, framed):
        assert hilum.autopsy(table).report.rows[0].matrix == ((87, 147), (128, 262))


@pytest.mark.parametrize("name", ["average precision 0.98", "weighted kappa 0.80", "quadratic weighted kappa 0.80"])
def test_names_that_only_look_alike_are_left_out(name):
    found = hilum.autopsy(f"216 18 / 34 356, accuracy 91.7, {name}")
    assert not found.impossible and any(name.split()[0] in each for each in found.report.ignored)


@pytest.mark.parametrize(
    ("report", "code", "sound"),
    [
        ("accuracy 90.1 %, error rate 11.0 %", "same-figure", "accuracy 90.1 %, error rate 9.9 %"),
        (
            "classes a, b; sensitivity 0.90, specificity 0.80, balanced accuracy 0.88", "accuracy-from-recalls",
            "classes a, b; sensitivity 0.90, specificity 0.80, balanced accuracy 0.85",
        ),
        ("macro recall 0.716, balanced accuracy 0.726", "same-figure", "macro recall 0.716, balanced accuracy 0.716"),
    ],
)  # fmt: skip
def test_one_figure_under_two_names(report, code, sound):
    assert code in codes(report) and not codes(sound)


@pytest.mark.parametrize("seed", [3105, 3118])
def test_averaged_precision_beside_the_sensitivity_of_one_class_is_no_contradiction(seed):
    """Sound reports that were called impossible: weighted precision and F1 without their name."""
    for decimals in (2, 3, 4):
        assert not codes(draw_report(seed, decimals=decimals).document)


def test_an_f1_above_both_is_still_impossible_where_all_are_of_one_class():
    assert "f1" in codes("classes a, b; positive: b; precision 0.81, sensitivity 0.67, F1 0.79")
    assert "f1" in codes("precision 0.81, recall 0.67, F1 0.79")
    loose = hilum.autopsy("precision 0.81, sensitivity 0.67, F1 0.79")
    assert not loose.impossible and loose.of("f1")[0].severity == "suspicious"


def test_no_share_of_ill_images_under_any_average():
    report = "classes a, b; sensitivity 0.90, specificity 0.80, accuracy 0.95, precision 0.85"
    assert "no-prevalence" in codes(report)
