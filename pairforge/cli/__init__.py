"""The command line: parse, call the function of the same name, print, exit."""

from .commands import COMMANDS
from .main import main

__all__ = ["COMMANDS", "main"]
