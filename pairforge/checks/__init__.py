"""What can be wrong with pairs: a family a file, a rule a decorated function.

schema PF0xx: is it a row of the right shape; rows, texts PF1xx: is it a preference; sets PF2xx: do the rows make a set;
shortcuts PF3xx: what tells chosen from rejected most cheaply; trainer PF4xx: what will the trainer see.
"""

from __future__ import annotations

from . import trainer as _trainer  # noqa: F401  (registers PF4xx)
from .against import Against
from .check import Check, all_strange, check
from .rules import RULES, Rule, rule
from .shortcuts import kinds as _kinds  # noqa: F401  (registers PF3xx)

__all__ = ["RULES", "Against", "Check", "Rule", "all_strange", "check", "explain", "rule"]


def explain(code: str) -> str:
    """Why a check matters, and what mends it. Raises KeyError for a code that no check has."""
    one = RULES[code]
    mend = f"\n\nTo mend it: {one.mend.format(data='PAIRS')}" if one.mend else ""
    return f"{code} ({one.severity})\n\n{one.why}{mend}"
