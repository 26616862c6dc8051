import numpy as np
import pytest
from PIL import Image as PillowImage

from hilum.errors import UsageError
from hilum.images import read_image, to_jpeg, to_png


def test_png_loses_nothing(chest, ramp):
    for pixels in (chest, ramp, chest[::-1, ::2]):
        image = read_image(to_png(pixels))
        np.testing.assert_array_equal(image.pixels, pixels)
        assert image.pixels.dtype == pixels.dtype


def test_colours_come_in_the_order_red_green_blue(tmp_path):
    red = np.zeros((40, 40, 3), np.uint8)
    red[..., 0] = 200
    for data, tolerance in ((to_png(red), 0), (to_jpeg(red, 95), 6)):
        (tmp_path / "x").write_bytes(data)
        with PillowImage.open(tmp_path / "x") as picture:
            assert np.abs(np.asarray(picture.convert("RGB")).astype(int) - red).max() <= tolerance


def test_jpeg_quality(chest, ramp):
    sizes = [len(to_jpeg(chest, quality)) for quality in (20, 60, 95)]
    assert sizes == sorted(sizes)
    assert np.abs(read_image(to_jpeg(chest, 95)).pixels.astype(int) - chest).max() <= 5
    assert np.abs(read_image(to_jpeg(ramp, 95)).pixels.astype(int) - (ramp >> 8)).max() <= 5


@pytest.mark.parametrize("pixels", [np.zeros((4, 4)), np.zeros((0, 4), np.uint8), np.zeros((4, 4, 2), np.uint8)])
def test_what_is_no_picture(pixels):
    with pytest.raises(UsageError, match=r"picture to encode: expected \[H, W\]"):
        to_png(pixels)
