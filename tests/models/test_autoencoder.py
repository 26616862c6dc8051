import pytest
import torch

from hilum.data.phantom import draw_dataset
from hilum.errors import ModelFileError, RecipeError
from hilum.models import create_autoencoder, create_model, list_models, load_autoencoder, load_model, save_model
from hilum.models.autoencoder import reconstruction_error

ABOUT = {"labels": [], "preprocessing": {"image_size": 32}, "recipe": {}, "fingerprint": "abc"}


def tiny(**arguments):
    return create_autoencoder(**{"image_size": 32, "widths": (8, 16), "latent_dim": 8, **arguments})


@pytest.mark.parametrize("in_channels", [1, 3])
@pytest.mark.parametrize(("size", "widths"), [(32, (4,)), (64, (4, 8, 8)), (128, (16, 32, 64, 128))])
def test_an_image_becomes_latent_numbers_and_an_image_again(in_channels, size, widths):
    model = create_autoencoder(image_size=size, in_channels=in_channels, widths=widths, latent_dim=5).eval()
    image = torch.rand(2, in_channels, size, size)
    latent = model.embed(image)
    assert latent.shape == (2, 5) and model.embedding_dim == 5
    assert torch.equal(model.decoder(latent), model(image)) and model(image).shape == image.shape
    assert model(image).min() >= 0 and model(image).max() <= 1


def test_the_registry_states_its_parameters():
    row = next(row for row in list_models() if row["name"] == "autoencoder")
    model = create_autoencoder(image_size=row["image_size"], in_channels=row["in_channels"])
    assert sum(each.numel() for each in model.parameters()) == row["parameters"]


def test_the_error_is_the_mean_squared_difference_of_an_image():
    image, drawn = torch.rand(3, 1, 4, 4), torch.rand(3, 1, 4, 4)
    expected = [torch.nn.functional.mse_loss(drawn[each], image[each]).item() for each in range(3)]
    assert reconstruction_error(drawn, image).tolist() == pytest.approx(expected)


def test_it_learns_to_draw_x_rays_again():
    dataset = draw_dataset(images=8, classes=["normal"], size=32, images_per_patient=1, seed=1)
    canvases = [torch.from_numpy(dataset[index].intensity) for index in range(8)]
    image = torch.stack(
        [torch.nn.functional.pad(each, (0, 32 - each.shape[1], 0, 32 - each.shape[0])) for each in canvases]
    )
    image, model = image[:, None], tiny().train()
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(60):
        optimiser.zero_grad()
        error = reconstruction_error(model(image), image).mean()
        error.backward()
        optimiser.step()
    spread = (image - image.mean(dim=0)).square().mean()
    assert error < 0.25 * spread, "no better than the mean picture"


def test_a_model_file_brings_it_back(tmp_path):
    model, path = tiny().eval(), tmp_path / "autoencoder.safetensors"
    save_model(path, model, **ABOUT, extras={"threshold": 0.01})
    again, header = load_autoencoder(path)
    image = torch.rand(2, 1, 32, 32)
    assert torch.equal(again(image), model(image)) and again.architecture == model.architecture
    assert header.extras == {"threshold": 0.01} and header.labels == () and not again.training


def test_a_classifier_is_not_taken_for_one_nor_the_other_way_round(tmp_path):
    save_model(tmp_path / "a.safetensors", tiny(), **ABOUT)
    with pytest.raises(ModelFileError, match=r"model autoencoder: expected a classifier.*load_autoencoder"):
        load_model(tmp_path / "a.safetensors")
    classifier = create_model("cnn-tiny", num_classes=2, in_channels=1, image_size=64)
    save_model(tmp_path / "c.safetensors", classifier, **{**ABOUT, "labels": ["a", "b"]})
    with pytest.raises(ModelFileError, match="model cnn-tiny: expected an autoencoder"):
        load_autoencoder(tmp_path / "c.safetensors")


def test_its_parameters_depend_on_the_seed_alone():
    torch.manual_seed(3)
    state, first = torch.get_rng_state(), tiny(seed=1).state_dict()
    assert torch.equal(state, torch.get_rng_state())
    torch.manual_seed(4)
    assert all(torch.equal(first[name], each) for name, each in tiny(seed=1).state_dict().items())
    assert not torch.equal(first["encoder.latent.weight"], tiny(seed=2).encoder.latent.weight)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"image_size": 30}, "a multiple of 4 from 16 to 2048 pixels, found 30"),
        ({"image_size": 8}, "found 8"),
        ({"in_channels": 2}, "1 or 3, found 2"),
        ({"widths": ()}, "widths of at least 1"),
        ({"widths": (0,)}, "widths of at least 1"),
        ({"latent_dim": 0}, "at least 1, found 0"),
    ],
)
def test_numbers_out_of_range_are_refused(wrong, words):
    with pytest.raises(RecipeError, match=words):
        tiny(**wrong)
