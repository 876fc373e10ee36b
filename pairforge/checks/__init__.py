"""What can be wrong with pairs: a family a file, a rule a decorated function. `rule` says what a rule may look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .rule import Rule, rule

if TYPE_CHECKING:
    from .dataset import Against
    from .rule import RULES
    from .runner import RowChecker, check, explain

__all__ = ["RULES", "Against", "RowChecker", "Rule", "check", "explain", "rule"]


def __getattr__(name: str) -> Any:
    """Return a name of `runner`, which imports every family of rules, and numpy with them."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import runner

    return getattr(runner, name)
