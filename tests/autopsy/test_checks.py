"""Single checks against arithmetic done another way."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from hilum.autopsy import read_typed, take_apart
from hilum.autopsy.auroc import auroc_bounds
from hilum.autopsy.collapse import fisher_exact, kappa_interval
from hilum.autopsy.matrix_figures import figures_of, mcc
from hilum.autopsy.printed import read_printed


def found(text):
    return {each.code: each for each in take_apart(read_typed(text, "typed")).findings}


@pytest.mark.parametrize("text", ["86.70 %", "0.9", "87 %", "0.867", "62.5"])
@pytest.mark.parametrize("n", [7, 40, 624])
def test_which_k_of_n_by_counting(text, n):
    printed = read_printed(text)
    scale = Fraction(1, 100) if printed.percent else Fraction(1)
    value = Fraction(text.removesuffix(" %")) * scale
    step = Fraction(1, 10 ** len(text.removesuffix(" %").partition(".")[2])) * scale
    for rule, low, high in (("rounded", Fraction(-1, 2), Fraction(1, 2)), ("cut off", Fraction(0), Fraction(1))):
        expected = [k for k in range(n + 1) if value + low * step <= Fraction(k, n) <= value + high * step]
        assert list(printed.whole(n, rule)) == expected


def test_figures_of_a_matrix_are_scikit_learns():
    from sklearn import metrics as sk

    generator = np.random.default_rng(1)
    target, called = generator.integers(0, 3, (2, 300))
    confusion, classes = sk.confusion_matrix(target, called), ("a", "b", "c")
    for over in ("macro", "weighted", "micro"):
        theirs = sk.precision_recall_fscore_support(target, called, average=over)
        for name, value in zip(("ppv", "sensitivity", "f1"), theirs[:3], strict=True):
            assert figures_of(name, over, confusion, classes)[0] == pytest.approx(value)
    assert mcc(confusion) == pytest.approx(sk.matthews_corrcoef(target, called))
    assert figures_of("kappa", "", confusion, classes)[0] == pytest.approx(sk.cohen_kappa_score(target, called))


def test_fishers_test_is_scipys_and_the_interval_of_kappa_a_bootstraps():
    from scipy.stats import fisher_exact as theirs

    confusion = np.array([[87, 147], [128, 262]])
    assert fisher_exact(confusion) == pytest.approx(theirs(confusion).pvalue)
    generator = np.random.default_rng(0)
    drawn = generator.multinomial(624, confusion.ravel() / 624, 4000).reshape(-1, 2, 2)
    kappas = figures_of("kappa", "", drawn, ("a", "b"))[0]
    assert kappa_interval(confusion) == pytest.approx(np.quantile(kappas, [0.025, 0.975]), abs=0.006)


def test_no_ranking_leaves_the_bounds_of_auroc():
    generator = np.random.default_rng(0)
    for scores in generator.normal(size=(200, 30)):
        truth = np.arange(30) < 12
        area = np.mean([a > b for a, b in product(scores[truth], scores[~truth])])
        for threshold in scores:
            low, high = auroc_bounds((scores[truth] >= threshold).mean(), (scores[~truth] < threshold).mean())
            assert low - 1e-12 <= area <= high + 1e-12


def test_a_column_read_in_another_order_is_named():
    sentence = found("[[10, 90], [85, 15]], accuracy 87.5 %")["matrix-figure"].sentence
    assert "class 2 read as class 1" in sentence and "175 of 200" in sentence


def test_a_figure_that_needs_the_other_reading_of_the_rows():
    text = "90 10 / 40 60, classes a b, precision a 0.69, recall a 0.90"
    assert "transposed" not in found(text) and "matrix-figure" not in found(text)
    assert "matrix-figure" in found(f"{text}; rows are predicted")
    assert "transposed" in found("90 10 / 40 60; classes a b; precision a 0.90; recall b 0.60")


def test_the_averaging_that_is_not_named():
    text = "[[90,10,0],[5,20,5],[2,3,5]], n 100 30 10, precision {}"
    assert "macro" in found(text.format("0.678"))["averaging"].sentence
    assert "matrix-figure" in found(text.format("0.3"))


def test_an_f1_without_its_precision_and_recall():
    assert "= 0.738," in found("precision 0.80, recall 0.6857, f1 0.76")["f1"].sentence
    assert "f1" not in found("precision 0.80, recall 0.6857, f1 0.738")
    assert "f1-averaged" in found("precision 0.80, recall 0.6857, f1 0.70")


def test_an_accuracy_outside_its_classes_and_one_that_does_not_add_up():
    assert "accuracy-from-recalls" in found("classes a b c; recall 0.70 0.80 0.90; accuracy 0.95")
    text = "classes a b c; n 234 242 40; recall 70.51 97.52 87.50; accuracy {}"
    assert "436 of 516" in found(text.format("85.50"))["accuracy-from-recalls"].sentence
    assert "accuracy-from-recalls" not in found(text.format("84.50"))


def test_a_prevalence_that_does_not_exist():
    assert "no-prevalence" in found("binary, sensitivity 0.90, specificity 0.80, accuracy 0.95")
    assert "no-prevalence" not in found("binary, sensitivity 0.90, specificity 0.80, accuracy 0.85, ppv 0.82, npv 0.89")
    assert "no-prevalence" in found("binary, sensitivity 0.90, specificity 0.80, accuracy 0.85, ppv 0.95")


def test_a_recall_that_is_an_average_is_no_sensitivity():
    macro = "classes normal ill; accuracy 0.83; precision 0.79; recall 0.76; recall normal 0.90; recall ill 0.62"
    assert "no-prevalence" not in found(f"{macro}; sensitivity 0.62; specificity 0.90")
    assert "no-prevalence" not in found(f"{macro}; specificity 0.90")
    assert "no-prevalence" in found("classes normal ill; accuracy 0.83; precision 0.79; recall 0.62; specificity 0.90")


def test_the_one_matrix_behind_the_figures():
    text = "classes normal pneumonia; positive: pneumonia; n 40 60; accuracy 0.87; sensitivity 0.90; specificity 0.825"
    assert "[[33, 7], [6, 54]]" in found(text)["reconstructed"].sentence
    assert "no-matrix" in found(text.replace("0.87", "0.89")) or "accuracy-from-recalls" in found(
        text.replace("0.87", "0.89")
    )


def test_auroc_below_its_operating_point():
    assert "auroc" in found("binary; sens 0.95; spec 0.93; auc 0.85")
    assert "auroc" not in found("binary; sens 0.95; spec 0.93; auc 0.96")


def test_sizes_and_intervals():
    assert "no-count" in found("n 16, accuracy 86.70 %")
    assert "narrow-interval" in found("n 100, accuracy 80.0 % [79.0, 81.0]")
    assert "outside-interval" in found("n 100, accuracy 80.0 % [82.0, 88.0]")
    assert "out-of-range" in found("accuracy 103 %")


def test_a_mean_over_folds_is_no_share_of_whole_images():
    assert "no-count" not in found("n 16, accuracy 86.70 % ± 2.1")
