"""The example of docs/recipes.md is executed: it is trained from the command line as it stands there."""

import json
import re
import subprocess
import sys
from pathlib import Path

from hilum.recipes.schema import Recipe
from hilum.workflow.recipe_file import find_recipe

PAGE = Path(__file__).parents[2] / "docs/recipes.md"


def hilum(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-m", "hilum", *map(str, arguments)], capture_output=True, text=True, cwd=cwd
    )


def test_the_recipe_of_the_page_trains_and_its_pictures_can_be_looked_at(drawn, tmp_path):
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S)
    (tmp_path / "mine.py").write_text(code)
    data = drawn[0].parent / "data"
    assert isinstance(find_recipe(str(tmp_path / "mine.py")), Recipe)
    shown = hilum("augment", data, "--recipe", "./mine.py", "--out", "sheet.png", "--json", cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert "view equalised" in json.loads(shown.stdout)["columns"] and (tmp_path / "sheet.png").exists()
    trained = hilum("train", "./mine.py", data, "--set", "phases.0.max_epochs=1", "--json", cwd=tmp_path)
    assert trained.returncode == 0, trained.stderr
    assert json.loads(trained.stdout)["validation"]["images"] > 0
    listed = hilum("recipes", "show", "./mine.py", cwd=tmp_path)
    assert "augmentation.rotation" in listed.stdout and "erase" not in listed.stdout
