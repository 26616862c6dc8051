import cv2
import numpy as np
import pytest
from sklearn.datasets import load_sample_images

from hilum.images import read_image
from hilum.images.colour import to_grey


@pytest.fixture(scope="module")
def grey(chest) -> np.ndarray:
    """A larger grey picture with noise as RGB, `[384, 512, 3]` uint8."""
    large = cv2.resize(chest, (512, 384)).astype(np.float64)
    large += np.random.default_rng(0).normal(0, 8, large.shape)
    return np.repeat(large.clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)


def _tinted(grey: np.ndarray, kind: str) -> np.ndarray:
    if kind == "film":
        return (grey * (0.8, 0.92, 1.0)).astype(np.uint8)
    if kind == "sepia":
        return np.clip(grey * (1.35, 1.2, 0.94) * 0.8, 0, 255).astype(np.uint8)
    if kind == "lamp":
        across = np.linspace(0, 1, grey.shape[1])[None, :, None]
        return np.clip(grey * 0.8 + across * (40, 0, 0) + (1 - across) * (0, 0, 40), 0, 255).astype(np.uint8)
    marked = grey.copy()
    cv2.arrowedLine(marked, (100, 100), (250, 220), (255, 0, 0), 6)
    cv2.rectangle(marked, (300, 100), (460, 300), (0, 255, 0), 5)
    cv2.putText(marked, "R", (20, 70), cv2.FONT_HERSHEY_DUPLEX, 2, (255, 255, 0), 4)
    return marked


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("tint", ["film", "sepia", "lamp", "arrows"])
def test_tints_and_drawings_are_kept_as_brightness_with_a_warning(grey, saved, kind, tint):
    picture = _tinted(grey, tint)
    image = read_image(saved(picture, kind, **({"quality": 95} if kind == "JPEG" else {})))
    assert image.warnings == ("colour-discarded",)
    luma = picture @ (0.299, 0.587, 0.114)
    assert np.abs(image.pixels - luma).mean() < (3 if kind == "JPEG" else 0.6)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_equal_channels_and_chroma_noise_are_grey_silently(grey, saved, kind):
    assert read_image(saved(grey, kind)).warnings == ()
    noise = np.random.default_rng(1).normal(0, 5, grey.shape)
    assert read_image(saved(np.clip(grey + noise, 0, 255).astype(np.uint8), kind)).warnings == ()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("number", [0, 1])
def test_colour_photographs_are_rejected(saved, code_of, kind, number):
    assert code_of(saved(load_sample_images().images[number], kind)) == "colour"


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_colour_maps_are_rejected(grey, saved, code_of, kind):
    jet = cv2.cvtColor(cv2.applyColorMap(grey[..., 0], cv2.COLORMAP_JET), cv2.COLOR_BGR2RGB)
    assert code_of(saved(jet, kind)) == "colour"


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_equal_channels_keep_their_exact_value(dtype):
    every = np.arange(np.iinfo(dtype).max + 1, dtype=dtype).reshape(-1, 16)
    np.testing.assert_array_equal(to_grey(np.repeat(every[..., None], 3, axis=2)), every)
