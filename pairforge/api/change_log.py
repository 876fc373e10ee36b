"""What `fix` and `balance` did to which row and why, and the record of it beside their output."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ..disk import atomic, write_errors
from ..formats import writers
from ..text import and_others, first_few, plural
from ..types import Skip

_SHOWN = 5
"""Rows of a remedy that are named."""


class ChangeLog:
    """The changes of rows of the source, each with its remedy (a name, or the code of a check) and its reason."""

    def __init__(self) -> None:
        self.changed: dict[int, list[tuple[str, str]]] = {}
        self.dropped: dict[int, tuple[str, str]] = {}

    def change(self, row: int, remedy: str, why: str) -> None:
        """Record that a remedy changed a row."""
        self.changed.setdefault(row, []).append((remedy, why))

    def drop(self, row: int, remedy: str, why: str) -> None:
        """Record that a remedy dropped a row."""
        self.dropped[row] = remedy, why

    def by_remedy(self) -> dict[str, dict[str, list[tuple[int, str]]]]:
        """Return the rows, each with the reason, under "dropped" and "changed" by remedy, sorted.

        A row that was changed and then dropped is among the dropped ones alone.
        """
        found: dict[str, dict[str, list[tuple[int, str]]]] = {"dropped": {}, "changed": {}}
        for row, (remedy, why) in sorted(self.dropped.items()):
            found["dropped"].setdefault(remedy, []).append((row, why))
        for row, done in sorted(self.changed.items()):
            for remedy, why in done if row not in self.dropped else ():
                found["changed"].setdefault(remedy, []).append((row, why))
        return {what: dict(sorted(rows.items())) for what, rows in found.items()}

    def counts(self) -> dict[str, dict[str, int]]:
        """Return the rows dropped and the rows changed, by remedy."""
        return {what: {name: len(rows) for name, rows in found.items()} for what, found in self.by_remedy().items()}

    def lines(self, rows: Iterable[Any], names: str = "remedies") -> Iterator[dict[str, Any]]:
        """Yield an object for each changed or dropped row: its number, what was done, and the row as it was.

        `names` is the key under which the remedies are. A row that could not be read is the text of its line, or null.
        """
        for number, row in enumerate(rows):
            dropped = [self.dropped[number]] if number in self.dropped else []
            if done := self.changed.get(number, []) + dropped:
                remedies, why = zip(*done, strict=True)
                pair = getattr(row, "line", None) if isinstance(row, Skip) else row
                line = {"row": number, "id": pair.get("id") if isinstance(pair, Mapping) else None}
                line |= {"what": "dropped" if dropped else "changed", names: list(remedies)}
                yield line | {"why": "; ".join(why), "pair": pair}

    def summary(self, would: bool = False) -> list[str]:
        """Return a line for each remedy: how many rows it dropped or changed (or `would`), which, and why the first."""
        lines = []
        for what, by_remedy in self.by_remedy().items():
            for remedy, found in by_remedy.items():
                count = plural(len(found), "row")
                did = f"would {_VERBS[what]} {count}" if would else f"{count} {what}"
                numbers = first_few([row for row, _ in found], _SHOWN)
                lines.append(f"{did}: {remedy} ({numbers}): {and_others([why for _, why in found])}")
        return lines

    def __str__(self) -> str:
        counts = self.counts()
        parts = [f"{n} {what}: {remedy}" for what in counts for remedy, n in counts[what].items()]
        return " · ".join(parts) or "no row was dropped or changed"


_VERBS = {"dropped": "drop", "changed": "change"}


@dataclass(frozen=True)
class KeptRows:
    """The rows that are not dropped."""

    rows: Iterable[Any]
    dropped: Container[int]

    def numbered(self) -> Iterator[tuple[int, Any]]:
        """Return the rows with their numbers among all."""
        return ((number, row) for number, row in enumerate(self.rows) if number not in self.dropped)

    def __iter__(self) -> Iterator[Any]:
        return (row for _, row in self.numbered())


def write_with_record(path: Path, rows: Iterable[Any], record: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    """Write rows, and before them the lines of a `ChangeLog`, so that there is no output without its record.

    A row that no file can hold (NaN, half a surrogate pair) is in the record as a text.
    """
    with write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic(record) as file:
            file.writelines(_encoded(line) + b"\n" for line in lines)
        with atomic(path) as file:
            writers.write_lines(rows, file)


def _encoded(line: Mapping[str, Any]) -> bytes:
    try:
        return writers.encoded(line)
    except (ValueError, TypeError):
        as_text = partial(json.dumps, default=str)
        return as_text({**line, "pair": as_text(line["pair"])}).encode()
