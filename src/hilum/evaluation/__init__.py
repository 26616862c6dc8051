"""Predictions -> numbers. Needs no torch and no model."""
