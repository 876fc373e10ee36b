"""The verbs: one file a verb. Keyword arguments are the configuration, and the command line has the same ones."""

from .ask import ask
from .build import correct, latest_run, onpolicy, pairs_file
from .evaluate import evaluate
from .push import push
from .shortcuts import shortcuts
from .show import show
from .validate import validate

__all__ = [
    "ask", "correct", "evaluate", "latest_run", "onpolicy", "pairs_file", "push", "shortcuts", "show", "validate",
]  # fmt: skip
