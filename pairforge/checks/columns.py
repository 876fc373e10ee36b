"""Which types each column holds, in one pass."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from typing import Any

from .shape import NUMBERS, TEXTS

_KINDS = {str: "a text", bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "an object"}
_KNOWN = frozenset((*TEXTS, *NUMBERS, "chosen", "rejected"))
_NAMES, _ROWS = 1000, 10_000


class Columns:
    """The columns that the schema leaves open: the types of each, in order, with the first rows that hold them."""

    def __init__(self) -> None:
        self._seen: dict[str, dict[str, array[int]]] = {}

    def add(self, index: int, row: Mapping[str, Any]) -> None:
        for name, value in row.items():
            if name not in _KNOWN and value is not None:
                self._rows(name, _KINDS.get(type(value), "a value of another kind")).append(index)

    def join(self, other: Columns) -> None:
        """Takes in the rows behind these."""
        for name, kinds in other._seen.items():
            for kind, rows in kinds.items():
                self._rows(name, kind).extend(rows)

    def mixed(self) -> Iterator[tuple[str, str, str, int]]:
        """Column, the type it began with, another type, and a row that holds it."""
        for name, kinds in self._seen.items():
            (first, _), *others = kinds.items()
            for kind, rows in others:
                yield from ((name, first, kind, row) for row in rows[:_ROWS])

    def _rows(self, name: str, kind: str) -> array[int]:
        """Where to note a row; what is beyond the limits goes nowhere."""
        kinds = self._seen.get(name)
        if kinds is None:
            if len(self._seen) == _NAMES:
                return array("q")
            kinds = self._seen[name] = {}
        rows = kinds.get(kind)
        if rows is None:
            rows = kinds[kind] = array("q")
        return rows if len(rows) < _ROWS else array("q")
