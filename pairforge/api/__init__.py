"""The verbs: one file a verb. Keyword arguments are the configuration, and the command line has the same ones."""

from .ask import ask
from .asking import model_source
from .build import correct, onpolicy
from .evaluate import evaluate
from .push import push
from .runs import latest_run, pairs_file, read_pairs
from .shortcuts import shortcuts
from .show import show
from .validate import validate

__all__ = [
    "ask", "correct", "evaluate", "latest_run", "model_source", "onpolicy", "pairs_file", "push", "read_pairs",
    "shortcuts", "show", "validate",
]  # fmt: skip
