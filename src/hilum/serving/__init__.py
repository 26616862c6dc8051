"""A model file at work: one image in, one prediction out."""
