"""A study folder -> one self-contained page."""
