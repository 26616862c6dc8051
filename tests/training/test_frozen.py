"""Frozen phases: features once, the same result as the slow way, nothing frozen moves."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from hilum.errors import RecipeError
from hilum.inference.predict import embed_images, predict_logits
from hilum.models.stages import mark_trained
from hilum.training.features import AugmentedRows
from hilum.training.fit import Settings, fit
from hilum.training.phase import Phase
from hilum.transforms import Augmentation, augment

CPU = torch.device("cpu")
HEAD = Phase(max_epochs=4, train="head", lr=1e-2, optimiser="adamw")
SETTINGS = Settings(batch_size=16, precision="32", overfit_check=False)


@pytest.fixture
def train_head(tmp_path, make_examples, preprocessing):
    def train_head(network, phases=(HEAD,), settings=SETTINGS, **options):
        return fit(
            network,
            make_examples(64),
            make_examples(32, seed=1),
            preprocessing=preprocessing,
            phases=phases,
            settings=settings,
            run_dir=tmp_path,
            device=CPU,
            **options,
        )

    return train_head


@pytest.fixture
def known_backbone(make_network):
    network = make_network()
    mark_trained(network)
    return network


def test_only_the_head_moves(known_backbone, train_head):
    before = {name: value.clone() for name, value in known_backbone.state_dict().items()}
    train_head(known_backbone)
    moved = {name for name, value in known_backbone.state_dict().items() if not torch.equal(value, before[name])}
    assert moved and all(name.startswith("head.") for name in moved)


def test_the_result_predicts_as_it_was_logged(known_backbone, train_head, make_examples, preprocessing):
    val = make_examples(32, seed=1)
    result = train_head(known_backbone)
    logits = torch.from_numpy(predict_logits(known_backbone, val.inputs, preprocessing))
    loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(val.targets)).item()
    assert loss == pytest.approx(result.best_val_loss, abs=1e-4)


def test_features_that_took_all_the_time_are_not_wasted(known_backbone, train_head):
    assert len(train_head(known_backbone, time_budget=0.001).history) == HEAD.max_epochs


def test_a_random_backbone_may_not_be_frozen(make_network, train_head):
    with pytest.raises(RecipeError, match="random"):
        train_head(make_network())


def test_head_then_all(known_backbone, train_head):
    phases = (HEAD, Phase(max_epochs=2, lr=1e-3, backbone_lr_scale=0.1))
    result = train_head(known_backbone, phases)
    assert [row["phase"] for row in result.history] == [1, 1, 1, 1, 2, 2]
    assert result.best_epoch in (5, 6)
    assert result.epochs_planned == 6


def test_views_differ_and_the_first_is_plain(known_backbone, make_examples, preprocessing):
    examples, augmentation = make_examples(8), Augmentation(rotation=10, flip=0.5)
    rows = AugmentedRows(examples.inputs, augmentation, seed=3, view=1)
    seeds = [(3, 1, number) for number in range(8)]
    np.testing.assert_array_equal(rows[np.arange(8)], augment(examples.inputs, augmentation, seeds))
    np.testing.assert_array_equal(rows[2], rows[np.arange(8)][2])
    plain = embed_images(known_backbone, examples.inputs, preprocessing)
    assert not np.allclose(plain, embed_images(known_backbone, rows, preprocessing))


def test_several_views_train(known_backbone, train_head):
    settings = replace(SETTINGS, augmentation=Augmentation(flip=0.5, rotation=5))
    result = train_head(known_backbone, (replace(HEAD, views=3),), settings)
    assert np.isfinite(result.best_val_loss)
