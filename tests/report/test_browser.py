"""The page in a real browser: nothing runs, nothing is refused, nothing sticks out at any width."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from hilum.report import write_report

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
    "--virtual-time-budget=4000",
)
WIDTHS = (320, 390, 1200)
MEASURE = """
addEventListener('load', () => {
  const facts = [...document.querySelectorAll('iframe')].map(frame => {
    const page = frame.contentDocument;
    const text = [...page.querySelectorAll('p, li')].map(e => e.getBoundingClientRect().width);
    return {
      title: page.title,
      width: page.documentElement.scrollWidth,
      widest: Math.max(...text) / parseFloat(getComputedStyle(page.body).fontSize),
      styled: getComputedStyle(page.querySelector('h1')).lineHeight !== 'normal',
      figures: [...page.querySelectorAll('svg[role=img]')].filter(e => e.getBoundingClientRect().width > 100).length,
      pictures: [...page.images].filter(e => e.naturalWidth > 10).length,
      broken: [...page.images].filter(e => e.naturalWidth <= 10).length,
      handlers: page.querySelectorAll('[onerror], [onload], [onmouseover], script').length,
    };
  });
  document.title = JSON.stringify(facts);
});
"""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: no browser found on this machine")


@pytest.fixture(scope="module")
def seen(make_study, tmp_path_factory):
    """What the browser found: per study and width, and what it wrote to its log."""
    hostile = make_study(
        labels=('<img src=x onerror=document.title="pwned">', '" onmouseover="document.title=1', "n" * 90),
        names=('train/<img src=x onerror=document.title="pwned">.jpg', "train/" + "long" * 60 + ".png"),
        facts={"name": "</title><script>document.title='pwned'</script>", "command": "x" * 400},
    )
    plain = make_study(
        labels=tuple(f"finding number {i} of eight" for i in range(8)), images={"train": 4, "val": 8, "test": 8}
    )
    pages = {name: write_report(folder) for name, folder in (("hostile", hostile), ("eight", plain))}
    frames = [(name, width) for name in pages for width in WIDTHS]
    holder = tmp_path_factory.mktemp("browser") / "holder.html"
    holder.write_text(_hold([(pages[name], width) for name, width in frames]), encoding="utf-8")
    done = _browse(holder)
    facts = json.loads(html.unescape(re.search(r"<title>(.*?)</title>", done.stdout, re.DOTALL)[1]))
    return dict(zip(frames, facts, strict=True)), done.stderr


def test_a_hostile_name_runs_nothing(seen):
    for facts in seen[0].values():
        assert facts["title"] != "pwned"
        assert facts["handlers"] == 0


def test_the_browser_refuses_nothing(seen):
    assert "Refused to" not in seen[1] and "Content Security Policy" not in seen[1]
    assert all(facts["styled"] for facts in seen[0].values())


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["hostile", "eight"])
def test_nothing_sticks_out(seen, name, width):
    assert seen[0][name, width]["width"] <= width


def test_lines_of_text_stay_readable(seen):
    assert max(facts["widest"] for facts in seen[0].values()) < 45


def test_figures_and_pictures_are_shown(seen):
    for facts in seen[0].values():
        assert facts["figures"] >= 8 and facts["pictures"] >= 20 and facts["broken"] == 0


def _hold(frames: list[tuple[Path, int]]) -> str:
    frame = '<iframe style="width:{}px;height:900px;border:0" srcdoc="{}"></iframe>'
    held = "".join(frame.format(width, html.escape(path.read_text(encoding="utf-8"))) for path, width in frames)
    return f'<!DOCTYPE html><meta charset="utf-8"><title>-</title><script>{MEASURE}</script>{held}'


def _browse(page: Path) -> subprocess.CompletedProcess[str]:
    profile = page.parent / "profile"
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", "--dump-dom", page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, check=True)
