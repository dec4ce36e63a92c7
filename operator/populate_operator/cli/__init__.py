"""The command line, `populate` or `kubectl populate`."""

from .main import main

__all__ = ["main"]
