import numpy as np
import pytest
import torch

from hilum.errors import RecipeError
from hilum.inference import embed_images, predict_logits
from hilum.models import create_model
from hilum.transforms import Preprocessing

PREPROCESSING = Preprocessing(image_size=64, normalisation="half", channels=1)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def model():
    return create_model("cnn-tiny", num_classes=3, in_channels=1, image_size=64, dropout=0.5)


@pytest.fixture(scope="module")
def canvases():
    return np.random.default_rng(0).integers(0, 256, (7, 64, 64), dtype=np.uint8)


def by_hand(model, canvases, of=lambda model, image: model(image)):
    """One image at a time, normalised in numpy."""
    was, rows = model.training, []
    model.eval()
    for canvas in canvases:
        image = torch.from_numpy((canvas.astype(np.float32) / 255 - 0.5) / 0.5)[None, None]
        with torch.no_grad():
            rows.append(of(model, image)[0].numpy())
    model.train(was)
    return np.stack(rows)


@pytest.mark.parametrize("batch_size", [1, 3, 7, 64])
def test_logits_are_those_of_one_image_at_a_time(model, canvases, batch_size):
    logits = predict_logits(model, canvases, PREPROCESSING, batch_size=batch_size)
    assert logits.dtype == np.float32 and logits.shape == (7, 3)
    np.testing.assert_allclose(logits, by_hand(model, canvases), atol=1e-5)


def test_views_average_probabilities(model, canvases):
    def softmax(logits):
        return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)

    logits = predict_logits(model, canvases, PREPROCESSING, views=("plain", "flip"))
    expected = (softmax(by_hand(model, canvases)) + softmax(by_hand(model, canvases[:, :, ::-1]))) / 2
    np.testing.assert_allclose(np.exp(logits), expected, atol=1e-6)
    flipped_twice = predict_logits(model, canvases[:, :, ::-1], PREPROCESSING, views=("flip",))
    np.testing.assert_allclose(flipped_twice, by_hand(model, canvases), atol=1e-5)


def test_embeddings_are_what_enters_the_head(model, canvases):
    embeddings = embed_images(model, canvases, PREPROCESSING, batch_size=2)
    assert embeddings.dtype == np.float32 and embeddings.shape == (7, model.embedding_dim)
    expected = by_hand(model, canvases, lambda network, image: network.embed(image))
    np.testing.assert_allclose(embeddings, expected, atol=1e-5)


@pytest.mark.parametrize("kind", ["list", "memory map", "sliceable"])
def test_canvases_may_be_anything_that_takes_a_slice(model, canvases, kind, tmp_path):
    class Sliceable:
        def __len__(self):
            return len(canvases)

        def __getitem__(self, positions):
            return canvases[positions]

    np.save(tmp_path / "canvases.npy", canvases)
    given = {
        "list": list(canvases),
        "memory map": np.load(tmp_path / "canvases.npy", mmap_mode="r"),
        "sliceable": Sliceable(),
    }[kind]
    np.testing.assert_array_equal(
        predict_logits(model, given, PREPROCESSING, batch_size=3),
        predict_logits(model, canvases, PREPROCESSING, batch_size=3),
    )


def test_no_images_no_rows(model, canvases):
    assert predict_logits(model, canvases[:0], PREPROCESSING).shape == (0, 3)
    assert embed_images(model, [], PREPROCESSING).shape == (0, model.embedding_dim)


def test_every_module_is_left_in_the_mode_it_was_in(model, canvases):
    model.train()
    model.backbone.stem.eval()
    modes = [module.training for module in model.modules()]
    state = {name: each.clone() for name, each in model.state_dict().items()}
    predict_logits(model, canvases, PREPROCESSING)
    with pytest.raises(RecipeError):
        predict_logits(model, canvases[:, :50], PREPROCESSING)
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(each, state[name]) for name, each in model.state_dict().items())


def test_progress_counts_images(model, canvases):
    counts = []
    predict_logits(model, canvases, PREPROCESSING, batch_size=3, on_batch=counts.append)
    assert counts == [3, 3, 1]


def test_bfloat16_is_near_and_not_the_same(model, canvases):
    exact = predict_logits(model, canvases, PREPROCESSING)
    rough = predict_logits(model, canvases, PREPROCESSING, precision="bf16")
    assert rough.dtype == np.float32 and not np.array_equal(rough, exact)
    np.testing.assert_allclose(rough, exact, atol=0.1)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"views": ("plain", "upside-down")}, "upside-down"),
        ({"views": ()}, "tta"),
        ({"precision": "16"}, "precision"),
    ],
)
def test_unknown_names_are_refused(model, canvases, wrong, message):
    with pytest.raises(RecipeError, match=message):
        predict_logits(model, canvases, PREPROCESSING, **wrong)


def test_preprocessing_must_fit_model_and_canvases(model, canvases):
    with pytest.raises(RecipeError, match="channels: expected 1, as cnn-tiny has, found 3"):
        predict_logits(model, canvases, Preprocessing(image_size=64, channels=3))
    with pytest.raises(RecipeError, match=r"expected 96 x 96 pixels, found \[64, 64\]"):
        predict_logits(model, canvases, Preprocessing(image_size=96, channels=1))
