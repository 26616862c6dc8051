"""Manifest and model -> run."""
