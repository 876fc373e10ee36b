"""The check of one row after the other.

What is kept of all rows for the rules that look at the whole set, and their findings.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import Any

from ..types import Finding, Skip
from . import schema
from .dataset import Against, Columns
from .duplicates import Digests
from .minhash import Sketches
from .preference import passes
from .row import Sides, plain, plain_beside, well_shaped
from .rule import RULES, Rule, family

_BY_DIGEST = ("PF202", "PF203", "PF204", "PF205", "PF208")
_BY_SKETCH = ("PF206", "PF207")


class DatasetState:
    """Some 150 bytes a row. Parts that several processes gathered are joined in the order of the rows."""

    def __init__(self, codes: Collection[str], against: Against | None = None) -> None:
        self.count = 0
        self.leaked = array("q")
        """The rows that stand in the evaluation set as they are."""
        near = bool({*_BY_SKETCH} & {*codes}) or (against is not None and "PF211" in codes)
        self._codes = codes
        self._digests = Digests() if near or {*_BY_DIGEST} & {*codes} else None
        self._sketches = Sketches() if near else None
        self._columns = Columns() if "PF210" in codes else None

    def add(self, index: int, row: Mapping[str, Any], sides: Sides) -> None:
        """Takes in a well-shaped row."""
        if self._digests is not None:
            self._digests.add(index, sides)
        if self._sketches is not None:
            self._sketches.add(index, sides)
        if self._columns is not None:
            self._columns.add(index, row)

    def join(self, other: DatasetState) -> None:
        """Takes in what was gathered of the rows behind these."""
        self.count += other.count
        self.leaked.extend(other.leaked)
        for name in ("_digests", "_sketches", "_columns"):
            if (mine := getattr(self, name)) is not None:
                mine.join(getattr(other, name))

    def findings(self, against: Against | None = None) -> Iterator[Finding]:
        """What is wrong with the set."""
        if "PF201" in self._codes:
            yield from RULES["PF201"].findings(None, self.count)
        for code in _BY_DIGEST:
            if code in self._codes:
                yield from RULES[code].across(self._digests)
        for code in _BY_SKETCH:
            if code in self._codes:
                yield from RULES[code].across(self._digests, self._sketches)
        if self._columns is not None:
            yield from RULES["PF210"].across(self._columns)
        if against is not None and "PF211" in self._codes:
            told = frozenset(self.leaked)
            yield from (one for one in RULES["PF211"].across(against, self._sketches) if one.row not in told)


ENOUGH = 20
"""How many rows of no shape at all end the check ..."""
_A_ROW = 20
"""... and how many findings are told of one row."""
_OWN = ("PF0", "PF1", "PF2")


class RowChecker:
    """Looks at rows of pairs, and keeps what the rules on the whole set need.

    `codes` are those to look for (None: all that need nothing but the rows), `against` is what must not be trained on.
    """

    def __init__(self, codes: Collection[str] | None = None, against: Against | None = None) -> None:
        own = [code for code in RULES if code.startswith(_OWN)]
        self.codes = frozenset(own if codes is None else (code for code in own if code in codes))
        self.against = against
        self.gathered = DatasetState(self.codes, against)
        of_rows = [one for one in family("PF1") if one.code in self.codes]
        self._always = [one for one in of_rows if not one.marks and one.code != "PF116"]
        self._unseen = [one for one in of_rows if one.code == "PF116"]
        self._marked: dict[str, list[tuple[re.Pattern[str], Rule]]] = {}
        for one in of_rows:
            for mark, pattern in one.marks.items():
                self._marked.setdefault(mark, []).append((pattern, one))
        self._leaks = [RULES["PF209"]] if against is not None and "PF209" in self.codes else []

    def row(self, index: int, row: Any) -> list[Finding]:
        """What is wrong with the next row: a mapping, or the `Skip` that says why it could not be read."""
        self.gathered.count += 1
        if type(row) is not dict and isinstance(row, Mapping):
            row = dict(row)
        found: list[Finding] = []
        if well_shaped(row):
            sides = Sides.of(row)
            if not (sides.visible or plain(sides.text)) or not plain_beside(row):
                found = list(islice(schema.values(index, row), _A_ROW))
        else:
            found = list(islice(_misshapen(index, row), _A_ROW))
            if any(one.code in schema.UNREADABLE or one.code in schema.SHAPELESS for one in found):
                return [one for one in found if one.code in self.codes]
            sides = Sides.of(row)
        found = [one for one in found if one.code in self.codes] if found else found
        found += self._preference(index, sides)
        self.gathered.add(index, row, sides)
        return found

    def rows(self, data: Iterable[Any], start: int = 0) -> Iterator[Finding]:
        """What is wrong with each row, the first of which has the number `start`."""
        for index, row in enumerate(data, start):
            yield from self.row(index, row)

    def end(self) -> Iterator[Finding]:
        """What is wrong with the set."""
        return self.gathered.findings(self.against)

    def _preference(self, index: int, sides: Sides) -> list[Finding]:
        found = []
        rules, text = [] if passes(sides) else self._always, sides.text
        for mark, marked in self._marked.items():
            if mark in text:
                for pattern, one in marked:
                    if pattern.search(text) and one not in rules:
                        rules = [*rules, one]
        for one in rules if sides.visible else rules + self._unseen:
            for message, path in one.see(sides):
                found.append(Finding(one.code, one.severity, message, index, path))
        for one in self._leaks:
            if leaks := list(one.findings(index, self.against, sides)):
                self.gathered.leaked.append(index)
                found += leaks
        return found[:_A_ROW]


def check(
    data: Iterable[Any], codes: Collection[str] | None = None, against: Against | None = None
) -> Iterator[Finding]:
    """What is wrong with the rows, in one pass; memory grows by some 150 bytes a row.

    A row is a mapping, or the `Skip` that says why it could not be read. Where none of the first rows is a pair,
    one finding says so and the check ends.
    """
    stream = iter(data)
    start = list(islice(stream, ENOUGH))
    if strange := all_strange(start):
        yield from [strange] if codes is None or strange.code in codes else []
        return
    whole = RowChecker(codes, against)
    yield from whole.rows(chain(start, stream))
    yield from whole.end()


def all_strange(start: list[Any]) -> Finding | None:
    """The one finding on a set of which none of the first rows is a pair."""
    shapes = [schema.strange(row) for row in start]
    if len(start) < ENOUGH or not all(shapes):
        return None
    read = "`chosen` and `rejected` are read as lists of {role, content} messages"
    return Finding("PF010", RULES["PF010"].severity, f"all rows looked at hold {shapes[0]}; {read}", 0)


def _misshapen(index: int, row: Any) -> Iterator[Finding]:
    """Findings on a row that the fast path does not let through."""
    found = []
    for one in schema.values(index, row):
        found.append(one)
        yield one
    if not isinstance(row, Skip) and not any(one.code in schema.UNREADABLE for one in found):
        yield from schema.shape(index, row)
