"""Frozen stages in front are run once for each image: the same training as with them in every epoch."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from hilum.models import create_model
from hilum.models.stages import mark_trained, select_stages, set_trained_stages
from hilum.recipes.covid_small import LAYERS_FROM_136
from hilum.training import ready
from hilum.training.datamodule import Examples
from hilum.training.fit import Settings, fit
from hilum.training.front import find_front
from hilum.training.phase import Phase
from hilum.transforms import Augmentation

SETTINGS = Settings(batch_size=16, precision="32", overfit_check=False)
LAST = Phase(max_epochs=3, train="last:1", lr=1e-2)


@pytest.fixture
def train(tmp_path, make_examples, preprocessing):
    def train(network, folder, phases=(LAST,), settings=SETTINGS, **options):
        data = make_examples(64), make_examples(32, seed=1)
        settings = replace(settings, **options.pop("changed", {}))
        return fit(
            network,
            *data,
            preprocessing=preprocessing,
            phases=phases,
            settings=settings,
            run_dir=tmp_path / folder,
            device=torch.device("cpu"),
            **options,
        )

    return train


@pytest.fixture
def known(make_network):
    def known():
        torch.manual_seed(3)
        network = make_network()
        mark_trained(network)
        return network

    return known


@pytest.fixture
def count_images(monkeypatch):
    """How many images went through the first layer of a network while something ran."""

    def count_images(network, work):
        seen = []
        layer = next(module for module in network.modules() if isinstance(module, torch.nn.Conv2d))
        handle = layer.register_forward_hook(lambda _module, inputs, _output: seen.append(len(inputs[0])))
        work()
        handle.remove()
        return sum(seen)

    return count_images


def test_it_comes_out_as_with_the_front_in_every_epoch(known, train, monkeypatch):
    quick, slow = known(), known()
    result = train(quick, "quick", changed={"ema": 0.9})
    monkeypatch.setattr(ready, "find_front", lambda *_: None)
    expected = train(slow, "slow", changed={"ema": 0.9})
    for key in ("train_loss", "val_loss"):
        assert [row[key] for row in result.history] == pytest.approx([row[key] for row in expected.history], rel=1e-3)
    for name, value in slow.state_dict().items():
        assert torch.allclose(quick.state_dict()[name].float(), value.float(), atol=1e-3), name


def test_an_image_passes_the_front_once(known, train, count_images):
    network = known()
    phase = replace(LAST, max_epochs=8)
    seen = count_images(network, lambda: train(network, "run", phases=(phase,)))
    assert 64 + 32 <= seen < 2 * (64 + 32)


def test_only_what_trains_moves(known, train):
    network = known()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    train(network, "run")
    last = list(network.stages)[-2]
    moved = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    parts = tuple(f"{part}." for part in (*network.stage_parts[last], "head"))
    assert moved and all(name.startswith(parts) for name in moved)


def test_with_augmentation_every_epoch_sees_new_pictures(known, train, count_images):
    network = known()
    seen = count_images(network, lambda: train(network, "run", changed={"augmentation": Augmentation(flip=0.5)}))
    assert seen >= 3 * (64 + 32)


def test_the_phase_behind_trains_with_its_batch_norms_and_dropout(known, train):
    network, seen = known(), []
    first = next(module for module in network.modules() if isinstance(module, torch.nn.Conv2d))
    first.register_forward_hook(lambda module, *_: seen.append(module.training) if module is first else None)
    train(network, "run", phases=(LAST, Phase(max_epochs=1, lr=1e-3)))
    assert True in seen


def test_a_run_goes_on_where_it_was_stopped(known, train):
    whole, parts = known(), known()
    phase = replace(LAST, max_epochs=4)
    expected = train(whole, "whole", phases=(phase,))

    class Killed(Exception):
        pass

    def after_two(history):
        if len(history) == 2:
            raise Killed

    with pytest.raises(Killed):
        train(parts, "parts", phases=(phase,), on_epoch=after_two)
    result = train(known(), "parts", phases=(phase,))
    assert [row["val_loss"] for row in result.history] == [row["val_loss"] for row in expected.history]


def test_what_the_front_gives_leaves_no_file(known, train, tmp_path, monkeypatch):
    monkeypatch.setattr("hilum.training.features.IN_MEMORY", 1)
    train(known(), "run")
    assert not list((tmp_path / "run").rglob("*features*"))


@pytest.mark.parametrize(
    "name, trained, last",
    [
        ("mobilenetv2_100", ",".join(LAYERS_FROM_136), "backbone.blocks.5.1"),
        ("resnet18", "last:1", "backbone.layer3"),
        ("resnet18", "layer4.1,head", "backbone.layer4.0"),
        ("densenet121", "last:1", "backbone.features.denseblock4"),
        ("efficientnet_b0", "last:2", "backbone.blocks.5"),
        ("vit-small-scratch", "last:2", "backbone.blocks.4"),
    ],
)
def test_where_a_network_is_cut(name, trained, last):
    torch.manual_seed(0)
    network = create_model(name, num_classes=2, image_size=64, in_channels=1)
    mark_trained(network)
    set_trained_stages(network, select_stages(network, trained))
    pictures = np.random.default_rng(0).integers(0, 255, (4, 64, 64)).astype(np.uint8)
    examples = _examples(pictures)
    front = find_front(network, (examples,), lambda batch: batch[:, None].float() / 255)
    assert front.names[-1] == last
    network.eval()
    with torch.no_grad():
        expected = network(torch.from_numpy(pictures)[:, None].float() / 255)
        found = front.rest(torch.from_numpy(front.results(examples, None)[0]))
    assert torch.allclose(found, expected, atol=1e-4)


def test_where_parts_do_not_simply_follow_each_other_nothing_is_cut():
    # timm adds the positions between the patches and the blocks
    network = create_model("vit_tiny_patch16_224", num_classes=2, image_size=32, in_channels=1)
    mark_trained(network)
    set_trained_stages(network, select_stages(network, "last:2"))
    examples = _examples(np.zeros((4, 32, 32), np.uint8))
    assert find_front(network, (examples,), lambda batch: batch[:, None].float()) is None


def test_a_front_that_gives_too_much_is_not_kept(monkeypatch, known):
    network = known()
    set_trained_stages(network, select_stages(network, "last:1"))
    examples = _examples(np.zeros((4, 32, 32), np.uint8))
    assert find_front(network, (examples,), lambda batch: batch[:, None].float())
    monkeypatch.setattr("hilum.training.front.MOST", 1)
    assert find_front(network, (examples,), lambda batch: batch[:, None].float()) is None


def _examples(pictures):
    return Examples(pictures, np.arange(len(pictures)) % 2)
