"""The verbs: one file a verb. Keyword arguments are the configuration, and the command line has the same ones."""

from ..verdict import repeats
from .ask import ask
from .asking import model_source
from .balance import balance
from .convert import convert
from .correct import correct
from .difficulty import difficulty
from .evaluate import evaluate
from .onpolicy import onpolicy
from .push import push
from .runs import latest_run, list_runs, pairs_file, read_pairs, remove_runs, show_run
from .sample import sample
from .shortcuts import shortcuts
from .show import show
from .validate import validate

__all__ = [
    "ask", "balance", "convert", "correct", "difficulty", "evaluate", "latest_run", "list_runs", "model_source",
    "onpolicy", "pairs_file", "push", "read_pairs", "remove_runs", "repeats", "sample", "shortcuts", "show", "show_run",
    "validate",
]  # fmt: skip
