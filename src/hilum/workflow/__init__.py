"""The whole study, from a folder to a report; the only reader of a Recipe."""
