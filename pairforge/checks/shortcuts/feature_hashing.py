"""The runs of tokens of many texts at once, each known by a number of 64 bits: kind, then hash, then room for the text.

A run stands for itself by its hash of 50 bits: among 30 million different runs less than one pair is expected to share
one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from .feature_matrix import Floats, Ints, Mask
from .features import KINDS, LONGEST, RUNNING, Words, form, is_word, parts
from .style import LEXICON

Hashes: TypeAlias = npt.NDArray[np.uint64]
Ids: TypeAlias = npt.NDArray[np.int32]

TEXTS = 1 << 11
"""As many texts are looked at in one go: which of them takes the low 11 bits."""
LOW = np.uint64(11)
_TEXT = np.uint64(TEXTS - 1)
_KIND, _TURN = np.uint64(61), np.uint64(31)
_SPREAD, _NEXT = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)


class _Numbers(dict[str, int]):
    """Gives the next number to what has none."""

    def __missing__(self, token: str) -> int:
        number = self[token] = len(self)
        return number


class FeatureIndex:
    """Numbers for tokens, and for what is looked at instead of a token: its form, its parts."""

    def __init__(self) -> None:
        self.number = _Numbers({"\x02": 0, "\x03": 1})
        self.forms = _Numbers({"^": 0, "$": 1})
        self.parts = _Numbers()

    def ids(self, tokens: Sequence[str]) -> Ids:
        """The numbers of the tokens between those of the edges; new ones for new tokens."""
        return np.array([0, *map(self.number.__getitem__, tokens), 1], dtype=np.int32)

    def tables(self, all_words: bool = False) -> Tables:
        """What there is to know of each token; `all_words` takes white space for words too, as a model does."""
        inner = list(self.number)[2:]
        pieces: Ids = np.full((len(self.number), 3), -1, np.int32)
        for index, token in enumerate(inner, 2):
            for place, piece in enumerate(parts(token)):
                pieces[index, place] = self.parts[piece]
        forms = [0, 1, *(self.forms[form(token)] for token in inner)]
        return Tables(
            np.array([False, False, *(all_words or is_word(token) for token in inner)]),
            np.array(forms, dtype=np.int32),
            pieces,
            np.array([shape in RUNNING for shape in self.forms]),
            np.array([[value(token) for token in inner] for value in LEXICON.values()], dtype=np.float32),
            {"parts": list(self.parts), "pattern": list(self.forms), "": list(self.number)},
        )


class Tables(NamedTuple):
    """What there is to know per token number."""

    words: Mask
    """Whether it is more than white space."""
    forms: Ids
    parts: Ids
    """(tokens, 3), -1: none."""
    running: Mask
    """Per form, whether a run of it counts as one."""
    habits: npt.NDArray[np.float32]
    """(habits of the lexicon, tokens but the edges)."""
    names: dict[str, list[str]]


class Runs(NamedTuple):
    """All runs of one length in a stream: where each starts, and its hash."""

    kind: str
    stream: Ids
    text: Ids
    """The text of each place in the stream."""
    size: int
    start: Ints
    hashes: Hashes

    @property
    def keys(self) -> Hashes:
        """The numbers that the runs are known by, with the text in the low bits."""
        kind = np.uint64(KINDS.index(self.kind)) << _KIND
        return ((self.hashes >> np.uint64(3)) & ~_TEXT) | kind | self.text[self.start].astype(np.uint64)


Stream: TypeAlias = tuple[Tables, Sequence[Ids], frozenset[str]]
"""Texts as tokens, chosen and rejected in turn, and the kinds of runs to look at in them."""


def hashed(tables: Tables, ids: Ids, owner: Ids, kinds: Collection[str]) -> Iterator[Runs]:
    """The runs of these kinds in texts one behind the other; `owner` tells the text of each token."""
    if "words" in kinds:
        yield from _of_words(tables, ids, owner)
    if "pattern" in kinds:
        yield from _of_forms(tables, ids, owner)


def _of_words(tables: Tables, ids: Ids, owner: Ids) -> Iterator[Runs]:
    inside = tables.words[ids]
    words, text = ids[inside], owner[inside]
    edge = np.flatnonzero(np.diff(text, prepend=-1, append=-1))
    first, past = edge[:-1], edge[1:]
    for size, start, hashes in _runs(words, text, LONGEST["words"]):
        yield Runs("words", words, text, size, start, hashes)
        for kind, at in (("first", first), ("last", past - size)):
            place = np.minimum(np.searchsorted(start, at), max(0, len(start) - 1))
            place = place[start[place] == at] if len(start) else place[:0]
            yield Runs(kind, words, text, size, start[place], hashes[place])


def _of_forms(tables: Tables, ids: Ids, owner: Ids) -> Iterator[Runs]:
    for column in tables.parts.T:
        pieces = column[ids]
        start = np.flatnonzero(pieces >= 0)
        yield Runs("parts", pieces, owner, 1, start, _mixed(pieces[start].astype(np.uint64)))
    shapes = tables.forms[ids]
    kept: Mask = np.ones(len(shapes), np.bool_)
    kept[1:] = (shapes[1:] != shapes[:-1]) | ~tables.running[shapes[1:]]
    shapes, text = shapes[kept], owner[kept]
    for size, start, hashes in _runs(shapes, text, LONGEST["pattern"]):
        yield Runs("pattern", shapes, text, size, start, hashes)


def _runs(stream: Ids, text: Ids, longest: int) -> Iterator[tuple[int, Ints, Hashes]]:
    """The runs of one, two ... tokens that lie within one text: size, starts, hashes."""
    numbers = stream.astype(np.uint64) + np.uint64(1)
    hashes = _mixed(numbers)
    for size in range(1, longest + 1):
        if size > 1:
            hashes = _mixed((hashes[:-1] * _NEXT) ^ numbers[size - 1 :])
        start = np.flatnonzero(text[: len(hashes)] == text[size - 1 :])
        yield size, start, hashes[start]


def _mixed(numbers: Hashes) -> Hashes:
    numbers = (numbers ^ (numbers >> _TURN)) * _SPREAD
    numbers = (numbers ^ (numbers >> _TURN)) * _NEXT
    return np.asarray(numbers ^ (numbers >> _TURN))


def discordant(streams: Sequence[Stream], start: int) -> tuple[Hashes, Ids, npt.NDArray[np.int8]]:
    """What stands on one side only in the texts from `start` on: key, number of the pair, +1 chosen or -1 rejected."""
    keys = []
    for tables, texts, kinds in streams:
        some = texts[start : start + TEXTS]
        owner: Ids = np.repeat(np.arange(len(some), dtype=np.int32), [len(text) for text in some])
        keys += [runs.keys for runs in hashed(tables, np.concatenate(some), owner, kinds)]
    found = np.concatenate(keys)
    found.sort()
    found = found[np.diff(found, prepend=found[:1] ^ np.uint64(1)) != 0]
    pair = found >> np.uint64(1)
    twin: Mask = np.zeros(len(found), np.bool_)
    np.equal(pair[1:], pair[:-1], out=twin[1:])
    twin[:-1] |= twin[1:]
    found = found[~twin]
    sign = (1 - 2 * (found & np.uint64(1)).astype(np.int8)).astype(np.int8)
    return found >> LOW, ((found & _TEXT) >> np.uint64(1)).astype(np.int32) + np.int32(start // 2), sign


def name(streams: Sequence[Stream], text: int, key: int) -> tuple[str, Words]:
    """Kind and tokens of a feature that stands in this text. Raises KeyError where it doesn't."""
    for tables, texts, kinds in streams:
        ids = texts[text]
        for runs in hashed(tables, ids, np.zeros(len(ids), np.int32), kinds):
            place = np.flatnonzero(runs.keys >> LOW == np.uint64(key))
            if len(place):
                names = tables.names.get(runs.kind, tables.names[""])
                start = int(runs.start[place[0]])
                return runs.kind, tuple(names[token] for token in runs.stream[start : start + runs.size])
    raise KeyError(key)


def summed(tables: Tables, texts: Sequence[Ids]) -> Iterator[Floats]:
    """How much of each habit of the lexicon the texts hold, habit by habit."""
    ids = np.concatenate(texts)
    start = np.cumsum([0, *map(len, texts[:-1])])
    for habit in tables.habits:
        values = np.concatenate([np.zeros(2, np.float32), habit])
        yield np.add.reduceat(values[ids], start).astype(np.float64)
