"""Training through the front door: it learns, it resumes bit for bit, it mends what can be mended."""

import json
import os
import signal
import threading
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from hilum.errors import CannotLearn, Diverged, TrainingError
from hilum.inference.predict import predict_logits
from hilum.training.datamodule import EpochOrder, ExampleDataset
from hilum.training.fit import Settings, fit
from hilum.training.keeper import HISTORY
from hilum.training.module import TrainingModule
from hilum.training.phase import Phase
from hilum.transforms import Augmentation

SETTINGS = Settings(augmentation=Augmentation(flip=0.5, rotation=5), batch_size=16, precision="32", overfit_check=False)
PHASE = Phase(max_epochs=3, lr=3e-3, optimiser="adamw", schedule="cosine")
CPU = torch.device("cpu")


@pytest.fixture
def run(tmp_path, make_examples, make_network, preprocessing):
    """Trains and gives network and result."""

    def run(name="run", *, network=None, phases=(PHASE,), settings=SETTINGS, train=None, val=None, **options):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        network = network or make_network()
        result = fit(
            network,
            train or make_examples(96),
            val or make_examples(48, seed=1),
            preprocessing=preprocessing,
            phases=phases,
            settings=settings,
            run_dir=folder,
            device=CPU,
            **options,
        )
        return network, result

    return run


def bits(network):
    return {name: value.clone() for name, value in network.state_dict().items()}


def same(first, second):
    return all(torch.equal(first[name], second[name]) for name in first)


def test_it_learns_and_writes_its_history(run, tmp_path):
    _, result = run()
    table = pd.read_csv(tmp_path / "run" / "history.csv")
    assert list(table.columns) == list(HISTORY)
    assert len(table) == 3 == len(result.history)
    assert table["train_loss"].iloc[-1] < table["train_loss"].iloc[0]
    assert table["val_auroc"].max() > 0.95
    assert table["best"].sum() == 1 and table["epoch"][table["best"] == 1].item() == result.best_epoch
    assert table["lr"].iloc[0] > table["lr"].iloc[-1] == 0


def test_the_network_that_is_left_gives_the_logged_validation_loss(run, make_examples, preprocessing):
    val = make_examples(48, seed=1)
    network, result = run(val=val, settings=replace(SETTINGS, ema=0.9))
    logits = torch.from_numpy(predict_logits(network, val.inputs, preprocessing))
    loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(val.targets)).item()
    assert loss == pytest.approx(result.best_val_loss, abs=1e-5)


def test_the_same_seed_gives_the_same_bits_and_another_does_not(run):
    first, _ = run("a")
    second, _ = run("b")
    third, _ = run("c", settings=replace(SETTINGS, seed=1))
    assert same(bits(first), bits(second))
    assert not same(bits(first), bits(third))


@pytest.mark.parametrize("ema", [0.0, 0.9])
@pytest.mark.parametrize("schedule", ["cosine", "plateau"])
def test_a_killed_run_resumes_bit_for_bit(run, make_network, monkeypatch, ema, schedule):
    phases = (replace(PHASE, max_epochs=2, schedule=schedule), replace(PHASE, max_epochs=3, schedule=schedule))
    settings = replace(SETTINGS, ema=ema)
    whole, expected = run("whole", network=make_network(dropout=0.3), phases=phases, settings=settings)
    step, seen = TrainingModule.training_step, []

    def dies(self, batch, batch_idx):
        seen.append(1)
        if len(seen) == 6 * 3 + 3:  # in the second epoch of the second phase
            raise KeyError("the plug was pulled")
        return step(self, batch, batch_idx)

    monkeypatch.setattr(TrainingModule, "training_step", dies)
    with pytest.raises(KeyError):
        run("killed", network=make_network(dropout=0.3), phases=phases, settings=settings)
    monkeypatch.setattr(TrainingModule, "training_step", step)
    resumed, result = run("killed", network=make_network(dropout=0.3), phases=phases, settings=settings)
    assert same(bits(whole), bits(resumed))
    assert [row["val_loss"] for row in result.history] == [row["val_loss"] for row in expected.history]
    assert len(seen) == 21


def test_mixed_pictures_train_and_the_same_seed_gives_the_same_bits(run):
    settings = replace(SETTINGS, mixup=0.4)
    straight, result = run("straight", settings=settings)
    assert result.history[-1]["val_loss"] < result.history[0]["val_loss"]
    assert not same(bits(straight), bits(run("unmixed")[0]))
    again, _ = run("again", settings=settings)
    assert same(bits(straight), bits(again))


def test_a_killed_run_keeps_the_backbone_of_an_earlier_phase(run, make_network, monkeypatch):
    phases = (replace(PHASE, max_epochs=1), replace(PHASE, max_epochs=4, train="head"))
    whole, _ = run("whole", phases=phases)
    step, seen = TrainingModule.training_step, []

    def dies(self, batch, batch_idx):
        seen.append(1)
        if len(seen) == 6 + 3:
            raise KeyError("the plug was pulled")
        return step(self, batch, batch_idx)

    monkeypatch.setattr(TrainingModule, "training_step", dies)
    with pytest.raises(KeyError):
        run("killed", phases=phases)
    monkeypatch.setattr(TrainingModule, "training_step", step)
    assert same(bits(whole), bits(run("killed", phases=phases)[0]))


