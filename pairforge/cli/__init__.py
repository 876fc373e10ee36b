"""The command line: parse, call the api function of the same name, print, exit."""

from . import checks, models, pairs
from .group import PRESENTATION, main

__all__ = ["PRESENTATION", "checks", "main", "models", "pairs"]
