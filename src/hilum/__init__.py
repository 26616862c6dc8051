"""hilum: from a folder of chest X-rays to a model that can be defended."""

from hilum.version import __version__

__all__ = ["__version__"]
