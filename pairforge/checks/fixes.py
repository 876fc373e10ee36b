"""What can be mended without a decision: rows are dropped, or lose a column that says nothing new.

No text is touched.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..types import Skip
from . import schema
from .digests import key
from .rows import identical, nearly_identical
from .shape import MAX_DEPTH, well_shaped
from .sides import Sides


class Fixes:
    """Rows on their way to a file. `dropped` and `changed` count by reason, `kept` what comes out."""

    def __init__(self) -> None:
        self.kept = 0
        self.dropped: Counter[str] = Counter()
        self.changed: Counter[str] = Counter()
        self._seen: set[int] = set()

    def mended(self, rows: Iterable[Any]) -> Iterator[Mapping[str, Any]]:
        """The rows that stay, as they stay."""
        for row in rows:
            if reason := self._reason(row):
                self.dropped[reason] += 1
                continue
            self.kept += 1
            yield self._without_prompt(row)

    def _reason(self, row: Any) -> str:
        """Why a row is dropped, if it is."""
        if isinstance(row, Skip) or not isinstance(row, Mapping):
            return "not readable"
        if _too_deep(row):
            return "nested too deeply"
        if not _is_pair(row):
            return ""
        sides = Sides.of(dict(row))
        if any(identical(sides)) or any(nearly_identical(sides)):
            return "the same on both sides"
        pair = key("\x1d".join(f"{turn['role']}\x1f{turn['content']}" for turn in (*sides.chosen, *sides.rejected)))
        if pair in self._seen:
            return "there before"
        self._seen.add(pair)
        return ""

    def _without_prompt(self, row: Mapping[str, Any]) -> Mapping[str, Any]:
        """The row without a text as prompt, where the conversations hold that text already."""
        prompt = row.get("prompt")
        if type(prompt) is not str or not _is_pair(row):
            return row
        if prompt.strip() not in {turn["content"].strip() for turn in Sides.of(dict(row)).context}:
            return row
        self.changed["a text as prompt taken out"] += 1
        return {name: value for name, value in row.items() if name != "prompt"}


def _is_pair(row: Mapping[str, Any]) -> bool:
    return well_shaped(row) or not any(found.code in schema.SHAPELESS for found in schema.shape(0, row))


def _too_deep(value: Any) -> bool:
    waiting = [(value, 0)]
    while waiting:
        value, depth = waiting.pop()
        if isinstance(value, (Mapping, list, tuple)):
            if depth >= MAX_DEPTH:
                return True
            waiting += [(item, depth + 1) for item in (value.values() if isinstance(value, Mapping) else value)]
    return False
