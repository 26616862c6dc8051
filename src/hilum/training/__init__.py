"""Manifest and model -> run.

Heavy: importing `hilum.training.fit` imports torch and lightning.
"""
