import io
import struct
import time
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image as PillowImage
from PIL import ImageOps

from hilum.images import Limits, read_image


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_keep_order_and_range(ramp, saved, kind):
    image = read_image(saved(ramp, kind))
    assert image.pixels.dtype == np.uint16
    np.testing.assert_array_equal(image.pixels, ramp)
    assert (image.acquisition.bits, image.warnings) == (16, ())


@pytest.mark.parametrize("channels", [3, 4])
def test_sixteen_bit_colour_png_that_is_grey_keeps_every_value(ramp, png_of, channels):
    samples = np.repeat(ramp[..., None], channels, axis=2)
    samples[..., 3:] = 65535
    image = read_image(png_of(samples, 16, 2 if channels == 3 else 6))
    np.testing.assert_array_equal(image.pixels, ramp)
    assert image.warnings == ()


def test_sixteen_bit_grey_png_with_alpha(ramp, png_of):
    opaque = read_image(png_of(np.stack([ramp, np.full_like(ramp, 65535)], axis=2), 16, 4))
    np.testing.assert_array_equal(opaque.pixels, ramp)
    half = read_image(png_of(np.stack([ramp, np.full_like(ramp, 32768)], axis=2), 16, 4))
    assert np.abs(half.pixels.astype(int) - ramp // 2).max() <= 1
    assert half.warnings == ("alpha-flattened",)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_sixteen_bit_colour_tiff_in_every_orientation(ramp, tiff_of, saved, orientation):
    picture = ramp[:100]
    exif = PillowImage.Exif()
    exif[0x0112] = orientation
    with PillowImage.open(io.BytesIO(saved(picture, "PNG", exif=exif))) as stored:
        expected = np.asarray(ImageOps.exif_transpose(stored))
    for photometric, samples in ((2, np.repeat(picture[..., None], 3, axis=2)), (1, picture)):
        image = read_image(tiff_of(samples, photometric=photometric, orientation=orientation))
        np.testing.assert_array_equal(image.pixels, expected)
        assert (image.acquisition.height, image.acquisition.width) == expected.shape
        assert image.warnings == ()


def test_white_is_zero_is_inverted(chest, ramp, tiff_of, saved):
    np.testing.assert_array_equal(read_image(tiff_of(ramp, photometric=0)).pixels, 65535 - ramp)
    eight = saved(chest, "TIFF", tiffinfo={262: 0})
    with PillowImage.open(io.BytesIO(eight)) as picture:
        np.testing.assert_array_equal(read_image(eight).pixels, np.asarray(picture))


@pytest.mark.parametrize(("bits", "largest"), [(8, 255), (10, 1023), (12, 4095), (14, 16383)])
def test_few_bits_in_a_sixteen_bit_file_are_scaled_up(saved, bits, largest):
    values = np.linspace(0, largest, 64 * 64).astype(np.uint16).reshape(64, 64)
    image = read_image(saved(values, "PNG"))
    np.testing.assert_array_equal(image.pixels, values * 2 ** (16 - bits))
    assert (image.warnings, image.acquisition.bits) == (("few-bits",), 16)


def test_values_without_a_range_are_stretched(chest, saved):
    for values in (chest.astype(np.float32) / 7 - 3, chest.astype(np.int32) * 1000 - 50_000):
        image = read_image(saved(values, "TIFF"))
        low, high = int(chest.min()), int(chest.max())
        expected = (chest.astype(float) - low) / (high - low) * 65535
        assert np.abs(image.pixels - expected).max() <= 1
        assert image.warnings == ("range-guessed",)


def test_values_that_are_no_numbers_become_black(chest, saved):
    values = chest.astype(np.float32)
    values[:3], values[3:6], values[6:9] = np.nan, np.inf, -np.inf
    pixels = read_image(saved(values, "TIFF")).pixels
    assert (pixels[:3] == 0).all()
    assert (pixels[3:6] == 65535).all()
    assert (pixels[6:9] == 0).all()


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "GIF", "BMP"])
def test_palettes(chest, saved, kind):
    picture = PillowImage.fromarray(chest // 2).convert("P")
    picture.putpalette([value for level in range(256) for value in [min(2 * level, 255)] * 3])
    image = read_image(saved(picture, kind))
    np.testing.assert_array_equal(image.pixels, chest // 2 * 2)
    assert (image.acquisition.mode, image.warnings) == ("P", ())


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_alpha_is_laid_on_black(chest, saved, mode, kind):
    picture = PillowImage.fromarray(chest).convert(mode)
    np.testing.assert_array_equal(read_image(saved(picture, kind)).pixels, chest)
    alpha = np.full(chest.shape, 255, np.uint8)
    alpha[:, :64], alpha[:, 64:100] = 0, 128
    picture.putalpha(PillowImage.fromarray(alpha))
    image = read_image(saved(picture, kind))
    np.testing.assert_array_equal(image.pixels, chest.astype(int) * alpha // 255)
    assert image.warnings == ("alpha-flattened",)


@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("TIFF", {"compression": "group4"}), ("BMP", {})])
def test_one_bit(chest, saved, kind, options):
    image = read_image(saved(chest > 100, kind, **options))
    np.testing.assert_array_equal(image.pixels, np.where(chest > 100, 255, 0))
    assert (image.acquisition.bits, image.warnings) == (1, ("one-bit",))


def test_inks_in_a_tiff(chest, saved):
    picture = PillowImage.fromarray(chest).convert("RGB").convert("CMYK")
    image = read_image(saved(picture, "TIFF"))
    np.testing.assert_array_equal(image.pixels, chest)


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"])
def test_compressed_tiff(chest, saved, compression):
    image = read_image(saved(chest, "TIFF", compression=compression))
    assert np.abs(image.pixels.astype(int) - chest).max() <= (12 if compression == "jpeg" else 0)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_exif_orientation_is_applied(chest, saved, kind, orientation):
    exif = PillowImage.Exif()
    exif[0x0112] = orientation
    options = {"tiffinfo": {274: orientation}} if kind == "TIFF" else {"exif": exif, "lossless": True}
    data = saved(chest, kind, **options)
    with PillowImage.open(io.BytesIO(saved(chest, "PNG", exif=exif))) as picture:
        expected = np.asarray(ImageOps.exif_transpose(picture))
    image = read_image(data)
    np.testing.assert_array_equal(image.pixels, expected)
    assert image.acquisition.orientation == orientation
    assert (image.acquisition.height, image.acquisition.width) == expected.shape


@pytest.mark.parametrize("kind", ["TIFF", "GIF", "WEBP", "PNG"])
def test_several_frames_need_a_name(chest, saved, code_of, kind):
    frames = [PillowImage.fromarray(picture).convert("RGB") for picture in (chest, chest[::-1], chest[:, ::-1])]
    if kind == "GIF":
        frames = [frame.convert("L") for frame in frames]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = saved(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert code_of(data) == "multi-frame"
    np.testing.assert_array_equal(read_image(data, frame=0).pixels, chest)
    np.testing.assert_array_equal(read_image(data, frame=2).pixels, chest[:, ::-1])
    assert code_of(data, frame=3) == "no-such-frame"
    assert code_of(data, frame=-1) == "no-such-frame"


def test_a_named_frame_of_a_single_picture(chest, saved, code_of):
    for kind in ("PNG", "TIFF", "GIF", "WEBP", "BMP"):
        assert code_of(saved(chest, kind), frame=0) == "ok"
        assert code_of(saved(chest, kind), frame=1) == "no-such-frame"


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "BMP", "GIF"])
def test_truncated_files(chest, saved, code_of, kind):
    noisy = np.clip(chest + np.random.default_rng(0).integers(0, 40, chest.shape), 0, 255).astype(np.uint8)
    data = saved(noisy, kind)
    codes = {code_of(data[: int(len(data) * share)]) for share in (0.3, 0.5, 0.9, 0.99)}
    assert codes <= {"truncated", "corrupt"}
    if kind in ("PNG", "WEBP", "BMP", "GIF"):
        assert codes == {"truncated"}


