"""Two processes train as one does: the same batches, each image of validation once, the same weights in both."""

import csv
import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from hilum.errors import UsageError
from hilum.inference.predict import predict_logits
from hilum.models import create_model
from hilum.training import processes
from hilum.training.datamodule import EpochOrder, ExampleDataset, Shares, in_order, val_loader
from hilum.training.keeper import val_figures
from hilum.transforms import Augmentation

SCRIPT = Path(__file__).with_name("ddp_run.py")
RUN = runpy.run_path(str(SCRIPT))
SMALL, make_examples, train = (RUN[name] for name in ("SMALL", "make_examples", "train"))


@pytest.fixture(scope="module")
def of_two(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    command = [sys.executable, "-W", "ignore", "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run([*command, str(SCRIPT), str(folder)], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder, json.loads((folder / "found.json").read_text())


def test_a_head_trains_as_in_one_process(of_two, tmp_path):
    _, history = train("head", tmp_path)
    for ours, theirs in zip(history, of_two[1]["head"]["history"], strict=True):
        for name in ("train_loss", "train_accuracy", "val_loss", "val_accuracy", "val_auroc", "lr"):
            assert theirs[name] == pytest.approx(ours[name], abs=1e-4), name


def test_a_network_trains_as_in_one_process_within_noise(of_two, tmp_path):
    _, history = train("all", tmp_path)  # batch norm sees half batches there, so no more than that
    for name, noise in (("train_loss", 0.1), ("val_loss", 0.15), ("val_auroc", 0.1)):
        assert of_two[1]["all"]["history"][-1][name] == pytest.approx(history[-1][name], abs=noise), name


@pytest.mark.parametrize("name", ["head", "all"])
def test_both_processes_end_with_the_same_weights(of_two, name):
    first, second = of_two[1][name]["weights"]
    assert first == second


@pytest.mark.parametrize("name", ["head", "all"])
def test_the_figures_are_those_of_every_validation_image_once(of_two, name):
    folder, found = of_two
    network, val = create_model("cnn-tiny", num_classes=2, in_channels=1, image_size=32), make_examples(33, 1)
    network.load_state_dict(torch.load(folder / f"{name}.pt", weights_only=True))
    logits = torch.from_numpy(predict_logits(network, val.inputs, SMALL))
    best = next(row for row in found[name]["history"] if row["best"])
    for figure, value in val_figures(logits, torch.from_numpy(val.targets)).items():
        assert best[figure] == pytest.approx(value, abs=1e-4), figure


def test_one_history_is_written(of_two):
    rows = list(csv.DictReader((of_two[0] / "all" / "history.csv").read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_shares_are_the_batches_of_one_process(count, monkeypatch):
    some = make_examples(70, 0)
    order = EpochOrder(ExampleDataset(some, Augmentation(), 0), some.targets, "as-is", 0)
    whole = list(Shares(order, 16, True))
    shares = []
    for rank in range(count):
        monkeypatch.setattr("hilum.training.datamodule.world", lambda rank=rank: (rank, count))
        shares.append(list(Shares(order, 16, True)))
    for batch, *parts in zip(whole, *shares, strict=True):
        assert sorted(batch) == sorted(row for part in parts for row in part)
    assert len(whole) == 70 // 16


@pytest.mark.parametrize("count", [1, 2, 4])
def test_validation_neither_drops_nor_repeats(count, monkeypatch):
    some, parts = make_examples(33, 1), []
    for rank in range(count):
        monkeypatch.setattr("hilum.training.datamodule.world", lambda rank=rank: (rank, count))
        parts.append(torch.cat([batch["inputs"] for batch in val_loader(some, 8)]))
    np.testing.assert_array_equal(in_order(parts).numpy(), some.inputs)


def test_processes_need_an_address(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    with pytest.raises(UsageError, match="MASTER_ADDR"):
        processes.join(torch.device("cpu"))


def test_alone_nothing_is_joined(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert processes.join(torch.device("cpu")) == torch.device("cpu")
    assert processes.world() == (0, 1) and processes.gather(3) == [3] and processes.share(4) == 4
