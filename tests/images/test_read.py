import hashlib
import os
import struct
import subprocess
import sys
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from hilum.errors import ImageRejected
from hilum.images import Limits, find_images, read_image


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "GIF", "WEBP"])
def test_lossless_formats_give_back_the_drawn_pixels(chest, saved, kind):
    image = read_image(saved(chest, kind, **({"lossless": True} if kind == "WEBP" else {})))
    assert image.pixels.dtype == np.uint8
    np.testing.assert_array_equal(image.pixels, chest)
    assert (image.acquisition.format, image.acquisition.height, image.acquisition.width) == (kind, 96, 128)
    assert image.warnings == ()


def test_path_and_bytes_give_the_same_and_the_hash_is_that_of_the_file(chest, saved, tmp_path):
    data = saved(chest, "JPEG", quality=90)
    path = tmp_path / "x.jpg"
    path.write_bytes(data)
    by_path, by_bytes = read_image(path), read_image(data)
    np.testing.assert_array_equal(by_path.pixels, by_bytes.pixels)
    assert by_path.acquisition == by_bytes.acquisition
    assert by_path.acquisition.file_bytes == len(data)
    assert by_path.sha256 == by_bytes.sha256 == hashlib.sha256(data).hexdigest()


def test_pixels_are_contiguous_and_belong_to_the_caller(chest, ramp, saved, dicom_of):
    rgb = np.repeat(chest[..., None], 3, axis=2)
    files = [saved(picture, kind) for picture in (chest, rgb, chest > 100) for kind in ("JPEG", "PNG", "TIFF", "BMP")]
    for data in (*files, saved(ramp, "PNG"), dicom_of(chest), dicom_of(rgb), dicom_of(ramp)):
        flags = read_image(data).pixels.flags
        assert flags.c_contiguous
        assert flags.writeable


@pytest.mark.parametrize("suffix", [".jpg", ".dcm", ".txt", ""])
def test_names_are_not_believed(chest, saved, tmp_path, suffix):
    path = tmp_path / f"x{suffix}"
    path.write_bytes(saved(chest, "PNG"))
    np.testing.assert_array_equal(read_image(path).pixels, chest)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty"),
        (b"this is no picture\n", "not-an-image"),
        (b"%PDF-1.4", "not-an-image"),
        (b"\0" * 1000, "not-an-image"),
        (b"\0\0\0\x18ftypheic" + bytes(100), "unsupported"),
        (b"\xff\xd8\xff", "truncated"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "truncated"),
        (b"\x89PNG\r\n\x1a\n", "truncated"),
        (b"BM", "corrupt"),
        (b"RIFF\x10\0\0\0WEBP", "truncated"),
        (b"II*\0\x08\0\0\0", "corrupt"),
    ],
)
def test_no_pictures(tmp_path, code_of, data, code):
    path = tmp_path / "x.jpg"
    path.write_bytes(data)
    assert code_of(path) == code_of(data) == code


def test_what_cannot_be_opened(tmp_path, code_of):
    assert code_of(tmp_path / "missing.png") == "unreadable"
    assert code_of(tmp_path) == "unreadable"
    assert code_of(Path("null\0character.png")) == "unreadable"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_a_named_pipe_does_not_hang(tmp_path, code_of):
    os.mkfifo(tmp_path / "pipe.jpg")
    assert code_of(tmp_path / "pipe.jpg") == "unreadable"


def test_message_names_the_file_without_control_characters(tmp_path):
    with pytest.raises(ImageRejected, match=r"bad\\x1b\[31m\\nname\.jpg: expected"):
        read_image(tmp_path / "bad\x1b[31m\nname.jpg")
    with pytest.raises(ImageRejected, match=r"^upload 7: expected an image, found 0 bytes\."):
        read_image(b"", name="upload 7")


