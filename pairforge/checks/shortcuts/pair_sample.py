"""Rows as pairs of answer texts, and the sample of them in which shortcuts are looked for."""

from __future__ import annotations

import hashlib
import heapq
import pickle
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from tempfile import TemporaryFile
from typing import IO, Any, NamedTuple

from ...errors import InputError
from ...types import digest
from .. import schema
from ..row import Sides, answer, well_shaped
from ..rule import RULES
from ..schema import foreign

_EACH = 25
"""As many pairs of one prompt are looked at."""


class AuditPair(NamedTuple):
    """A pair as the audit sees it. The same question under other system messages is the same prompt."""

    row: int
    prompt: bytes
    context: bytes
    """The prompt with its system message."""
    chosen: str
    rejected: str

    @classmethod
    def of(cls, index: int, sides: Sides) -> AuditPair:
        """What the assistant says after the common context: the prompt itself is never a feature."""
        chosen, rejected = (answer(turns[sides.shared :]) for turns in (sides.chosen, sides.rejected))
        question = [turn for turn in sides.context if turn["role"] != "system"]
        whole = _hash(sides.context)
        return cls(index, whole if len(question) == sides.shared else _hash(question), whole, chosen, rejected)


@dataclass
class AnswerTable:
    """The pairs of a sample, column by column."""

    chosen: list[str] = field(default_factory=list)
    rejected: list[str] = field(default_factory=list)
    prompt: list[int] = field(default_factory=list)
    """Which prompt a pair belongs to."""
    row: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, pairs: Iterable[AuditPair]) -> AnswerTable:
        found, prompts = cls(), dict[bytes, int]()
        for pair in pairs:
            found.chosen.append(pair.chosen)
            found.rejected.append(pair.rejected)
            found.prompt.append(prompts.setdefault(pair.prompt, len(prompts)))
            found.row.append(pair.row)
        return found

    def pairs(self) -> Iterable[tuple[str, str]]:
        """The two answers of each pair."""
        return zip(self.chosen, self.rejected, strict=True)


class PairSample:
    """Takes pairs as they come; keeps those of at most so many prompts, drawn by a seeded hash of the prompt.

    The draw does not depend on the order of the rows. Of one prompt 25 pairs are kept at most, and of all twice as
    many as prompts.
    """

    def __init__(self, most: int | None = 20_000, seed: int = 0) -> None:
        self.most, self.seed = most, seed
        self.rows = self.identical = self._kept = 0
        self.whole = True
        """Nothing was left out."""
        self._pairs: dict[bytes, list[AuditPair]] = {}
        self._draw: list[tuple[int, bytes]] = []
        self._limit = 1 << 64

    def add(self, pair: AuditPair) -> bool:
        """Takes the next pair; whether its sides differ."""
        self.rows += 1
        if pair.chosen == pair.rejected:
            self.identical += 1
            return False
        kept = self._pairs.get(pair.prompt)
        if self.most is None:
            self._pairs.setdefault(pair.prompt, []).append(pair)
        elif kept is not None and len(kept) < _EACH:
            kept.append(pair)
            self._kept += 1
            self._shrink()
        elif kept is None and (lot := self._lot(pair.prompt)) < self._limit:
            heapq.heappush(self._draw, (-lot, pair.prompt))
            self._pairs[pair.prompt] = [pair]
            self._kept += 1
            self._shrink()
        else:
            self.whole = False
        return True

    def _lot(self, prompt: bytes) -> int:
        return int.from_bytes(
            hashlib.blake2b(prompt, digest_size=8, salt=self.seed.to_bytes(8, "little")).digest(), "big"
        )

    def _shrink(self) -> None:
        """Lets go of the prompts that drew the highest lots."""
        while self.most is not None and (len(self._pairs) > self.most or self._kept > 2 * self.most):
            lot, prompt = heapq.heappop(self._draw)
            self._limit = -lot
            self._kept -= len(self._pairs.pop(prompt))
            self.whole = False

    @property
    def kept_pairs(self) -> int:
        """How many pairs were kept."""
        return sum(map(len, self._pairs.values()))

    def pairs(self) -> list[AuditPair]:
        """What was kept, in the order of the rows."""
        return sorted(pair for pairs in self._pairs.values() for pair in pairs)

    def answers(self) -> AnswerTable:
        """The same, column by column."""
        return AnswerTable.of(self.pairs())


class ReplayableRows:
    """Rows that are read twice: to draw a sample, and to count. What can be read once only is kept on disk."""

    def __init__(self, rows: Iterable[Mapping[str, Any]]) -> None:
        self._rows = rows
        self._spool: IO[bytes] | None = None

    def __enter__(self) -> ReplayableRows:
        if iter(self._rows) is self._rows:
            self._spool = TemporaryFile()
        return self

    def __exit__(self, *_: object) -> None:
        if self._spool:
            self._spool.close()

    def first(self) -> Iterator[AuditPair]:
        """The pairs, while they are read. Raises InputError for a row that is no pair."""
        for pair in _seen(self._rows):
            if self._spool:
                pickle.dump(tuple(pair), self._spool, pickle.HIGHEST_PROTOCOL)
            yield pair

    def again(self) -> Iterator[AuditPair]:
        """The same pairs once more."""
        if self._spool is None:
            yield from _seen(self._rows)
            return
        size = self._spool.tell()
        self._spool.seek(0)
        while self._spool.tell() < size:
            yield AuditPair(*pickle.load(self._spool))


def _seen(rows: Iterable[Mapping[str, Any]]) -> Iterator[AuditPair]:
    for index, row in enumerate(rows):
        if not well_shaped(row):
            _refuse(index, row)
        yield AuditPair.of(index, Sides.of(row))


def _hash(value: Any) -> bytes:
    return bytes.fromhex(digest(value))


def _refuse(index: int, row: Any) -> None:
    finding = next(schema.shape(index, row), None)
    if finding and RULES[finding.code].fatal:
        shape = foreign(row)
        what = f"it holds {shape}" if shape else finding.message
        raise InputError(
            f"row {index} is not a pair of message lists: {what}", fix="see all of it with: pairforge validate"
        )
