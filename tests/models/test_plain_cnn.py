import pytest
import torch
from torch import nn

from hilum.errors import RecipeError
from hilum.models import create_model
from hilum.models.plain_cnn import Conv, build_plain_cnn

POOL = nn.MaxPool2d(3, stride=2, padding=1)


def parameters(network):
    return sum(each.numel() for each in network.parameters())


def dropouts(network):
    return [each.p for each in network.modules() if isinstance(each, nn.Dropout)]


def simple_blocks():
    return [
        *(nn.Conv2d(1, 64, 7, stride=2, padding=3), nn.BatchNorm2d(64), nn.ReLU(), POOL),
        *(nn.Conv2d(64, 128, 5, padding=2), nn.BatchNorm2d(128), nn.ReLU(), POOL),
    ]


def small_blocks():
    return [
        *simple_blocks(),
        *(nn.Conv2d(128, 256, 3, padding=1), nn.BatchNorm2d(256), nn.ReLU(), POOL),
        *(nn.Conv2d(256, 512, 3, padding=1), nn.BatchNorm2d(512), nn.ReLU(), POOL),
    ]


def simple_cnn(side):
    flat = 128 * side * side
    return [*simple_blocks(), nn.Flatten(), nn.Linear(flat, 1024), nn.ReLU(), nn.Linear(1024, 512), nn.ReLU()], 512


def simple_cnn_small(side):
    return [*small_blocks(), nn.Flatten(), nn.Linear(512 * side * side, 256), nn.ReLU()], 256


def vanilla(side):
    convolutions = [
        *(nn.Conv2d(3, 32, 5), nn.ReLU(), nn.MaxPool2d(3), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(64, 128, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(128, 128, 3), nn.ReLU(), nn.MaxPool2d(2)),
    ]
    return [*convolutions, nn.Flatten(), nn.Linear(128 * side * side, 128), nn.ReLU()], 128


def two(side):
    convolutions = [nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU()]
    return [*convolutions, nn.MaxPool2d(2), nn.Flatten(), nn.Linear(32 * side * side, 64), nn.ReLU()], 64


def five(side):
    layers = []
    for before, after in ((3, 16), (16, 32), (32, 64), (64, 128), (128, 128)):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    return [
        *layers,
        *(nn.Flatten(), nn.Linear(128 * side * side, 256), nn.ReLU(), nn.Dropout(0.5), nn.Linear(256, 64), nn.ReLU()),
    ], 64


# name -> its description, channels, image size of a test, side after the last pool, outputs, dropout
WRITTEN_OUT = {
    "simplecnn": (simple_cnn, 1, 32, 4, 3, 0.0),
    "simplecnn-small": (simple_cnn_small, 1, 64, 2, 3, 0.0),
    "vanilla-cnn": (vanilla, 3, 110, 2, 1, 0.2),
    "cnn-2conv": (two, 3, 16, 8, 3, 0.0),
    "cnn-5conv": (five, 3, 64, 2, 3, 0.5),
}


@pytest.mark.parametrize("name", WRITTEN_OUT)
def test_a_network_does_what_its_description_does(name):
    describe, channels, size, side, outputs, dropout = WRITTEN_OUT[name]
    output = "sigmoid" if outputs == 1 else "softmax"
    given = {"num_classes": max(outputs, 2), "in_channels": channels, "image_size": size}
    ours = create_model(name, **given, output=output, dropout=dropout).eval()
    layers, width = describe(side)
    theirs = nn.Sequential(*layers, *([nn.Dropout(dropout)] if dropout else []), nn.Linear(width, outputs)).eval()
    state = zip(theirs.state_dict(), ours.state_dict().values(), strict=True)
    theirs.load_state_dict(dict(state))
    image = torch.randn(2, channels, size, size)
    with torch.inference_mode():
        torch.testing.assert_close(ours(image)[:, -outputs:], theirs(image))
    assert parameters(ours) == parameters(theirs)
    assert dropouts(ours) == dropouts(theirs)


@pytest.mark.parametrize(("name", "smallest"), [("vanilla-cnn", 70), ("cnn-5conv", 32)])
def test_an_image_that_the_poolings_use_up_is_refused_with_the_smallest_that_fits(name, smallest):
    create_model(name, num_classes=2, image_size=smallest)
    with pytest.raises(RecipeError, match=f"at least {smallest} pixels, found {smallest - 1}"):
        create_model(name, num_classes=2, image_size=smallest - 1)


def test_the_side_is_what_torch_makes_of_it():
    for conv in (Conv(4, 7, 2, 3, pool=(3, 2, 1)), Conv(4, 5, pool=(3, 3, 0)), Conv(4, 3, padding=1)):
        for side in range(12, 40):
            backbone = build_plain_cnn(in_channels=1, image_size=side, convs=[conv], widths=(2,))
            assert backbone.module.blocks(torch.zeros(1, 1, side, side)).shape[-1] == conv.side(side)


@pytest.mark.parametrize("name", ["cnn-5conv", "vanilla-cnn", "simplecnn-small"])
def test_different_images_start_with_different_answers(name):
    """A deep network whose outputs hardly depend on the image at the start may never leave the majority class."""
    model = create_model(name, num_classes=2, in_channels=1, image_size=128)
    image = torch.rand(8, 1, 128, 128) * torch.rand(8, 1, 1, 1) * 2 - 1
    embedding = model.embed(image)
    assert embedding.std(dim=0).norm() > 0.05 * embedding.norm(dim=1).mean()
    assert (embedding > 0).any(dim=1).all()


def test_one_step_of_the_largest_trains_every_stage():
    """SimpleCNN with 134 million parameters at 256 pixels, narrower here: a step at 64 pixels."""
    model = create_model("simplecnn", num_classes=3, in_channels=1, image_size=64)
    nn.functional.cross_entropy(model(torch.randn(2, 1, 64, 64)), torch.tensor([0, 2])).backward()
    assert all(each.grad.abs().sum() > 0 for each in model.parameters() if each.ndim > 1)
