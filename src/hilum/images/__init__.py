"""One file on disk or in memory -> one grey image and what its header says."""

from hilum.images.codes import REJECTIONS, WARNINGS
from hilum.images.discover import find_images, looks_like_image
from hilum.images.encode import to_jpeg, to_png
from hilum.images.image import Acquisition, Image
from hilum.images.limits import Limits
from hilum.images.read import read_image

__all__ = [
    "REJECTIONS",
    "WARNINGS",
    "Acquisition",
    "Image",
    "Limits",
    "find_images",
    "looks_like_image",
    "read_image",
    "to_jpeg",
    "to_png",
]
