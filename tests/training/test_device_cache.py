"""Canvases that lie on the device, batches that are changed there, and steps whose losses are looked at later."""

import numpy as np
import pytest
import torch

from hilum.training import datamodule, module, ready
from hilum.training.datamodule import DeviceRows, ExampleDataset, moved, on_device
from hilum.training.fit import Settings, fit
from hilum.training.phase import Phase
from hilum.transforms import Augmentation

CPU = torch.device("cpu")
CHANGES = Augmentation(flip=0.5, contrast=0.2, erase=0.5)


def test_a_cpu_keeps_its_memory_map(make_examples):
    some = make_examples(8)
    assert on_device(some, CPU) is some


def test_rows_are_what_they_were(make_examples):
    some = make_examples(40)
    there = moved(some, CPU, block=7)
    assert isinstance(there.inputs, DeviceRows) and len(there.inputs) == 40
    np.testing.assert_array_equal(there.inputs[5:9], some.inputs[5:9])
    np.testing.assert_array_equal(there.inputs.take(np.array([3, 1, 3])).numpy(), some.inputs[[3, 1, 3]])


def test_batches_are_those_of_the_other_way(make_examples):
    some = make_examples(40)
    one, other = (ExampleDataset(each, CHANGES, 5) for each in (some, moved(some, CPU)))
    positions = [3, 17, 3 + 40, 39]
    first, second = one.__getitems__(positions), other.__getitems__(positions)
    assert torch.equal(first["target"], second["target"])
    assert (first["inputs"].int() - second["inputs"].int()).abs().max() <= 1
    assert not torch.equal(first["inputs"][0], first["inputs"][2])  # a repeat is changed in its own way


@pytest.fixture
def losses_of(make_network, make_examples, preprocessing, tmp_path):
    def losses_of(name):
        settings = Settings(augmentation=CHANGES, batch_size=16, precision="32", overfit_check=False)
        result = fit(
            make_network(seed=3), make_examples(64), make_examples(32, seed=1), preprocessing=preprocessing,
            phases=[Phase(max_epochs=2, lr=1e-3)], settings=settings, run_dir=tmp_path / name, device=CPU,
        )  # fmt: skip
        return [[row["train_loss"], row["train_accuracy"], row["val_loss"]] for row in result.history]

    return losses_of


def test_a_training_on_it_is_the_same(losses_of, monkeypatch):
    usual = losses_of("usual")
    monkeypatch.setattr(ready, "on_device", lambda examples, device: moved(examples, device))
    np.testing.assert_allclose(losses_of("moved"), usual, atol=0.02)


def test_losses_that_are_looked_at_later_are_the_same(losses_of, monkeypatch):
    usual = losses_of("usual")

    def begin(self, batch, batch_idx):
        start(self, batch, batch_idx)
        self.look_every = 3

    start = module.TrainingModule.on_train_batch_start
    monkeypatch.setattr(module.TrainingModule, "on_train_batch_start", begin)
    np.testing.assert_allclose(losses_of("later"), usual, atol=1e-6)


def test_canvases_that_do_not_fit_stay(make_examples, monkeypatch):
    some, gpu = make_examples(8), torch.device("cuda")
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (8 * 32 * 32, 10**9))
    assert on_device(some, gpu) is some
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (10**9, 10**9))
    monkeypatch.setattr(datamodule, "moved", lambda examples, device, block: "moved")
    assert on_device(some, gpu) == "moved"
