"""What can be wrong with pairs: a family a file, a rule a decorated function.

schema PF0xx: is it a row of the right shape; rows PF1xx: is it a preference; sets PF2xx: do the rows make a set;
shortcuts PF3xx: what tells chosen from rejected most cheaply.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import Any

from ..types import Finding
from . import contract, schema, sets
from . import rows as _rows  # noqa: F401  (registers PF1xx)
from .rules import RULES, Rule, family, rule
from .shortcuts import kinds as _kinds  # noqa: F401  (registers PF3xx)
from .sides import Sides

__all__ = ["RULES", "Rule", "check", "explain", "rule"]
_ENOUGH = 20
_UNREADABLE = ("PF001", "PF002", "PF003", "PF004")
_SHAPELESS = ("PF010", "PF011", "PF012", "PF013")


def check(data: Iterable[Any]) -> Iterator[Finding]:
    """What is wrong with the rows, in one pass; memory grows by some 100 bytes a row.

    A row is a mapping, or the `Skip` that says why it could not be read. Where all of the first rows are of another
    well-known shape, one finding says so and the check ends.
    """
    stream = iter(data)
    start = list(islice(stream, _ENOUGH))
    shapes = {contract.strange(row) for row in start}
    if len(start) == _ENOUGH and len(shapes) == 1 and (shape := shapes.pop()):
        read = "`chosen` and `rejected` are read as lists of {role, content} messages"
        yield Finding("PF010", RULES["PF010"].severity, f"all rows looked at hold {shape}; {read}", 0)
        return
    count, first = 0, dict[sets.Key, int]()
    for row in chain(start, stream):
        yield from _row(count, row, first)
        count += 1
    yield from RULES["PF201"].findings(None, count)


def explain(code: str) -> str:
    """Why a check matters. Raises KeyError for a code that no check has."""
    return f"{code} ({RULES[code].severity})\n\n{RULES[code].why}"


def _row(index: int, row: Any, first: dict[sets.Key, int]) -> Iterator[Finding]:
    """Findings on one row. Each family is left out where what it needs was found wrong."""
    if isinstance(row, Mapping) and type(row) is not dict:
        row = dict(row)
    wrong = list(schema.values(index, row))
    if not any(finding.code in _UNREADABLE for finding in wrong):
        wrong += schema.shape(index, row)
    yield from wrong
    if any(finding.code in _UNREADABLE or finding.code in _SHAPELESS for finding in wrong):
        return
    sides = Sides.of(row)
    for one in family("PF1"):
        yield from one.findings(index, sides)
    for one in (RULES["PF202"], RULES["PF203"]):
        yield from one.findings(index, first, sides)
    first.setdefault(sets.key(sides), index)
