"""PF2xx: do the rows make a set?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from .rules import Seen, rule
from .sides import Sides

Key: TypeAlias = int
Rows: TypeAlias = Mapping[Key, int]
"""The first row of each pair, by `key`: 64 bits a row, so that a million rows fit."""


@rule("PF201")
def no_rows(count: int) -> Iterator[Seen]:
    """The set is empty: mostly a filter or a path that went wrong. Trainers fail on it with a bare StopIteration."""
    if not count:
        yield "no rows", ""


@rule("PF202", "warning")
def duplicate(first: Rows, sides: Sides) -> Iterator[Seen]:
    """The same pair stands in the set before: it weighs twice, and half of it may land in the evaluation split."""
    if (row := first.get(key(sides))) is not None:
        yield f"the same pair as row {row}", ""


@rule("PF203")
def swapped(first: Rows, sides: Sides) -> Iterator[Seen]:
    """An earlier row holds the same two answers the other way round: the two rows contradict each other."""
    if sides.chosen != sides.rejected and (row := first.get(key(sides, swap=True))) is not None:
        yield f"the same pair as row {row}, with chosen and rejected swapped", ""


def key(sides: Sides, swap: bool = False) -> Key:
    """Names a pair within this process, whichever of the two shapes it has."""
    turns = (sides.rejected, sides.chosen) if swap else (sides.chosen, sides.rejected)
    return hash(tuple(tuple((turn["role"], turn["content"]) for turn in side) for side in turns))
