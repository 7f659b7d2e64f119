"""The command line: ``par``."""

from par.cli._main import main

__all__ = ["main"]
