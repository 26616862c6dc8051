import io

import cv2
import numpy as np
import pytest
from PIL import Image as PillowImage
from PIL import ImageOps

from hilum.images import Limits, read_image


def _rgb(grey: np.ndarray) -> np.ndarray:
    return np.repeat(grey[..., None], 3, axis=2)


@pytest.mark.parametrize("as_rgb", [False, True])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"quality": 30, "subsampling": 0}])
def test_grey_values_are_those_of_a_second_decoder(chest, saved, as_rgb, options):
    data = saved(_rgb(chest) if as_rgb else chest, "JPEG", **options)
    image = read_image(data)
    expected = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    np.testing.assert_allclose(image.pixels.astype(int), expected, atol=1)
    assert (image.acquisition.mode, image.warnings) == ("RGB" if as_rgb else "L", ())


def test_channels_stored_as_red_green_blue(chest, saved):
    image = read_image(saved(_rgb(chest), "JPEG", quality=95, keep_rgb=True))
    assert np.abs(image.pixels.astype(int) - chest).max() <= 3
    assert image.warnings == ()


def test_inks_that_are_grey_in_truth(chest, saved):
    image = read_image(saved(PillowImage.fromarray(chest).convert("RGB").convert("CMYK"), "JPEG", quality=95))
    assert np.abs(image.pixels.astype(int) - chest).max() <= 3
    assert (image.acquisition.mode, image.warnings) == ("CMYK", ())


