"""Numbers as a person reads them."""

import math

import pytest

from hilum.evaluation.values import Estimate
from hilum.report import words

NB = words.NO_BREAK


@pytest.mark.parametrize(
    ("estimate", "percent", "expected"),
    [
        (Estimate(0.9312, 0.9105, 0.9512), False, f"0.93 [0.91,{NB}0.95]"),
        (Estimate(0.9312, 0.9105, 0.9512), True, f"93{NB}% [91,{NB}95]"),
        (Estimate(0.97461, 0.97012, 0.97893), False, f"0.975 [0.970,{NB}0.979]"),
        (Estimate(0.97461, 0.97012, 0.97893), True, f"97.5{NB}% [97.0,{NB}97.9]"),
        (Estimate(0.5, 0.1, 0.9), False, f"0.50 [0.10,{NB}0.90]"),
        (Estimate(1.0, 1.0, 1.0), True, f"100{NB}% [100,{NB}100]"),
        (Estimate(0.5, math.nan, math.nan), False, "0.50"),
        (Estimate(math.nan, math.nan, math.nan), True, "not defined"),
    ],
)
def test_an_estimate_has_the_digits_that_its_interval_supports(estimate, percent, expected):
    assert words.render_estimate(estimate, percent=percent) == expected


@pytest.mark.parametrize("half", [0.2, 0.05, 0.011, 0.004, 0.0009])
def test_the_last_printed_digit_is_never_finer_than_a_tenth_of_the_half_width(half):
    decimals = words.supported_decimals(0.5 - half, 0.5 + half, (0, 9))

    assert half / 10 < 10**-decimals <= half * 1.0000001


def test_shares_have_a_decimal_only_when_many_images_support_it():
    assert words.render_percent(0.8765) == f"88{NB}%"
    assert words.render_percent(0.8765, of=624) == f"88{NB}%"
    assert words.render_percent(0.8765, of=5216) == f"87.6{NB}%"
    assert words.render_percent(math.nan) == "not defined"


@pytest.mark.parametrize(
    ("count", "noun", "expected"),
    [
        (1, "image", f"1{NB}image"),
        (5216, "image", f"5,216{NB}images"),
        (0, "file", f"no{NB}files"),
        (2, "study", f"2{NB}studies"),
    ],
)
def test_counts_agree_with_their_noun(count, noun, expected):
    assert words.render_count(count, noun) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.44, "0.4 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (200, "3 min 20 s"),
        (3599.7, "1 h"),
        (7510, "2 h 5 min"),
        (math.nan, "not defined"),
    ],
)
def test_durations_are_read_in_two_units(seconds, expected):
    assert words.render_duration(seconds).replace(NB, " ") == expected


def test_lists_read_as_a_sentence():
    assert words.join_words([]) == ""
    assert words.join_words(["a"]) == "a"
    assert words.join_words(["a", "b", "c"], "or") == "a, b or c"


def test_names_cannot_reorder_or_break_the_line():
    assert words.make_visible("photo\u202egpj.exe") == "photo\\u202egpj.exe"
    assert words.make_visible("a\x00b\ud800") == "a\\u0000b\\ud800"
    assert words.make_visible("Lungenentzündung 肺炎") == "Lungenentzündung 肺炎"


def test_a_long_name_keeps_both_ends():
    assert words.shorten("bacterial pneumonia", 30) == "bacterial pneumonia"
    short = words.shorten("interstitial lung disease with fibrosis", 20)
    assert len(short) == 20
    assert short.startswith("interstiti") and short.endswith("fibrosis")


def test_times_and_metrics_have_names():
    assert words.render_time("2025-11-20T18:12:03+00:00") == "20 November 2025, 18:12 UTC"
    assert words.render_time("yesterday") == "yesterday"
    assert [words.render_times(n) for n in (0, 1, 2, 7)] == ["never", "once", "twice", "7 times"]
    assert [words.render_metric(n) for n in ("auroc", "balanced_accuracy", "f1")] == [
        "AUROC",
        "balanced accuracy",
        "F1",
    ]
