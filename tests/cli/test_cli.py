"""The command line as its users call it: in a process of its own."""

import json
import os
import subprocess
import sys

import pytest

from hilum.cli.main import COMMANDS


def hilum(*arguments, cwd=None, **environment):
    command = [sys.executable, "-m", "hilum", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env={**os.environ, **environment})


def test_the_overview_names_every_command_with_an_example():
    result = hilum("--help")
    assert result.returncode == 0 and "not a medical device" in result.stdout
    for name in COMMANDS:
        assert f"\n  {name} " in result.stdout
        assert f"hilum {name}" in result.stdout


def test_help_needs_no_heavy_import():
    code = (
        "import sys; from hilum.cli.main import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'pandas', 'lightning', 'sklearn', 'timm', 'cv2'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(name):
    result = hilum(name, "--help")
    assert result.returncode == 0
    assert f"Example: hilum {name}" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["stdy"], "Did you mean `hilum study`"),
        (["study", "--label", "kermany3"], "--labels"),
        (["study", ".", "--labels", "kermany"], "Did you mean `kermany3`"),
        (["study", ".", "--recipes", "finetune"], "Did you mean `finetuned`"),
        (["study", ".", "--time-budget", "soon"], "14m"),
        (["study", ".", "--log", "tensorbord"], "tensorboard"),
        (["train", "scratch-cnn", ".", "--seeds", "0"], "1 seed or more"),
        (["draw", "x", "--fault", "markers=1"], "Did you mean `marker`"),
        (["draw", "x", "--fault", "marker=big"], "a strength from 0 to 1"),
        (["recipes", "scratch-cn"], "Did you mean `scratch-cnn`"),
    ],
)
def test_a_typo_is_answered_with_the_nearest_right_one(arguments, words, tmp_path):
    result = hilum(*arguments, cwd=tmp_path)
    assert result.returncode == 2
    assert words in result.stderr + result.stdout
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(("data", "words"), [("nowhere", "nothing there"), (".", "no image files")])
def test_no_data_is_one_line_and_exit_4(data, words, tmp_path):
    result = hilum("study", data, cwd=tmp_path)
    assert result.returncode == 4
    assert result.stderr.splitlines()[-1].startswith("hilum: ") and words in result.stderr


def test_draw_writes_a_data_set_with_its_truth_and_refuses_to_overwrite(tmp_path):
    result = hilum("draw", "d", "--images", "12", "--size", "64", "--fault", "marker", "--json", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["images"] == 12
    assert len(list((tmp_path / "d").rglob("*.jpg"))) == 12
    assert (tmp_path / "d/truth.csv").exists()
    again = hilum("draw", "d", "--images", "12", cwd=tmp_path)
    assert again.returncode == 2 and "Traceback" not in again.stderr


def test_a_study_of_drawn_x_rays_from_the_command_line(tmp_path):
    drawn = hilum("draw", "d", "--images", "90", "--size", "64", "--difficulty", "0", cwd=tmp_path)
    assert drawn.returncode == 0, drawn.stderr
    (tmp_path / "d/train/normal/broken.jpg").write_bytes(b"\xff\xd8\xff")
    result = hilum("study", "d", "--quick", "--time-budget", "20s", "--json", cwd=tmp_path, HILUM_WEIGHTS="")
    assert result.returncode == 3, result.stderr
    document = json.loads(result.stdout)
    assert document["rejected"] == 1
    assert (tmp_path / document["report"]).exists()
    assert [row["run"] for row in document["leaderboard"]] == ["scratch-cnn"]
    report = hilum("report", "runs/d", cwd=tmp_path)
    assert report.returncode == 0 and report.stdout.strip().endswith("report.html")


def test_an_audit_finds_what_was_planted_and_strict_is_exit_5(tmp_path):
    drawn = hilum("draw", "d", "--images", "90", "--size", "96", "--fault", "near_duplicates=0.3", cwd=tmp_path)
    assert drawn.returncode == 0, drawn.stderr
    result = hilum("audit", "d", "--json", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    document = json.loads(result.stdout)
    assert "duplicate-across-splits" in {each["code"] for each in document["findings"]}
    assert (tmp_path / document["report"]).exists()
    strict = hilum("audit", "d", "--strict", cwd=tmp_path)
    assert strict.returncode == 5 and "duplicate-across-splits" in strict.stderr
    assert "1 picture" in strict.stdout or "pictures stand" in strict.stdout
    assert max(map(len, strict.stdout.splitlines())) <= 80 or "audit.html" in strict.stdout


def test_lists_and_doctor_speak_json():
    for arguments in (("recipes", "--json"), ("models", "--json"), ("doctor", "--json")):
        result = hilum(*arguments)
        assert result.returncode == 0, result.stderr
        assert json.loads(result.stdout)
    assert "finetuned" in hilum("recipes").stdout
    assert json.loads(hilum("recipes", "finetuned").stdout)["name"] == "finetuned"


def test_version():
    assert hilum("--version").stdout.startswith("hilum 0.")
