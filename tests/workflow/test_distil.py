"""One network that learned from several: nobody judges what it has seen, and the run is one network like any other."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import hilum
from hilum import transforms
from hilum.errors import DataError, TrainingError
from hilum.models import create_model
from hilum.recipes.schema import Augmentation, Distil, Model, Phase, Preprocessing, Recipe
from hilum.training import phase
from hilum.training.datamodule import ExampleDataset, Examples
from hilum.training.fit import Settings, fit
from hilum.workflow.distil import MEMBERS, fold_of_each

TAUGHT = Recipe(
    "taught",
    model=Model("cnn-tiny"),
    preprocessing=Preprocessing(image_size=32, normalisation="half", channels=1),
    augmentation=Augmentation(flip=0.5),
    phases=(Phase(max_epochs=2, lr=3e-3, optimiser="adamw"),),
    batch_size=16,
    precision="32",
    overfit_check=False,
    distil=Distil(folds=2, share=0.5),
)


@pytest.fixture
def data(make_data):
    return make_data()


def test_every_group_has_one_fold_and_every_fold_both_classes():
    generator = np.random.default_rng(0)
    groups = generator.integers(0, 40, 200)
    targets = groups % 2
    folds = fold_of_each(targets, groups, 4, seed=1)
    assert all(len(set(folds[groups == group])) == 1 for group in set(groups))
    assert all(set(targets[folds == fold]) == {0, 1} for fold in range(4))


def test_too_few_patients_and_impossible_settings(data, tmp_path):
    with pytest.raises(DataError, match="for 3 folds"):
        fold_of_each(np.array([0, 0, 1, 1]), np.array([0, 1, 2, 3]), 3, seed=0)
    wrong = replace(TAUGHT, distil=Distil(folds=1))
    with pytest.raises(TrainingError, match="2 or more"):
        hilum.train(wrong, data, out=tmp_path / "wrong", replicates=20)


def test_a_batch_carries_what_others_think():
    soft = np.random.default_rng(0).dirichlet([1, 1], 6).astype(np.float32)
    examples = Examples(np.zeros((6, 8, 8), np.uint8), np.zeros(6, np.int64), soft)
    batch = ExampleDataset(examples, transforms.Augmentation(), 0).__getitems__([4, 1])
    np.testing.assert_array_equal(batch["soft"], soft[[4, 1]])


def test_a_head_on_features_learns_from_them_too(tmp_path):
    pictures = np.random.default_rng(0).integers(0, 255, (48, 32, 32)).astype(np.uint8)
    targets = np.arange(48) % 2
    losses = []
    for soft in (None, np.full((48, 2), 0.5, np.float32)):
        result = fit(
            create_model("cnn-tiny", num_classes=2, in_channels=1, image_size=32, seed=0),
            Examples(pictures, targets, soft),
            Examples(pictures, targets),
            preprocessing=transforms.Preprocessing(image_size=32, normalisation="half", channels=1),
            phases=(phase.Phase(max_epochs=1, train="head", lr=1e-9),),
            settings=Settings(precision="32", overfit_check=False, soft_share=1.0),
            run_dir=tmp_path / str(len(losses)),
            device=torch.device("cpu"),
            allow=("frozen-random",),
        )
        losses.append(result.history[0]["train_loss"])
    assert losses[0] != pytest.approx(losses[1], rel=1e-6)


def test_a_run_learns_from_members_and_is_one_network(data, tmp_path):
    trained = hilum.train(TAUGHT, data, out=tmp_path / "out", replicates=20)
    folder = trained.run_dir
    probs = [np.load(folder / MEMBERS / f"fold-{number}" / "probs.npy") for number in (1, 2)]
    assert all(np.allclose(each.sum(1), 1, atol=1e-5) for each in probs)
    alone = hilum.train(replace(TAUGHT, name="alone", distil=None), data, out=tmp_path / "out", replicates=20)
    sizes = [(run.run_dir / "model.safetensors").stat().st_size for run in (trained, alone)]
    assert abs(sizes[0] - sizes[1]) < 4096  # the same network; only its header says more
    assert "2 members" in (folder / "environment.json").read_text()
