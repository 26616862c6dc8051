"""One file on disk or in memory -> one grey image and what its header says."""

from hilum.images.archive import ArchiveLimits, Member, is_archive, read_archive
from hilum.images.codes import REJECTIONS, WARNINGS
from hilum.images.discover import find_images, looks_like_image
from hilum.images.encode import to_jpeg, to_png
from hilum.images.image import Acquisition, Image
from hilum.images.limits import Limits
from hilum.images.read import read_image
from hilum.images.sandbox import Sandbox
from hilum.images.subject import objection

__all__ = [
    "REJECTIONS",
    "WARNINGS",
    "Acquisition",
    "ArchiveLimits",
    "Image",
    "Limits",
    "Member",
    "Sandbox",
    "find_images",
    "is_archive",
    "looks_like_image",
    "objection",
    "read_archive",
    "read_image",
    "to_jpeg",
    "to_png",
]
