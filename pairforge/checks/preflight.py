"""PF4xx over a set: rows go by once, are rendered and tokenised in batches, and are looked at and counted."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from ..preparation import MAX_LENGTH, render
from ..types import Finding, Skip
from . import trainer as _trainer  # noqa: F401  (registers PF4xx)
from .lesson import Lesson, Preflight
from .rules import RULES, family
from .shape import well_shaped
from .sides import Sides
from .vocabulary import Vocabulary

_BATCH = 256
"""Rows that are tokenised together."""
_OF_SETS = ("PF413", "PF414")


class Watch:
    """Rows pushed in one by one; the findings on them come out a batch at a time, those on the set at the end.

    `tokenizer` is one of transformers', with the chat template that training will use. `max_length` and `batch_size`
    are the trainer's (None: nothing is cut). `ends` are the ids at which the model stops (its generation settings;
    none: any special token ends an answer), `inserted` the system message that the template gives to a conversation
    without one.
    """

    def __init__(
        self,
        tokenizer: Any,
        *,
        max_length: int | None = MAX_LENGTH,
        batch_size: int = 8,
        ends: Collection[int] = (),
        inserted: str | None = None,
    ) -> None:
        self.words = Vocabulary(tokenizer, ends)
        self.preflight = Preflight(max_length, batch_size, inserted)
        self.found: list[Finding] = []
        self._waiting: list[tuple[int, Mapping[str, Any]]] = []

    def passing(self, rows: Iterable[Any]) -> Iterator[Any]:
        """The same rows, looked at while they go by on their way to another check; what is wrong gathers in `found`.

        Rows that are not of the shape of a pair are left to PF0xx.
        """
        for index, row in enumerate(rows):
            if well_shaped(row if type(row) is dict or not isinstance(row, Mapping) else dict(row)):
                self.found += self.see(index, row)
            yield row
        self.found += self.end()

    def see(self, index: int, row: Mapping[str, Any]) -> Iterator[Finding]:
        """Takes a well-shaped row; yields what is wrong with those before it, where a batch is full."""
        self._waiting.append((index, row))
        if len(self._waiting) == _BATCH:
            yield from self._flush()

    def end(self) -> Iterator[Finding]:
        """What is wrong with the last rows, and what there is to say of the set."""
        yield from self._flush()
        for code in _OF_SETS:
            for finding in RULES[code].findings(None, self.preflight):
                yield replace(finding, more=self.preflight.as_json())

    def _flush(self) -> Iterator[Finding]:
        waiting, self._waiting = self._waiting, []
        rows = [row for _, row in waiting]
        for (index, row), seen in zip(
            waiting, render(self.words.tokenizer, rows, self.preflight.max_length), strict=True
        ):
            sides = Sides.of(row)
            self.preflight.count(seen, sides.chosen[0]["role"] == "system")
            if isinstance(seen, Skip):
                yield from RULES["PF401"].findings(index, seen)
                continue
            lesson = Lesson(sides, seen, self.words)
            for rule in family("PF4"):
                if rule.code != "PF401" and rule.code not in _OF_SETS:
                    yield from rule.findings(index, lesson)
