"""Figures: valid, safe, in colours that everyone can tell apart, and written beside a run."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from hilum.errors import DataError
from hilum.evaluation.values import Estimate
from hilum.report import write_figures
from hilum.report.charts import palette
from hilum.report.charts.axes import Panel, Scale, find_ticks, spread, widen
from hilum.report.charts.confusion import plot_confusion
from hilum.report.charts.intervals import find_range, plot_estimates, plot_mark
from hilum.report.charts.svg import element, side_by_side

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = '</text><script>alert("1")</script>'
SIGHT = {  # Machado, Oliveira & Fernandes 2009, severity 1, on linear RGB
    "normal": np.eye(3),
    "protan": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deutan": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritan": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (0.83, 1.0), (0, 17), (1e-5, 3e-5), (88, 112), (-3.2, 0.4)])
def test_ticks_are_round_and_inside(low, high):
    ticks = find_ticks(low, high)

    assert 2 <= len(ticks) <= 9
    assert all(low - 1e-9 <= tick <= high + 1e-9 for tick in ticks)
    step = (ticks[1] - ticks[0]) / 10 ** np.floor(np.log10(ticks[1] - ticks[0]))
    assert min(abs(step - good) for good in (1, 2, 5, 10)) < 1e-6


def test_an_axis_is_widened_to_round_numbers_and_never_empty():
    assert widen(0.83, 0.97) == (0.8, 1.0)
    low, high = widen(224, 224)
    assert low < 224 < high


def test_a_scale_clips_what_lies_outside():
    scale = Scale(0, 2, 10, 110)

    assert [scale(0), scale(1), scale(2), scale(9), scale(-9)] == [10, 60, 110, 110, 10]


def test_labels_are_moved_apart_but_no_further_than_needed():
    assert spread([10, 12, 90], 14, 0, 100) == [10, 24, 90]
    assert spread([95, 96], 14, 0, 100) == [86, 100]


def test_a_line_is_broken_where_a_value_is_missing():
    panel = Panel((0, 4), (0, 1))
    panel.curve([(0, 0.1), (1, 0.2), (2, float("nan")), (3, 0.3), (4, 0.4)], "s-c0")

    assert panel.figure("t", "d").body.count("<path") == 2


def test_text_in_a_figure_is_escaped():
    figure = plot_confusion([[3, 1], [0, 2]], [HOSTILE, "b & c"])
    root = ElementTree.fromstring(figure.standalone())

    assert not list(root.iter(f"{SVG}script"))
    assert any("b & c" in (each.text or "") for each in root.iter(f"{SVG}text"))
    assert HOSTILE in root.find(f"{SVG}desc").text


def test_an_attribute_is_escaped():
    assert 'onload="x' not in element("g", class_='" onload="x')


def test_a_figure_names_itself_and_a_mark_stays_silent():
    mark = plot_mark(Estimate(0.9, 0.8, 0.95), (0.5, 1.0))
    named = plot_estimates(["a"], [Estimate(0.9, 0.8, 0.95)], ["c0"], "AUROC")

    assert 'aria-hidden="true"' in mark.mark()
    inline = ElementTree.fromstring(named.inline())
    assert inline.get("role") == "img" and inline.find("title").text == "AUROC" and "0.90" in inline.find("desc").text


def test_a_mark_is_drawn_where_its_numbers_are():
    ends = find_range([Estimate(0.9, 0.62, 0.95)])
    root = ElementTree.fromstring(plot_mark(Estimate(0.75, 0.625, 1.0), ends).mark())

    assert ends == (0.5, 1.0)
    assert float(root.find("circle").get("cx")) == pytest.approx(132 / 2)
    assert float(root.findall("line")[1].get("x1")) == pytest.approx(6 + 120 / 4)


def test_an_undefined_figure_leaves_no_mark():
    nan = float("nan")

    assert "<circle" not in plot_mark(Estimate(nan, nan, nan), (0, 1)).mark()


def test_figures_stand_side_by_side_without_overlap():
    one = plot_confusion([[1, 0], [0, 1]], ["a", "b"])
    both = side_by_side([one, one], "two")

    assert both.width >= 2 * one.width and both.height >= one.height


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_class_colours_stand_out_and_stay_apart_for_every_kind_of_sight(theme):
    colours = np.array([_linear(colour) for colour in (palette.LIGHT if theme == "light" else palette.DARK)])
    paper = _luminance(_linear(palette.PAPER[theme]))
    contrast = [_contrast(_luminance(colour), paper) for colour in colours]
    apart = {sight: _distances(_lab(colours @ matrix.T)) for sight, matrix in SIGHT.items()}

    assert min(contrast) >= 3
    assert min(distances[:3, :3].min() for distances in apart.values()) > 35
    assert min(distances.min() for distances in apart.values()) > 14


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", ["INK", "MUTED", "ACCENT"])
def test_text_can_be_read(theme, name):
    colour, paper = getattr(palette, name)[theme], palette.PAPER[theme]

    assert _contrast(_luminance(_linear(colour)), _luminance(_linear(paper))) >= 4.5


def test_the_figures_of_a_run_are_written_as_whole_files(make_study):
    run = make_study() / "finetuned-small"
    paths = write_figures(run)

    names = {path.name for path in paths}
    assert {"training.svg", "confusion-test.svg", "roc-val.svg", "roc-test.svg", "reliability-test.svg"} <= names
    assert {path.name for path in (run / "figures").iterdir()} == names
    for path in paths:
        root = ElementTree.parse(path).getroot()
        assert root.tag == f"{SVG}svg" and root.find(f"{SVG}title").text and root.find(f"{SVG}style") is not None
        assert float(root.get("width")) > 100


def test_a_run_without_figures_or_folder(make_study, tmp_path):
    (tmp_path / "empty-run").mkdir()

    assert write_figures(tmp_path / "empty-run") == ()
    with pytest.raises(DataError, match="run folder"):
        write_figures(tmp_path / "nowhere")


def _linear(colour: str) -> np.ndarray:
    share = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def _luminance(linear: np.ndarray) -> float:
    return float(linear @ [0.2126, 0.7152, 0.0722])


def _contrast(one: float, other: float) -> float:
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)


def _lab(linear: np.ndarray) -> np.ndarray:
    matrix = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = np.clip(linear, 0, 1) @ matrix.T / [0.9505, 1.0, 1.089]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


def _distances(lab: np.ndarray) -> np.ndarray:
    return np.linalg.norm(lab[:, None] - lab[None], axis=-1) + 1e3 * np.eye(len(lab))