def test_a_phase_that_makes_it_worse_is_not_kept(run):
    good, result = run("good", phases=(PHASE,))
    wild = replace(PHASE, max_epochs=1, lr=3.0, optimiser="sgd", schedule="constant")
    both, after = run("both", phases=(PHASE, wild))
    assert same(bits(good), bits(both))
    assert after.best_val_loss == result.best_val_loss and after.best_epoch == result.best_epoch
    assert any("nothing better" in note for note in after.notes)


def test_repeats_of_an_image_in_one_epoch_look_different(make_examples):
    examples = replace(make_examples(4), targets=np.array([0, 0, 0, 1]))
    dataset = ExampleDataset(examples, Augmentation(rotation=10), seed=0)
    order = list(EpochOrder(dataset, examples.targets, "oversampled", 0))
    repeats = dataset.__getitems__([number for number in order if number % 4 == 3])["inputs"]
    assert len(repeats) == 3
    assert not torch.equal(repeats[0], repeats[1])


def test_nan_goes_back_and_halves_the_learning_rate_once(run, monkeypatch):
    step, seen = TrainingModule.training_step, []

    def breaks(self, batch, batch_idx):
        seen.append(float(self.optimizers().param_groups[0]["lr"]))
        if len(seen) == 9:
            self.network.head[-1].weight.data.fill_(float("nan"))
        return step(self, batch, batch_idx)

    monkeypatch.setattr(TrainingModule, "training_step", breaks)
    _, result = run()
    assert any("half the learning rate" in note for note in result.notes)
    assert len(result.history) == 3
    assert seen[9] == pytest.approx(seen[6] / 2)  # the second epoch again, from its first step
    assert np.isfinite(result.best_val_loss)


def test_nan_again_is_the_end_and_says_so(run, monkeypatch):
    def breaks(self, batch, batch_idx):
        self.network.head[-1].weight.data.fill_(float("nan"))
        return step(self, batch, batch_idx)

    step = TrainingModule.training_step
    monkeypatch.setattr(TrainingModule, "training_step", breaks)
    with pytest.raises(Diverged, match="NaN again"):
        run()


def test_too_little_memory_halves_the_batch_and_adds_the_parts_up(run, monkeypatch):
    step, sizes = TrainingModule.training_step, []

    def hungry(self, batch, batch_idx):
        sizes.append(len(batch["target"]))
        if sizes[-1] > 8:
            raise torch.OutOfMemoryError("out of memory")
        return step(self, batch, batch_idx)

    monkeypatch.setattr(TrainingModule, "training_step", hungry)
    _, result = run()
    assert sizes[0] == 16 and set(sizes[1:]) == {8}
    assert any("parts of 8" in note for note in result.notes)


def test_not_even_one_image_fits(run, monkeypatch):
    def hungry(self, batch, batch_idx):
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr(TrainingModule, "training_step", hungry)
    with pytest.raises(TrainingError, match="room for one image"):
        run()


def test_other_errors_come_through(run, monkeypatch):
    def wrong(self, batch, batch_idx):
        raise RuntimeError("shapes do not fit")

    monkeypatch.setattr(TrainingModule, "training_step", wrong)
    with pytest.raises(RuntimeError, match="shapes"):
        run()


def test_ctrl_c_keeps_what_was_learned(run):
    def press(done, total, words):
        if done == 8:
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)  # a run in the background ignores it
    network, result = run(on_step=press)
    assert result.interrupted and "interrupted" in result.stopped
    assert len(result.history) == 1
    assert threading.current_thread() is threading.main_thread()
    assert signal.getsignal(signal.SIGINT) is before
    assert torch.isfinite(next(network.parameters())).all()


def test_patience_ends_a_phase(run):
    phase = Phase(max_epochs=30, lr=1e-12, patience=2)
    _, result = run(phases=(phase,))
    assert "stopped early" in result.stopped
    assert len(result.history) < 30


def test_a_time_budget_shortens_the_schedule(run, tmp_path):
    _, result = run(phases=(replace(PHASE, max_epochs=10_000),), time_budget=2.0)
    plan = json.loads((tmp_path / "run/checkpoints/phase-0-plan.json").read_text())
    assert 1 <= plan["max_epochs"] < 10_000
    assert any("fit into the time budget" in note for note in result.notes)
    assert result.seconds < 20


def test_a_network_that_cannot_learn_is_stopped_with_an_explanation(run, make_examples):
    same_picture = replace(make_examples(96), inputs=np.full((96, 32, 32), 99, np.uint8))
    with pytest.raises(CannotLearn, match="learned by heart") as error:
        run(train=same_picture, settings=replace(SETTINGS, overfit_check=True))
    assert "same picture under two labels" in str(error.value)


def test_the_overfit_check_leaves_the_network_as_it_was(run):
    checked, result = run("a", settings=replace(SETTINGS, overfit_check=True))
    unchecked, _ = run("b")
    assert same(bits(checked), bits(unchecked))
    assert any("by heart" in note for note in result.notes)


@pytest.mark.parametrize("balance", ["undersampled", "oversampled", "class-weights"])
def test_every_balance_trains(run, balance):
    _, result = run(settings=replace(SETTINGS, balance=balance))
    assert np.isfinite(result.best_val_loss)
