"""A server with a small model, in this process and in one of its own."""

import contextlib
import json
import subprocess
import sys

import numpy as np
import pytest
from starlette.testclient import TestClient

pytest.importorskip("fastapi", reason="needs the packages of the extra serve")

from hilum.data.phantom import draw_dataset
from hilum.serving.app import create_app
from hilum.serving.http.served import load_models
from hilum.serving.http.settings import Settings

BASE = "http://127.0.0.1:8000"


@pytest.fixture(scope="session")
def predictors(model_file):
    return load_models([model_file], engine="torch")


@pytest.fixture
def make_client(predictors):
    """A client of an application with these bounds; drained at the end."""
    with contextlib.ExitStack() as stack:

        def make(indexes=None, models=None, **bounds):
            app, room = create_app(models or predictors, Settings(**{"workers": 1, **bounds}), indexes=indexes)
            client = stack.enter_context(TestClient(app, base_url=BASE, raise_server_exceptions=False))
            client.room = room
            return client

        yield make


@pytest.fixture
def client(make_client):
    return make_client()


@pytest.fixture(scope="session")
def xrays(pictures):
    """The bytes of ten drawn X-rays."""
    return [(pictures / f"{number:02}.png").read_bytes() for number in range(10)]


@pytest.fixture(scope="session")
def wide_xray():
    """A drawn X-ray of 16 bits, higher than wide."""
    drawn = draw_dataset(images=1, size=128)[0].intensity
    return np.round(65535 * drawn[:, 20:108]).astype(np.uint16)


@pytest.fixture
def serve(model_file):
    """Starts `hilum serve` as its users do; ended at the end."""
    with contextlib.ExitStack() as stack:

        def start(*options, model=model_file, env=None):
            command = [sys.executable, "-m", "hilum", "serve", str(model), "--port", "0", "--json", *options]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
            stack.callback(_end, process)
            line = process.stdout.readline()
            assert line, process.stderr.read()
            process.address = json.loads(line)["address"]
            return process

        yield start


def _end(process):
    if process.poll() is None:
        process.terminate()
    try:
        process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
