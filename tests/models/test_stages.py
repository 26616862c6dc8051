import pytest
import torch
from torch import nn

from hilum.errors import RecipeError
from hilum.models import create_model
from hilum.models.stages import mark_trained, param_groups, select_stages, set_trained_stages, stage_table


@pytest.fixture
def model(snapshots):
    """A small ResNet with weights, 3 classes."""
    return create_model(
        "test_resnet", num_classes=3, in_channels=1, image_size=64, weights="imagenet", weights_dir=snapshots
    )


def trained(model):
    return {row["name"] for row in stage_table(model) if row["trained"]}


@pytest.mark.parametrize(
    ("selection", "names"),
    [
        ("all", ("stem", "layer1", "layer2", "layer3", "layer4", "head")),
        ("head", ("head",)),
        ("last:0", ("head",)),
        ("last:2", ("layer3", "layer4", "head")),
        ("last:5", ("stem", "layer1", "layer2", "layer3", "layer4", "head")),
        ("layer4.0, head", ("layer4.0", "head")),
    ],
)
def test_a_recipes_words_mean_these_stages(model, selection, names):
    assert select_stages(model, selection) == names


@pytest.mark.parametrize("selection", ["last:6", "last:-1", "last:x", "layr4", "", "backbone"])
def test_words_that_mean_nothing_are_refused(model, selection):
    with pytest.raises(RecipeError):
        select_stages(model, selection)


def test_a_typo_in_a_stage_is_answered_with_the_nearest(model):
    with pytest.raises(RecipeError, match="Did you mean layer4"):
        select_stages(model, "layr4")


def test_frozen_stages_do_not_change_and_trained_ones_do(model):
    set_trained_stages(model, select_stages(model, "last:1"))
    before = {name: each.clone() for name, each in model.state_dict().items()}
    model.train()
    optimiser = torch.optim.SGD(param_groups(model, lr=0.1), lr=0.1)
    nn.functional.cross_entropy(model(torch.randn(4, 1, 64, 64)), torch.tensor([0, 1, 2, 0])).backward()
    optimiser.step()
    changed = {name for name, each in model.state_dict().items() if not torch.equal(each, before[name])}
    assert any(name.startswith("backbone.layer4") and name.endswith("running_mean") for name in changed)
    assert any(name.startswith("head") for name in changed)
    assert {name.split(".")[1] for name in changed if name.startswith("backbone")} == {"layer4"}


def test_frozen_batch_norm_stays_in_evaluation_mode_through_train(model):
    set_trained_stages(model, ("layer4", "head"))
    nn.Sequential(model).train()  # as a training loop calls it: from outside
    modes = {name: each.training for name, each in model.backbone.named_modules() if isinstance(each, nn.BatchNorm2d)}
    assert {name.split(".")[0] for name, training in modes.items() if training} == {"layer4"}
    set_trained_stages(model, select_stages(model, "all"))
    assert all(each.training for each in model.modules())


def test_a_border_inside_a_stage(model):
    set_trained_stages(model, ("layer4.0.bn2", "head"))
    model.train()
    names = {name for name, each in model.backbone.named_parameters() if each.requires_grad}
    assert names == {"layer4.0.bn2.weight", "layer4.0.bn2.bias"}
    assert model.backbone.layer4[0].bn2.training and not model.backbone.layer4[0].bn1.training
    row = next(row for row in stage_table(model) if row["name"] == "layer4")
    assert row["trained"] and row["trained_parameters"] == 2 * model.backbone.layer4[0].bn2.num_features


def test_a_random_parameter_cannot_be_frozen():
    scratch = create_model("cnn-tiny", num_classes=3, in_channels=1, image_size=64)
    with pytest.raises(RecipeError, match=r"backbone\.stem\.0\.weight.*frozen at random.*Train the stage stem"):
        set_trained_stages(scratch, ("head",))
    set_trained_stages(scratch, ("head",), allow={"frozen-random"})
    assert trained(scratch) == {"head"}


def test_the_fresh_head_of_a_pretrained_network_cannot_be_frozen(model):
    assert model.fresh == {"head.0.weight", "head.0.bias"}
    with pytest.raises(RecipeError, match=r"head\.0\.weight"):
        set_trained_stages(model, ("layer4",))


def test_what_was_trained_may_be_frozen_in_a_later_phase():
    scratch = create_model("cnn-tiny", num_classes=3, in_channels=1, image_size=64)
    set_trained_stages(scratch, select_stages(scratch, "all"))
    mark_trained(scratch)
    set_trained_stages(scratch, ("head",))
    assert trained(scratch) == {"head"}


def test_nothing_to_train_is_refused(model):
    with pytest.raises(RecipeError, match="at least one"):
        set_trained_stages(model, ())


def test_the_table_counts_every_parameter(model):
    assert sum(row["parameters"] for row in stage_table(model)) == sum(each.numel() for each in model.parameters())


def test_groups_hold_what_is_trained_and_spare_norms_and_biases(model):
    set_trained_stages(model, ("layer3", "layer4", "head"))
    groups = {group["name"]: group for group in param_groups(model, lr=1.0, backbone_lr_scale=0.1, weight_decay=0.05)}
    assert {name: (group["lr"], group["weight_decay"]) for name, group in groups.items()} == {
        "backbone": (0.1, 0.05),
        "backbone-no-decay": (0.1, 0.0),
        "head": (1.0, 0.05),
        "head-no-decay": (1.0, 0.0),
    }
    held = [id(each) for group in groups.values() for each in group["params"]]
    assert sorted(held) == sorted(id(each) for each in model.parameters() if each.requires_grad)
    assert all(each.ndim > 1 for each in groups["backbone"]["params"])
    assert all(each.ndim == 1 for each in groups["backbone-no-decay"]["params"])


def test_layer_decay_slows_each_stage_once_more_towards_the_picture(model):
    groups = param_groups(model, lr=1.0, backbone_lr_scale=0.5, weight_decay=0.05, layer_decay=0.8)
    rates = {group["name"].removesuffix("-no-decay"): group["lr"] for group in groups}
    stages = [name for name in model.stages if name != "head"]
    assert [rates[name] for name in stages] == pytest.approx([0.5 * 0.8**n for n in range(len(stages))][::-1])
    assert rates["head"] == 1.0
    held = [id(each) for group in groups for each in group["params"]]
    assert sorted(held) == sorted(id(each) for each in model.parameters())
