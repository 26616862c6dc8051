"""`hilum train` started twice by torchrun: one run folder, with the figures of one process."""

import json
import os
import subprocess
import sys

import pandas as pd
import pytest

from hilum.cli.main import main
from hilum.data.phantom import draw_dataset, write_dataset
from hilum.errors import UsageError
from hilum.workflow.several import alone, announce, launched, leading, refuse_several

TWO = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
CHANGES = ("model.name=cnn-tiny", "preprocessing.image_size=64", "phases.0.max_epochs=2")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    drawn = draw_dataset(images=120, size=64, classes=("normal", "bacterial"))
    return write_dataset(drawn, tmp_path_factory.mktemp("drawn"))


def train(data, out, *started):
    command = [sys.executable, "-W", "ignore", *started, "-m", "hilum", "train", "scratch-cnn", str(data)]
    command += ["--out", str(out), "--json", *(part for change in CHANGES for part in ("--set", change))]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-2000:]
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def of_two(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("two")
    return out, train(data, out, *TWO)


def test_two_processes_leave_one_run_with_every_validation_image_once(of_two):
    out, document = of_two
    assert document["status"] in ("done", "collapsed")
    table = pd.read_parquet(out / "scratch-cnn" / "predictions-val.parquet")
    manifest = pd.read_parquet(out / "manifest.parquet")
    assert sorted(table["image_path"]) == sorted(manifest.loc[manifest["split"] == "val", "image_path"])


def test_they_train_as_one_does_within_noise(of_two, data, tmp_path):
    train(data, tmp_path)
    two, one = (pd.read_csv(out / "scratch-cnn/history.csv") for out in (of_two[0], tmp_path))
    assert len(two) == len(one) == 2
    for name, noise in (("train_loss", 0.1), ("val_loss", 0.15), ("val_auroc", 0.1)):  # batch norm sees half batches
        assert two[name].iloc[-1] == pytest.approx(one[name].iloc[-1], abs=noise), name


def test_a_run_that_is_done_is_told_to_the_others(of_two, data):
    """Nothing is left to train: the others are sent home and nobody waits for ever."""
    out, before = of_two
    assert train(data, out, *TWO) == before


def test_alone_nobody_is_told(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert launched() == (0, 1)
    refuse_several("folds and seeds")
    with leading(), alone():
        assert not announce({"never": "sent"})


def test_what_is_for_one_process_is_refused_to_several(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UsageError, match="one process"):
        refuse_several("--resume")
    with alone():
        refuse_several("--resume")
    assert launched()[1] == 2


@pytest.mark.parametrize("command", [["study"], ["tune", "scratch-cnn", "nowhere"], ["replay", "D"]])
def test_other_commands_that_train_are_for_one_process(command, monkeypatch, capsys):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(SystemExit) as ended:
        main(command)
    said = capsys.readouterr().err
    assert ended.value.code == 2 and f"hilum {command[0]}" in said and "expected one process" in said
