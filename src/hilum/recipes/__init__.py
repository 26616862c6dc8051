"""Experiments as values. Imports nothing of hilum."""
