"""Image -> image: resize, pad, crop, equalise, normalise; augment.

`normalise` stands in `hilum.transforms.normalise`: it needs torch, which nothing else here does.
"""

from hilum.transforms.augmentation import Augmentation, augment
from hilum.transforms.preprocessing import Preprocessing, to_canvas
from hilum.transforms.tta import View, look, make_views

__all__ = ["Augmentation", "Preprocessing", "View", "augment", "look", "make_views", "to_canvas"]
