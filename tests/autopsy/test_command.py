"""Front doors: the command, Python, the page."""

import json
import re
import subprocess
import sys

import pytest

import hilum

TYPED = "87 147 / 128 262, accuracy 86.7, n 234 390"


def run(*arguments, text=None):
    command = [sys.executable, "-m", "hilum", "autopsy", *arguments]
    return subprocess.run(command, capture_output=True, text=True, input=text)


def test_the_command_says_what_it_understood_and_exits_with_5(tmp_path):
    result = run(TYPED, "--out", str(tmp_path / "page.html"))
    assert result.returncode == 5, result.stderr
    assert "matrix [[87, 147], [128, 262]]" in result.stdout and "349 of\n  624, 55.93 %" in result.stdout
    assert max(map(len, result.stdout.splitlines()[:-1])) <= 80
    assert (tmp_path / "page.html").exists()


def test_standard_input_and_json():
    result = run("-", "--json", text="87 147 / 128 262, accuracy 55.9, n 234 390\n")
    document = json.loads(result.stdout)
    assert result.returncode == 0 and document["can_be_true"] is True
    assert document["counts"]["suspicious"] == 1


@pytest.mark.parametrize(("given", "code"), [(["nowhere.csv"], 4), ([], 2), ([""], 2), ([TYPED, "--out", "x.pdf"], 2)])
def test_bad_input_is_one_line(given, code):
    result = run(*given)
    assert result.returncode == code
    assert result.stderr.startswith("hilum: ") and result.stderr.count("\n") == 1


def test_from_python_with_a_page_that_loads_nothing(tmp_path):
    result = hilum.autopsy(
        {"name": "<b>x</b>", "matrix": [[0, 234], [0, 390]], "accuracy": "62.5 %"}, out=tmp_path / "p.html"
    )
    assert result.findings[0].code == "one-class" and not result.impossible
    page = (tmp_path / "p.html").read_text()
    assert "<b>x</b>" not in page and not re.search(r"(src|href)=\"(https?:)?//", page)
    again = tmp_path / "q.html"
    hilum.autopsy({"name": "<b>x</b>", "matrix": [[0, 234], [0, 390]], "accuracy": "62.5 %"}, out=again)
    assert again.read_text() == page


def test_several_figures_are_and_large_counts_have_commas():
    typed = "200 34 / 20 370, sensitivity 0.949, specificity 0.855"
    sentences = " ".join(each.sentence for each in hilum.autopsy(typed).findings)
    assert "sensitivity 0.949 and specificity 0.855 are taken over; the matrix gives them" in sentences
    large = " ".join(each.sentence for each in hilum.autopsy("1000000 20000 / 30000 400000, accuracy 97").findings)
    assert "1,400,000 of 1,450,000 images" in large
