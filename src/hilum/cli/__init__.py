"""The command line: parse, call, print."""

from hilum.cli.main import main

__all__ = ["main"]
