import copy

import pytest
import torch
from torch import nn

from hilum.errors import RecipeError
from hilum.models import create_model


def tiny(**arguments):
    return create_model("cnn-tiny", **{"num_classes": 3, "in_channels": 1, "image_size": 64, **arguments})


def test_without_hidden_layers_dropout_acts_on_the_embedding():
    assert [type(layer) for layer in tiny(dropout=0.5).head] == [nn.Dropout, nn.Linear]
    assert [type(layer) for layer in tiny().head] == [nn.Linear]


def test_hidden_layers_are_linear_relu_dropout():
    head = tiny(hidden=(8, 5), dropout=0.3).head
    assert [type(layer) for layer in head] == [
        nn.Linear,
        nn.ReLU,
        nn.Dropout,
        nn.Linear,
        nn.ReLU,
        nn.Dropout,
        nn.Linear,
    ]
    assert [layer.out_features for layer in head if isinstance(layer, nn.Linear)] == [8, 5, 3]
    assert head[2].p == 0.3


def test_stages_run_from_input_to_head_and_hold_every_parameter_once():
    model = tiny()
    assert list(model.stages) == ["stem", "blocks.0", "blocks.1", "blocks.2", "head"]
    held = [id(each) for stage in model.stages.values() for each in stage.parameters()]
    assert sorted(held) == sorted(id(each) for each in model.parameters())


def test_a_stage_gives_the_module_where_a_heat_map_hooks_in():
    model, seen = tiny().eval(), []
    model.stages["blocks.2"].output.register_forward_hook(lambda module, inputs, output: seen.append(output))
    embedding = model.embed(torch.randn(2, 1, 64, 64))
    torch.testing.assert_close(seen[0].mean(dim=(2, 3)), embedding)


def test_a_copy_has_stages_of_its_own():
    model = tiny()
    twin = copy.deepcopy(model)
    nn.init.zeros_(next(twin.stages["stem"].parameters()))
    assert next(model.stages["stem"].parameters()).abs().sum() > 0
    assert {id(each) for each in twin.parameters()} == {
        id(each) for stage in twin.stages.values() for each in stage.parameters()
    }


def test_stages_are_no_second_copy_in_the_state():
    assert {name.partition(".")[0] for name in tiny().state_dict()} == {"backbone", "head"}


def test_it_can_memorise_a_few_images_and_its_first_guess_is_undecided():
    torch.manual_seed(0)
    model = tiny()
    images, target = torch.randn(6, 1, 64, 64), torch.tensor([0, 1, 2, 0, 1, 2])
    assert model.eval()(images).softmax(1).amax() < 0.9
    model.train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(25):
        optimiser.zero_grad()
        loss = nn.functional.cross_entropy(model(images), target)
        loss.backward()
        optimiser.step()
    assert loss < 0.1


class TestSingleOutput:
    """One sigmoid output z, served as the logits (0, z)."""

    def test_it_has_one_output_and_gives_two_logits(self):
        model, image = tiny(num_classes=2, output="sigmoid", hidden=(5,)), torch.randn(4, 1, 64, 64)
        assert model.head[-1].out_features == 1
        z = model.head[-1](model.last_hidden(image))[:, 0]
        logits = model(image)
        assert torch.equal(logits[:, 0], torch.zeros(4)) and torch.equal(logits[:, 1], z)
        torch.testing.assert_close(logits.softmax(dim=1)[:, 1], z.sigmoid())

    def test_cross_entropy_on_it_is_binary_cross_entropy(self):
        model, image, target = (
            tiny(num_classes=2, output="sigmoid"),
            torch.randn(4, 1, 64, 64),
            torch.tensor([0, 1, 1, 0]),
        )
        logits = model.eval()(image)
        ours, theirs = (
            nn.functional.cross_entropy(logits, target),
            nn.functional.binary_cross_entropy_with_logits(logits[:, 1], target.float()),
        )
        weight = model.head[-1].weight
        torch.testing.assert_close(ours, theirs)
        torch.testing.assert_close(
            *(torch.autograd.grad(loss, weight, retain_graph=True)[0] for loss in (ours, theirs))
        )

    def test_it_is_for_two_classes(self):
        with pytest.raises(RecipeError, match=r"model\.output sigmoid: expected 2 classes.*found 3"):
            tiny(num_classes=3, output="sigmoid")


def test_the_last_hidden_layer_is_what_enters_the_last_linear_layer():
    model, image = tiny(hidden=(8, 5), dropout=0.3).eval(), torch.randn(2, 1, 64, 64)
    torch.testing.assert_close(model.head[-1](model.last_hidden(image)), model(image))
    assert model.last_hidden(image).shape == (2, 5)
    assert torch.equal(tiny().eval().last_hidden(image), tiny().eval().embed(image))
