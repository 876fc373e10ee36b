"""What is kept of all rows for the rules that look at the whole set, and their findings."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ..types import Finding
from .against import Against
from .columns import Columns
from .digests import Digests
from .near import Sketches
from .rules import RULES
from .sides import Sides

_BY_DIGEST = ("PF202", "PF203", "PF204", "PF205", "PF208")
_BY_SKETCH = ("PF206", "PF207")


class Gathered:
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

    def join(self, other: Gathered) -> None:
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
