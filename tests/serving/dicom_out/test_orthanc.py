"""A real archive at the other end, with a kill in the middle: the benchmark at the size of a test."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "benchmarks" / "dicom_roundtrip.py"


@pytest.mark.skipif(shutil.which("Orthanc") is None, reason="needs Orthanc (Debian package orthanc)")
def test_every_image_comes_back_once_although_the_node_is_killed(model_file):
    command = [sys.executable, str(SCRIPT), str(model_file), "--images", "12", "--size", "64", "--kills", "1"]
    result = subprocess.run([*command, "--validate", "2"], capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr + result.stdout
    found = json.loads(result.stdout)
    assert found["exactly_once"] and (found["images"], found["heat maps"], found["reports"]) == (12, 12, 12)
    assert not found["invalid"] and found["node_stopped_with"] == 0
