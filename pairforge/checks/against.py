"""What must not be trained on: the questions of an evaluation set."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence

from ..types import Message
from .digests import key
from .near import Bytes, sketch
from .rules import Seen, rule
from .sides import Sides

_LONG_ENOUGH = 24
"""Characters from which on a single turn is a question of its own: "And why?" is asked everywhere."""


class Against:
    """The questions of another set: whole conversations (system messages apart), and each longer turn of the user's."""

    def __init__(self, conversations: Iterable[Sequence[Message]], name: str) -> None:
        self.name = name
        self._row: dict[int, int] = {}
        texts = []
        for row, messages in enumerate(conversations):
            for asked in _keys(messages):
                self._row.setdefault(asked, row)
            texts.append("\n".join(turn["content"] for turn in messages if turn["role"] != "system"))
        self.sketches: Bytes = sketch(texts) if texts else sketch([""])

    def row(self, messages: Sequence[Message]) -> int | None:
        """The row of the other set that asks the same."""
        return next((self._row[asked] for asked in _keys(messages) if asked in self._row), None)


@rule("PF209")
def leaked(against: Against, sides: Sides) -> Iterator[Seen]:
    """The prompt stands in the evaluation set, too (spaces, case and system message apart): what is measured there is
    memory, not skill.
    """
    if (row := against.row(sides.context)) is not None:
        yield f"asks the same as row {row} of {against.name}", sides.pointer("chosen", max(0, sides.shared - 1))


def _keys(messages: Sequence[Message]) -> Iterator[int]:
    turns = [(turn["role"], _normal(turn["content"])) for turn in messages if turn["role"] != "system"]
    if any(text for _, text in turns):
        yield key("\x1e".join(text for _, text in turns))
        yield from (key(text) for role, text in turns if role == "user" and len(text) >= _LONG_ENOUGH)


def _normal(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
