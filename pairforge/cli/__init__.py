"""The command line: parse, call the api function of the same name, print, exit."""

from . import commands as _commands  # noqa: F401  (registers them)
from .main import PRESENTATION, main

__all__ = ["PRESENTATION", "main"]
