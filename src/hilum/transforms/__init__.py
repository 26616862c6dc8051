"""Image -> image: resize, pad, crop, equalise, normalise; augment."""
