"""Documentation that can fail: commands exist, options exist, links lead somewhere, the example is the interface."""

import ast
import inspect
import re
from pathlib import Path

import pytest

import hilum
from hilum.cli.main import COMMANDS

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
README = PAGES[0].read_text()


def command_lines(text):
    blocks = re.findall(r"(?m)^    (hilum [^#\n]*)", text)
    return [line.strip() for line in [*blocks, *re.findall(r"`(hilum [^`\n]*)`", text)]]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_line_is_one_that_hilum_takes(page):
    for line in command_lines(page.read_text()):
        _, name, *rest = line.split()
        assert name in COMMANDS or name.startswith("-"), line
        options = {word.partition("=")[0] for word in rest if word.startswith("--")} - {"--help"}
        known = {f"--{parameter.replace('_', '-')}" for parameter in inspect.signature(COMMANDS[name]).parameters}
        assert options <= known, line


@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_goes_unmentioned(name):
    assert f"hilum {name}" in README


def test_the_python_example_uses_what_there_is():
    (code,) = re.findall(r"```python\n(.*?)```", README, re.S)
    tree = ast.parse(code)
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    for call in calls:
        if isinstance(call.func.value, ast.Name) and call.func.value.id == "hilum":
            parameters = inspect.signature(getattr(hilum, call.func.attr)).parameters
            assert {keyword.arg for keyword in call.keywords} <= set(parameters)
    from hilum.serving.predictor import Prediction, Predictor
    from hilum.workflow.study import Study

    attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    known = {
        *hilum.__all__,
        *dir(Study),
        *Study.__dataclass_fields__,
        *dir(Predictor),
        *Prediction.__dataclass_fields__,
    }
    assert attributes <= known


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere_and_nowhere_else(page):
    text = page.read_text()
    for target in re.findall(r"\]\(([^)#]+)", text):
        if not target.startswith("https://"):
            assert (page.parent / target).exists(), target
    for path in re.findall(r"`((?:docs|src|tests|benchmarks)/[\w./-]+)`", text):
        assert (ROOT / path).exists(), path


def test_the_make_targets_of_the_readme_exist():
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"(?m)^    make (\w+)", README)):
        assert re.search(rf"(?m)^{target}:", makefile), target
