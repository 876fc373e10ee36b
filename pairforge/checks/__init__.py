"""What can be wrong with pairs: a family a file, a rule a decorated function.

schema PF0xx: is it a row of the right shape; rows, texts PF1xx: is it a preference; sets PF2xx: do the rows make a set;
shortcuts PF3xx: what tells chosen from rejected most cheaply; trainer PF4xx: what will the trainer see.
"""

from __future__ import annotations

from . import tokenized as _tokenized  # noqa: F401  (registers PF4xx)
from .dataset import Against
from .rule import RULES, Rule, rule
from .runner import RowChecker, all_strange, check
from .shortcuts import findings as _findings  # noqa: F401  (registers PF3xx)

__all__ = ["RULES", "Against", "RowChecker", "Rule", "all_strange", "check", "explain", "rule"]


def explain(code: str) -> str:
    """Why a check matters, and what mends it. Raises KeyError for a code that no check has."""
    one = RULES[code]
    mend = f"\n\nTo mend it: {one.mend.format(data='PAIRS')}" if one.mend else ""
    return f"{code} ({one.severity})\n\n{one.why}{mend}"