def test_compressed_tiff_that_is_cut_off_before_its_last_strip(chest, saved, code_of):
    data = bytearray(saved(chest, "TIFF", compression="tiff_lzw"))
    strip = data.index((279).to_bytes(2, "little")) + 8  # the value of StripByteCounts
    data[strip : strip + 4] = (10**6).to_bytes(4, "little")
    assert code_of(bytes(data)) == "truncated"


def test_a_wrong_checksum_is_found(chest, saved, code_of):
    data = bytearray(saved(chest, "PNG"))
    data[data.index(b"IDAT") + 300] ^= 1
    assert code_of(bytes(data)) == "corrupt"


def test_sizes_are_checked_before_anything_is_opened(png_of, chest, code_of, saved):
    assert code_of(png_of(chest[:1], 8, 0, size=(50_000, 50_000))) == "too-many-pixels"
    limits = Limits(pixels=96 * 128 - 1)
    for kind in ("WEBP", "TIFF", "GIF", "BMP"):
        assert code_of(saved(chest, kind), limits=limits) == "too-many-pixels"
    for options in ({"lossless": True}, {"lossless": False}, {"exif": b"Exif\0\0II*\0"}):
        assert code_of(saved(chest, "WEBP", **options), limits=limits) == "too-many-pixels"
        assert code_of(saved(chest, "WEBP", **options), limits=Limits(pixels=96 * 128)) == "ok"


