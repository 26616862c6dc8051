"""An autoencoder trained through the front door: it draws better than the mean picture, and goes on after a kill."""

import math

import numpy as np
import pandas as pd
import pytest
import torch

from hilum.errors import Diverged, TrainingError
from hilum.models.autoencoder import create_autoencoder, reconstruction_error
from hilum.training.phase import Phase
from hilum.training.reconstruction import fit_autoencoder, seconds_per_image

PHASE = Phase(max_epochs=4, lr=3e-3, optimiser="adam")
CPU = torch.device("cpu")


def pictures(count, seed=0):
    """A bright square on dark ground, somewhere in the picture."""
    generator = np.random.default_rng(seed)
    drawn = generator.integers(0, 20, (count, 32, 32)).astype(np.uint8)
    for picture, (row, column) in zip(drawn, generator.integers(2, 18, (count, 2)), strict=True):
        picture[row : row + 12, column : column + 12] += 180
    return drawn


@pytest.fixture
def train(tmp_path):
    def train(name="run", *, phase=PHASE, seed=0, count=160, **options):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        network = create_autoencoder(image_size=32, widths=(8, 16), latent_dim=16, seed=seed)
        result = fit_autoencoder(
            network, pictures(count), pictures(40, 1), phase=phase, run_dir=folder, device=CPU, batch_size=16,
            seed=seed, **options,
        )  # fmt: skip
        return network, result

    return train


def errors(network, canvases):
    image = torch.from_numpy(canvases).float().unsqueeze(1) / 255
    with torch.inference_mode():
        return reconstruction_error(network.eval()(image), image).numpy()


def test_it_draws_better_than_the_mean_picture(train, tmp_path):
    network, result = train(phase=Phase(max_epochs=20, lr=3e-3))
    new = pictures(60, 2)
    mean = pictures(160).mean(axis=0) / 255
    plain = np.square(new / 255 - mean).mean(axis=(1, 2))
    assert errors(network, new).mean() < 0.6 * plain.mean()
    history = pd.read_csv(tmp_path / "run/history.csv")
    assert len(history) == 20 and history["val_loss"].iloc[-1] < history["val_loss"].iloc[0]
    assert history["val_accuracy"].isna().all() and (history["best"].sum(), result.interrupted) == (1, False)
    assert history["val_loss"][result.best_epoch - 1] == pytest.approx(
        errors(network, pictures(40, 1)).mean(), rel=1e-4
    )


class Stop(Exception):
    pass


def test_a_killed_run_ends_with_the_same_bits(train):
    def kill(history):
        if len(history) == 2:
            raise Stop

    with pytest.raises(Stop):
        train("killed", on_epoch=kill)
    again, result = train("killed")
    whole, _ = train("whole")
    assert len(result.history) == 4
    for one, other in zip(again.state_dict().values(), whole.state_dict().values(), strict=True):
        assert torch.equal(one, other)


def test_the_time_budget_ends_it_after_an_epoch(train):
    _, result = train(phase=Phase(max_epochs=500, lr=3e-3), time_budget=0.01)
    assert len(result.history) == 1 and "time budget" in result.stopped and math.isfinite(result.best_val_loss)


def test_a_loss_that_is_no_number_is_said(train):
    with pytest.raises(Diverged, match="NaN"):
        train(phase=Phase(max_epochs=3, lr=1e38, optimiser="sgd"))


def test_without_normal_images_there_is_nothing_to_learn(tmp_path):
    with pytest.raises(TrainingError, match="normal validation images, found none"):
        fit_autoencoder(
            create_autoencoder(image_size=32, widths=(8, 16)), pictures(4), pictures(0), phase=PHASE, run_dir=tmp_path,
            device=CPU,
        )  # fmt: skip


def test_a_step_is_timed_on_a_copy():
    network = create_autoencoder(image_size=32, widths=(8, 16))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert 0 < seconds_per_image(network, pictures(8), CPU) < 1
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
