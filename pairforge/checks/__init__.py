"""What can be wrong with pairs: a family a file, a rule a decorated function. `rule` says what a rule may look at."""

from __future__ import annotations

from . import answer_text, preference, schema, secrets, tokenized  # noqa: F401  (they register their rules)
from .dataset import Against
from .rule import RULES, Rule, rule
from .runner import RowChecker, check
from .shortcuts import findings as _findings  # noqa: F401  (registers PF3xx)

__all__ = ["RULES", "Against", "RowChecker", "Rule", "check", "explain", "rule"]


def explain(code: str) -> str:
    """Return why a check matters, and how to fix what it finds. Raises KeyError for an unknown code."""
    one = RULES[code]
    fix = f"\n\nTo fix it: {one.fix.format(data='PAIRS')}" if one.fix else ""
    return f"{code} ({one.severity})\n\n{one.why}{fix}"