def test_tinted_sixteen_bits(ramp, png_of):
    samples = np.stack([ramp // 4 * 3, ramp, ramp], axis=2)
    image = read_image(png_of(samples, 16, 2))
    assert image.pixels.dtype == np.uint16
    expected = cv2.cvtColor(samples, cv2.COLOR_RGB2GRAY)
    np.testing.assert_array_equal(image.pixels, expected)
    assert image.warnings == ("colour-discarded",)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "F", "I;16"])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_memory_is_reckoned_from_the_header(chest, saved, code_of, mode, kind):
    if (mode, kind) == ("F", "PNG"):
        pytest.skip("no such PNG")
    picture = PillowImage.fromarray(chest).convert("RGB").convert(mode) if mode != "I;16" else chest.astype(np.uint16)
    data = saved(picture, kind)
    assert code_of(data, limits=Limits(memory_bytes=101_000_000)) == "ok"
    assert code_of(data, limits=Limits(memory_bytes=100_000_000 + 96 * 128 * 2)) == "memory"


def test_a_webp_is_reckoned_before_it_is_opened(chest, saved, code_of):
    assert code_of(saved(chest, "WEBP"), limits=Limits(memory_bytes=100_100_000)) == "memory"


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_tiff_with_a_list_of_millions(code_of, order):
    entries = [(256, 4, 1, 64), (257, 4, 1, 64), (273, 4, 5_000_000, 62), (279, 4, 5_000_000, 62)]
    table = b"".join(struct.pack(f"{order}HHII", *entry) for entry in entries)
    start = {"<": b"II*\0", ">": b"MM\0*"}[order]
    data = start + struct.pack(f"{order}IH", 8, len(entries)) + table + bytes(4) + bytes(20_000_100)
    assert code_of(data) == "corrupt"


def test_compressed_texts_and_profiles_are_not_inflated_without_bound(png_of, chest, code_of):
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    good = png_of(chest, 8, 0)
    bomb = zlib.compress(bytes(100_000_000), 9)
    for kind in (b"zTXt", b"iCCP"):
        start = time.perf_counter()
        assert code_of(good[:33] + chunk(kind, b"k\0\0" + bomb) + good[33:]) in ("ok", "corrupt")
        assert time.perf_counter() - start < 2
