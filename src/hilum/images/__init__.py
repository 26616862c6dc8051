"""One file on disk or in memory -> one grey image and what its header says."""

from hilum.images.image import Acquisition, Image

__all__ = ["Acquisition", "Image"]
