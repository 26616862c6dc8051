"""The sections of neighbours and of the map: what they say, their script, their size."""

import base64
import hashlib
import json
import re
from types import SimpleNamespace

import numpy as np
import pytest
from markupsafe import Markup
from PIL import Image

from hilum.report.page import Chapter, render_document
from hilum.report.sections.projection import render_map

LABELS = ("normal", "ill")


@pytest.fixture
def folder(tmp_path):
    generator = np.random.default_rng(0)
    rows = [[f"train/{n}.png", LABELS[n % 2], ("train", "val", "test", "copy")[n % 4]] for n in range(80)]
    rows[0][0] = 'a"><script>alert(1)</script>.png'
    purity = {
        "estimate": {"value": 0.8, "ci_low": 0.7, "ci_high": 0.9, "k": None, "n": None},
        "by_chance": {"value": 0.5, "ci_low": 0.45, "ci_high": 0.55, "k": None, "n": None},
        "images": 20,
        "neighbors": 10,
    }
    document = {
        "method": "tsne",
        "settings": {"seed": 3, "perplexity": 26.3, "components": 50, "variance_kept": 0.9, "version": "openTSNE 1"},
        "shown": {"train": [20, 100], "val": [20, 20], "test": [20, 60], "copy": [20, 0]},
        "points": generator.uniform(-1, 1, (80, 2)).round(3).tolist(),
        "rows": rows,
        "sprite": {"file": "sprite.jpg", "side": 56, "columns": 40},
        "purity": {"train": {**purity, "images": 20}, "test": purity},
    }
    (tmp_path / "projection.json").write_text(json.dumps(document))
    Image.fromarray(generator.integers(0, 255, (112, 2240), dtype=np.uint8)).save(tmp_path / "sprite.jpg")
    return tmp_path


def page_of(section):
    about = SimpleNamespace(facts=SimpleNamespace(name="s", started="2026-01-01", hilum="0"))
    return str(render_document(about, "t", Markup(), [(Chapter("a", "b", ()), [section])]))


def test_the_page_allows_this_script_and_no_other(folder):
    page = page_of(render_map(folder, LABELS, "run"))
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.S)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1].replace("&#39;", "'")
    assert f"script-src 'sha256-{digest}'" in policy and "default-src 'none'" in policy
    assert "unsafe" not in policy and "http" not in script and "innerHTML" not in script
    assert "alert(1)</script>" not in page


def test_without_a_map_there_is_no_script(folder):
    section = render_map(folder, LABELS, "run")
    page = page_of(SimpleNamespace(title="x", html=section.html, script=""))
    assert "<script" not in page and "script-src" not in page


def test_a_point_a_picture_shape_by_split_colour_by_class(folder):
    html = str(render_map(folder, LABELS, "run").html)
    numbers = sorted(int(each) for each in re.findall(r'data-i="(\d+)"', html))
    assert numbers == list(range(80))
    assert len(re.findall(r"<rect[^>]*data-i=", html)) == 20
    assert len(re.findall(r"<path data-i=", html)) == 20
    assert len(re.findall(r'class="ring[^>]*data-i=', html)) == 20
    assert html.count('class="f-c0 faint"') == 20 and html.count("f-c1 edged") == 0


def test_seed_perplexity_and_purity_are_printed(folder):
    html = str(render_map(folder, LABELS, "run").html)
    assert "seed 3, perplexity 26.3, 50 principal components" in html
    assert "20 of 100 training" in html and "20 oversampled copies" in html
    assert "shuffled [45,\u00a055]" in html and 'data-figure="run/projection/test/purity"' in html
    assert "more than shuffled labels give" in html
