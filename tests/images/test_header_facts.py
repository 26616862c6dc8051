"""What a header carries besides the picture, against what Pillow was told to write."""

import io

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from hilum.images import read_image

GREY = np.add.outer(np.arange(64), np.arange(48)).astype(np.uint8)


def written(picture, **options):
    file = io.BytesIO()
    picture.save(file, **options)
    return file.getvalue()


@pytest.mark.parametrize(("code", "name"), [(0, "4:4:4"), (1, "4:2:2"), (2, "4:2:0")])
def test_subsampling_and_both_tables_of_a_colour_jpeg(code, name):
    data = written(Image.fromarray(GREY).convert("RGB"), format="JPEG", subsampling=code, quality=60)
    facts = read_image(data).acquisition
    tables = Image.open(io.BytesIO(data)).quantization
    assert facts.subsampling == name
    assert (facts.quantisation, facts.quantisation_colour) == (sum(tables[0]), sum(tables[1]))


def test_a_grey_jpeg_has_no_colour_table():
    facts = read_image(written(Image.fromarray(GREY), format="JPEG")).acquisition
    assert (facts.subsampling, facts.quantisation_colour, facts.progressive) == (None, None, False)
    assert facts.metadata == ("jfif",)


def test_a_progressive_jpeg_says_so():
    assert read_image(written(Image.fromarray(GREY), format="JPEG", progressive=True)).acquisition.progressive


def test_exif_profile_and_comment_are_named():
    exif = Image.Exif()
    exif[0x010F] = "maker"
    data = written(Image.fromarray(GREY), format="JPEG", exif=exif, icc_profile=b"\0" * 200, comment=b"hello")
    assert read_image(data).acquisition.metadata == ("comment", "exif", "icc", "jfif")


def test_texts_of_a_png_are_named():
    info = PngImagePlugin.PngInfo()
    info.add_text("Software", "scanner")
    assert read_image(
        written(Image.fromarray(GREY), format="PNG", pnginfo=info, dpi=(72, 72))
    ).acquisition.metadata == (
        "dpi",
        "text",
    )
