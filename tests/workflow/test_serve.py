"""`hilum.serve`: what the command does, as a function."""

import asyncio
import signal
import subprocess
import sys
import urllib.request

import pytest

import hilum
from hilum.errors import UsageError
from hilum.models import create_model, save_model
from hilum.transforms import Preprocessing
from hilum.workflow.serve import run_serving

pytest.importorskip("fastapi", reason="needs the packages of the extra serve")

SCRIPT = """
import sys, hilum
print(hilum.serve(sys.argv[1], port=0, workers=1, on_ready=lambda address, names: print(address, *names, flush=True)))
"""


@pytest.fixture(scope="module")
def model_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "small.safetensors"
    network = create_model("cnn-tiny", num_classes=2, in_channels=1, image_size=32, seed=0)
    preprocessing = Preprocessing(image_size=32, normalisation="half", channels=1).to_json()
    save_model(path, network, labels=("a", "b"), preprocessing=preprocessing, recipe={}, fingerprint="f", extras={})
    return path


def test_it_serves_until_the_signal_and_says_how_much(model_file):
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(model_file)], stdout=subprocess.PIPE, text=True)
    try:
        address, name = process.stdout.readline().split()
        assert name == "small"
        with urllib.request.urlopen(f"{address}/v1/models", timeout=60) as answer:
            assert b'"labels":["a","b"]' in answer.read()
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0 and out == "Stopped; 0 of 0 accepted requests answered.\n"


def test_in_a_notebook_it_names_the_way_out(model_file):
    async def cell():
        hilum.serve(model_file)

    with pytest.raises(UsageError, match=r"notebook.*hilum serve"):
        asyncio.run(cell())


def test_bounds_and_missing_packages_are_one_line(model_file, monkeypatch):
    with pytest.raises(UsageError, match="a token"):
        hilum.serve([model_file], host="192.0.2.1")
    with pytest.raises(UsageError, match="queue"):
        hilum.serve(model_file, queue=0)
    with pytest.raises(UsageError, match="--index"):
        run_serving([model_file], indexes=[model_file, model_file])
    monkeypatch.setattr("hilum.workflow.serve.find_spec", lambda name: None)
    with pytest.raises(UsageError, match="hilum\\[serve\\]"):
        hilum.serve(model_file)
