"""The fast path of PF1xx: one glance at a usual row, at which none of the rules without `marks` would find anything.

Proven so by a property test. Rows that are not passed here are no worse for it: the rules look at them one by one.
"""

from __future__ import annotations

from .refusals import refuses
from .rows import FILLERS, SCORES, apart, in_order, scored_below
from .sentinels import is_error
from .sides import Sides
from .texts import FINISH, breaks_off

_COLUMNS = frozenset(("prompt", *sum(FINISH.values(), ())))
_SCORED = frozenset(better for better, _ in SCORES)
_VISIBLE = frozenset("\"'*#-([`“‘「『《（【|_$1234567890")


def passes(sides: Sides) -> bool:
    """Whether the row is as usual: one context, two visible, whole, different answers."""
    chosen, rejected = sides.chosen, sides.rejected
    if not sides.regular or not in_order(chosen) or not _COLUMNS.isdisjoint(sides.row):
        return False
    for turn in chosen:
        if not turn["content"] or turn["content"].isspace():
            return False
    one, other = chosen[-1]["content"], rejected[-1]["content"]
    return (
        _whole(one)
        and _whole(other)
        and apart(one, other)
        and (_SCORED.isdisjoint(sides.row) or not any(scored_below(sides.row)))
        and not is_error(one)
        and not is_error(other)
        and not refuses(one)
    )


def _whole(text: str) -> bool:
    first = text.lstrip()[:1]
    return ((first.isalnum() and first not in FILLERS) or first in _VISIBLE) and not breaks_off(text)
