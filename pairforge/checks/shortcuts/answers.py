"""Rows as pairs of answer texts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...errors import InputError
from ...types import digest
from .. import schema
from ..contract import foreign
from ..sides import Sides, answer


@dataclass
class Answers:
    """What the assistant says after the common context, per pair: the prompt itself is never a feature."""

    chosen: list[str] = field(default_factory=list)
    rejected: list[str] = field(default_factory=list)
    prompt: list[int] = field(default_factory=list)
    """Which prompt a pair belongs to. The same question under other system messages is the same prompt."""
    row: list[int] = field(default_factory=list)
    rows: int = 0
    identical: int = 0

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, Any]]) -> Answers:
        """The answers of all pairs but the identical ones. Raises InputError for a row that is no pair."""
        found, prompts = cls(), dict[str, int]()
        for index, row in enumerate(rows):
            found.rows += 1
            _refuse(index, row)
            sides = Sides.of(row)
            chosen, rejected = (answer(turns[sides.shared :]) for turns in (sides.chosen, sides.rejected))
            if chosen == rejected:
                found.identical += 1
                continue
            question = digest([turn for turn in sides.context if turn["role"] != "system"])
            found.chosen.append(chosen)
            found.rejected.append(rejected)
            found.prompt.append(prompts.setdefault(question, len(prompts)))
            found.row.append(index)
        return found


def _refuse(index: int, row: Any) -> None:
    finding = next(schema.shape(index, row), None)
    if finding and finding.code != "PF014":
        shape = foreign(row)
        what = f"it holds {shape}" if shape else finding.message
        raise InputError(
            f"row {index} is not a pair of message lists: {what}", fix="see all of it with: pairforge validate"
        )