def test_limits_of_bytes_pixels_and_sides(chest, saved, code_of, tmp_path):
    data = saved(chest, "PNG")
    path = tmp_path / "x.png"
    path.write_bytes(data)
    assert code_of(path, limits=Limits(file_bytes=len(data))) == "ok"
    assert code_of(path, limits=Limits(file_bytes=len(data) - 1)) == "too-large"
    assert code_of(data, limits=Limits(pixels=96 * 128)) == "ok"
    assert code_of(data, limits=Limits(pixels=96 * 128 - 1)) == "too-many-pixels"
    for kind in ("JPEG", "PNG", "TIFF", "WEBP", "BMP", "GIF"):
        assert code_of(saved(chest[:32, :32], kind)) == "ok"
        assert code_of(saved(chest[:31, :], kind)) == "too-small"


def test_constant_pictures_are_read_with_a_warning(saved):
    for value in (0, 128, 255):
        flat = np.full((64, 64), value, np.uint8)
        assert read_image(saved(flat, "JPEG")).warnings == ("blank",)
        assert read_image(saved(flat, "PNG")).warnings == ("blank",)


def _bomb() -> bytes:
    """A PNG of 50,000 x 50,000 pixels with the first 50 MB of its rows."""
    pack = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))  # noqa: E731
    header = pack(b"IHDR", struct.pack(">IIBBBBB", 50_000, 50_000, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + pack(b"IDAT", zlib.compress(bytes(50_000_000), 1)) + pack(b"IEND", b"")


@pytest.mark.skipif(sys.platform == "win32", reason="no resource module")
def test_a_huge_png_is_refused_from_its_header(tmp_path, chest, saved):
    (tmp_path / "bomb.png").write_bytes(_bomb())
    (tmp_path / "good.png").write_bytes(saved(chest, "PNG"))
    script = f"""
import resource, time
from pathlib import Path
from hilum.errors import ImageRejected
from hilum.images import read_image
folder = Path({str(tmp_path)!r})
read_image(folder / "good.png")
before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
try:
    read_image(folder / "bomb.png")
except ImageRejected as error:
    seconds = time.perf_counter() - start
    print(error.code, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60).stdout
    code, seconds, growth = out.split()
    unit = 1 if sys.platform == "darwin" else 1024
    assert code == "too-many-pixels"
    assert float(seconds) < 1
    assert int(growth) * unit < 50e6


def test_two_threads_read_what_one_reads(chest, saved, dicom_of):
    rng = np.random.default_rng(7)
    files = []
    for number in range(24):
        picture = np.clip(chest.astype(int) + rng.integers(-20, 20, chest.shape), 0, 255).astype(np.uint8)
        files += [saved(picture, kind) for kind in ("JPEG", "PNG", "TIFF")] + [dicom_of(picture)]
        files.append(saved(picture, "JPEG")[: 600 + 10 * number])
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(_outcome, files))
    assert together == [_outcome(data) for data in files]
    assert {"truncated"} < {code for code, _ in together}


def _outcome(data: bytes) -> tuple[str, str]:
    try:
        image = read_image(data, shorter_side=48)
    except ImageRejected as error:
        return error.code, ""
    return "ok", hashlib.sha256(image.pixels.tobytes()).hexdigest()


def test_nothing_heavy_is_imported_before_the_first_file():
    script = (
        "import sys, hilum.images; "
        "print(sorted({'cv2', 'PIL', 'pydicom', 'simplejpeg', 'torch', 'pandas'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60).stdout
    assert out.strip() == "[]"


def test_real_files_are_read_without_a_word(shared_data):
    paths = [
        path
        for folder in ("chest_xray_224/test", "chest_xray_originals", "covid_vs_normal", "covid_three_class")
        for path in find_images(shared_data / folder)[::9]
    ]
    start = time.perf_counter()
    images = [read_image(path, shorter_side=224) for path in paths]
    assert len(images) > 180
    assert {image.warnings for image in images} == {()}
    assert all(min(image.pixels.shape) >= min(224, image.acquisition.height) for image in images)
    assert {image.acquisition.quantisation for image in images} >= {330, 1858, 592}
    assert time.perf_counter() - start < 30
