"""Rows as pairs of answer texts, and the random sample of them in which features are looked for."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from ...errors import InputError
from ...types import digest
from .. import schema
from ..row import INSTRUCTS, Sides, well_shaped
from ..rule import any_fatal
from ..schema import foreign

_MOST_OF_A_PROMPT = 25


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
        """Return what the assistant says after the common context: the prompt itself is never a feature."""
        question = [turn for turn in sides.context if turn["role"] not in INSTRUCTS]
        context = bytes.fromhex(digest(sides.context))
        prompt = context if len(question) == sides.shared else bytes.fromhex(digest(question))
        return cls(index, prompt, context, *sides.said())


@dataclass
class AnswerTable:
    """The pairs of a sample, column by column."""

    chosen: list[str]
    rejected: list[str]
    prompt: list[int]
    """The hash of the prompt of each pair."""
    row: list[int]

    @classmethod
    def of(cls, pairs: Sequence[AuditPair]) -> AnswerTable:
        """Return the columns of pairs."""
        sides = [pair.chosen for pair in pairs], [pair.rejected for pair in pairs]
        prompts = [int.from_bytes(pair.prompt, "little") for pair in pairs]
        return cls(*sides, prompts, [pair.row for pair in pairs])

    def pairs(self) -> Iterable[tuple[str, str]]:
        """Return the two answers of each pair."""
        return zip(self.chosen, self.rejected, strict=True)


class PairSample:
    """A random sample of a stream of pairs: those of at most `most` prompts, drawn by a seeded hash of the prompt.

    The draw does not depend on the order of the rows. At most 25 pairs of a prompt are kept, and at most twice as many
    pairs as prompts in all.
    """

    def __init__(self, most: int | None = 20_000, seed: int = 0) -> None:
        self.most = most
        self._hash = partial(hashlib.blake2b, digest_size=8, salt=seed.to_bytes(8, "little"))
        self.rows = self.identical = self.kept_pairs = 0
        self.whole = True
        """Whether all pairs were kept."""
        self._pairs: dict[bytes, list[AuditPair]] = {}
        self._draw: list[tuple[int, bytes]] = []
        self._limit = 1 << 64

    def add(self, pair: AuditPair) -> None:
        """Take in the next pair; if its answers are the same, it is only counted."""
        self.rows += 1
        if pair.chosen == pair.rejected:
            self.identical += 1
            return
        kept = self._pairs.get(pair.prompt, [])
        if self.most is not None:
            rank = int.from_bytes(self._hash(pair.prompt).digest(), "big") if not kept else -1
            if rank >= self._limit or len(kept) >= _MOST_OF_A_PROMPT:
                self.whole = False
                return
            if not kept:
                heapq.heappush(self._draw, (-rank, pair.prompt))
        kept.append(pair)
        self._pairs[pair.prompt] = kept
        self.kept_pairs += 1
        while self.most is not None and (len(self._pairs) > self.most or self.kept_pairs > 2 * self.most):
            rank, prompt = heapq.heappop(self._draw)
            self._limit = -rank
            self.kept_pairs -= len(self._pairs.pop(prompt))
            self.whole = False

    def pairs(self) -> list[AuditPair]:
        """Return the pairs that were kept, in the order of the rows."""
        return sorted(pair for pairs in self._pairs.values() for pair in pairs)


def audit_pairs(rows: Iterable[Mapping[str, Any]]) -> Iterator[AuditPair]:
    """Yield the rows as pairs of texts. Raises InputError for a row that is not a pair."""
    for index, row in enumerate(rows):
        if not well_shaped(row):
            finding = next(schema.shape(index, row), None)
            if finding and any_fatal([finding]):
                what = f"it holds {shape}" if (shape := foreign(row)) else finding.message
                fix = "write the sound rows with: pairforge fix IN OUT"
                raise InputError(f"row {index} is not a pair of message lists: {what}", fix=fix)
        yield AuditPair.of(index, Sides.of(row))