@pytest.mark.parametrize("size", [(96, 128), (97, 131), (128, 96), (257, 301)])
@pytest.mark.parametrize("wanted", [1, 12, 13, 31, 48, 49, 96, 500])
def test_reduced_decode_keeps_the_shorter_side(chest, saved, size, wanted):
    picture = cv2.resize(chest, size[::-1])
    image = read_image(saved(picture, "JPEG"), shorter_side=wanted)
    stored = min(size)
    possible = [-(-stored // scale) for scale in (1, 2, 4, 8)]
    expected = min((side for side in possible if side >= wanted), default=stored)
    assert min(image.pixels.shape) == expected
    assert (image.acquisition.height, image.acquisition.width) == size


def test_reduced_decode_is_the_averaged_picture(chest, saved):
    picture = cv2.resize(chest, (512, 384), interpolation=cv2.INTER_CUBIC)
    reduced = read_image(saved(picture, "JPEG", quality=95), shorter_side=96).pixels
    averaged = picture.reshape(96, 4, 128, 4).mean(axis=(1, 3))
    assert reduced.shape == averaged.shape
    assert np.abs(reduced - averaged).mean() < 1


@pytest.mark.parametrize("quality", [20, 75, 98])
def test_quantisation_is_the_sum_of_the_luminance_table(chest, saved, quality):
    data = saved(_rgb(chest), "JPEG", quality=quality)
    with PillowImage.open(io.BytesIO(data)) as picture:
        assert read_image(data).acquisition.quantisation == sum(picture.quantization[0])


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("shorter_side", [None, 24])
def test_exif_orientation_is_applied(chest, saved, orientation, shorter_side):
    exif = PillowImage.Exif()
    exif[0x0112] = orientation
    data = saved(chest, "JPEG", quality=95, exif=exif)
    image = read_image(data, shorter_side=shorter_side)
    with PillowImage.open(io.BytesIO(data)) as picture:
        upright = np.asarray(ImageOps.exif_transpose(picture))
    assert (image.acquisition.height, image.acquisition.width) == upright.shape
    assert image.acquisition.orientation == orientation
    expected = upright if shorter_side is None else cv2.resize(upright, image.pixels.shape[::-1], interpolation=3)
    assert np.abs(image.pixels.astype(int) - expected).max() <= (0 if shorter_side is None else 6)


@pytest.mark.parametrize("as_rgb", [False, True])
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("end", [b"", b"\xff\xd9", b"\0" * 40 + b"\xff\xd9", b"\xff\xd9 trailing text"])
def test_truncated_files_are_found_even_behind_a_forged_end(chest, saved, code_of, capfd, as_rgb, progressive, end):
    noisy = np.clip(chest + np.random.default_rng(0).integers(0, 40, chest.shape), 0, 255).astype(np.uint8)
    data = saved(_rgb(noisy) if as_rgb else noisy, "JPEG", progressive=progressive)
    codes = {code_of(data[: int(len(data) * share)] + end) for share in (0.1, 0.3, 0.5, 0.7, 0.9, 0.95)}
    assert codes == {"truncated"}
    assert capfd.readouterr() == ("", "")


def test_a_reduced_decode_finds_truncation_too(chest, saved, code_of):
    data = saved(chest, "JPEG")
    assert code_of(data[: len(data) // 2] + b"\xff\xd9", shorter_side=12) == "truncated"


def test_a_missing_end_marker_costs_nothing(chest, saved):
    data = saved(chest, "JPEG", quality=90)
    image = read_image(data[:-2])
    np.testing.assert_array_equal(image.pixels, read_image(data).pixels)
    assert image.warnings == ("damaged",)


def test_damage_in_the_middle_is_warned_of_or_rejected(chest, saved, code_of, capfd):
    data = saved(chest, "JPEG", quality=90)
    start = data.index(b"\xff\xda") + 20
    outcomes = set()
    for position in range(start, len(data) - 2, 41):
        hurt = data[:position] + bytes([data[position] ^ 0x55, 0x33]) + data[position + 2 :]
        code = code_of(hurt)
        outcomes.add(code if code != "ok" else read_image(hurt).warnings)
    assert ("damaged",) in outcomes
    assert outcomes <= {("damaged",), "truncated", ()}
    assert capfd.readouterr() == ("", "")


def test_bytes_before_a_marker_are_warned_of(chest, saved):
    data = saved(chest, "JPEG")
    assert read_image(data[:-2] + bytes(40) + data[-2:]).warnings == ("damaged",)


def test_what_libjpeg_would_have_to_guess_is_refused(chest, saved, code_of):
    data = saved(chest, "JPEG")
    frame = data.index(b"\xff\xc0")
    twelve_bits = data[: frame + 4] + b"\x0c" + data[frame + 5 :]
    assert code_of(twelve_bits) == "unsupported"
    no_height = data[: frame + 5] + b"\0\0" + data[frame + 7 :]
    assert code_of(no_height) == "corrupt"
    huge = data[: frame + 5] + b"\xff\xff\xff\xff" + data[frame + 9 :]
    assert code_of(huge) == "too-many-pixels"
    progressive = saved(chest, "JPEG", progressive=True)
    scans = progressive[:-2] + progressive[progressive.rindex(b"\xff\xda") : -2] * 101 + progressive[-2:]
    assert code_of(scans) == "corrupt"
    large = saved(np.zeros((8000, 8000), np.uint8), "JPEG", progressive=True)
    last = large[large.rindex(b"\xff\xda") : -2]
    assert code_of(large[:-2] + last * 20 + large[-2:]) == "corrupt"
    assert code_of(data, frame=0) == "ok"
    assert code_of(data, frame=1) == "no-such-frame"


@pytest.mark.parametrize("folder", ["chest_xray_originals", "covid_vs_normal"])
def test_real_files_against_a_second_decoder(shared_data, folder):
    from hilum.images import find_images

    flags = {1: cv2.IMREAD_GRAYSCALE, 2: cv2.IMREAD_REDUCED_GRAYSCALE_2, 4: cv2.IMREAD_REDUCED_GRAYSCALE_4}
    for path in find_images(shared_data / folder)[::30]:
        image = read_image(path, shorter_side=224)
        scale = round(image.acquisition.height / image.pixels.shape[0])
        if scale in flags:
            expected = cv2.imread(str(path), flags[scale] | cv2.IMREAD_IGNORE_ORIENTATION)
            np.testing.assert_array_equal(image.pixels, expected)


def test_memory_of_inks_is_reckoned_from_the_header(chest, saved, code_of):
    data = saved(PillowImage.fromarray(chest).convert("RGB").convert("CMYK"), "JPEG")
    assert code_of(data, limits=Limits(memory_bytes=100_200_000)) == "memory"
