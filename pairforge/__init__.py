"""pairforge: make preference pairs from a model's own answers, check, publish, train, and measure the result."""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING, Any

from .errors import InputError, OutsideError, PairforgeError
from .types import PLAIN_TEMPLATE, Answer, Finding, Judge, Message, Pair, Pairer, Prompt, Sampler, Skip

if TYPE_CHECKING:
    from .api.ask import ask
    from .api.balance import balance
    from .api.convert import convert
    from .api.correct import correct, default_run
    from .api.difficulty import difficulty
    from .api.doctor import doctor
    from .api.evaluate import evaluate
    from .api.fix import fix
    from .api.html_report import report
    from .api.inputs import latest_run, pairs_file, read_pairs
    from .api.onpolicy import onpolicy
    from .api.pair import pair
    from .api.pull import pull
    from .api.push import push
    from .api.reproduce import reproduce
    from .api.runs import diff_runs, list_runs, remove_runs, show_run
    from .api.sample import sample
    from .api.select import judge, select
    from .api.shortcuts import shortcuts
    from .api.show import show
    from .api.train import train
    from .api.validate import validate
    from .api.view import view
    from .repetition import repeats
    from .samplers.model_loading import model_source

__version__ = "0.1.0"
__all__ = [
    "PLAIN_TEMPLATE", "Answer", "Finding", "InputError", "Judge", "Message", "OutsideError", "Pair", "Pairer",
    "PairforgeError", "Prompt", "Sampler", "Skip", "ask", "balance", "convert", "correct", "default_run",
    "diff_runs", "difficulty", "doctor", "evaluate", "fix", "judge", "latest_run", "list_runs", "model_source",
    "onpolicy", "pair", "pairs_file", "pull", "push", "read_pairs", "remove_runs", "repeats", "report", "reproduce",
    "sample", "select", "shortcuts", "show", "show_run", "train", "validate", "view",
]  # fmt: skip
_MODULES = {
    "default_run": "api.correct",
    **dict.fromkeys(("latest_run", "pairs_file", "read_pairs"), "api.inputs"),
    **dict.fromkeys(("diff_runs", "list_runs", "remove_runs", "show_run"), "api.runs"),
    "judge": "api.select",
    "model_source": "samplers.model_loading",
    "repeats": "repetition",
    "report": "api.html_report",
}
"""Where a function is, if not in the file of its own name in `api/`."""


def __getattr__(name: str) -> Any:
    # A function is imported when it is first used: a command loads its own alone, `pairforge --help` none of them.
    if name in __all__:
        function = getattr(_import_module(f".{_MODULES.get(name, f'api.{name}')}", __name__), name)
        globals()[name] = function
        return function
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
