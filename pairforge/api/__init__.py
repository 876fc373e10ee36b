"""The verbs: one file a verb. Keyword arguments are the configuration, and the command line has the same ones."""

from .ask import ask
from .build import correct, latest_run, onpolicy
from .show import pairs_file, show

__all__ = ["ask", "correct", "latest_run", "onpolicy", "pairs_file", "show"]
