"""Networks by name, their stages, and the model file."""
