"""N-grams of many texts at once by feature hashing: 64 bits hold the kind, a hash of 50 bits and the text.

A hash stands for its n-gram: among 30 million different n-grams less than one collision is expected.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Hashable, Iterator, Sequence
from itertools import count
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from ..arrays import Floats, Hashes, Ids, Ints, Mask, Signs
from .features import COLLAPSED, KINDS, LONGEST, Words, is_word, parts, word_shape
from .style import LEXICON

TEXTS = 1 << 11
"""How many texts are hashed at once; the number of the text takes the low 11 bits."""
HASH_BITS = 50
_TEXT_BITS = np.uint64(11)
_TEXT_MASK = np.uint64(TEXTS - 1)
_KIND_SHIFT, _MIX_SHIFT = np.uint64(61), np.uint64(31)
_MIX_1, _MIX_2 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)


def numbering(*known: Hashable) -> defaultdict[Any, int]:
    """Return a dict that gives the next number to a new key."""
    return defaultdict(count(len(known)).__next__, zip(known, count(), strict=False))


class TokenIndex:
    """Numbers for tokens, for their shapes and for their parts."""

    def __init__(self) -> None:
        self.number = numbering("\x02", "\x03")
        self.shapes = numbering("^", "$")
        self.parts = numbering()

    def ids(self, tokens: Sequence[str]) -> Ids:
        """Return the numbers of the tokens between those of the edges."""
        return np.array([0, *map(self.number.__getitem__, tokens), 1], dtype=np.int32)

    def tables(self, all_words: bool = False) -> TokenTables:
        """Return what is known of each token; `all_words` takes white space for words, as a model's tokenizer does."""
        inner = list(self.number)[2:]
        pieces: Ids = np.full((len(self.number), 3), -1, np.int32)
        for index, token in enumerate(inner, 2):
            for place, piece in enumerate(parts(token)):
                pieces[index, place] = self.parts[piece]
        shapes = [0, 1, *(self.shapes[word_shape(token)] for token in inner)]
        return TokenTables(
            np.array([False, False, *(all_words or is_word(token) for token in inner)]),
            np.array(shapes, dtype=np.int32),
            pieces,
            np.array([shape in COLLAPSED for shape in self.shapes]),
            np.array([[value(token) for token in inner] for value in LEXICON.values()], dtype=np.float32),
            {"parts": list(self.parts), "pattern": list(self.shapes), "": list(self.number)},
        )


class TokenTables(NamedTuple):
    """What is known of each token, by its number."""

    words: Mask
    """Whether it is more than white space."""
    shapes: Ids
    parts: Ids
    """(tokens, 3), -1: none."""
    collapsed: Mask
    """Per shape, whether several in a row count as one."""
    lexicon: npt.NDArray[np.float32]
    """(habits of the lexicon, tokens but the edges)."""
    names: dict[str, list[str]]


class NGrams(NamedTuple):
    """All n-grams of one size and kind: where each begins in the token ids, and its hash."""

    kind: str
    ids: Ids
    text: Ids
    """The text of each token id."""
    size: int
    start: Ints
    hashes: Hashes

    @property
    def keys(self) -> Hashes:
        """The kind, the hash and, in the low bits, the text."""
        kind = np.uint64(KINDS.index(self.kind)) << _KIND_SHIFT
        return ((self.hashes >> np.uint64(3)) & ~_TEXT_MASK) | kind | self.text[self.start].astype(np.uint64)


TokenizedTexts: TypeAlias = tuple[TokenTables, Sequence[Ids], frozenset[str]]
"""Texts as token ids, chosen and rejected alternating, and the kinds of n-grams that are made of them."""


def hash_ngrams(tables: TokenTables, ids: Ids, text: Ids, kinds: Collection[str]) -> Iterator[NGrams]:
    """Yield the n-grams of these kinds in concatenated texts; `text` is the text of each token id."""
    if "words" in kinds:
        inside = tables.words[ids]
        words, owner = ids[inside], text[inside]
        edge = np.flatnonzero(np.diff(owner, prepend=-1, append=-1))
        for size, start, hashes in _rolling_hashes(words, owner, LONGEST["words"]):
            yield NGrams("words", words, owner, size, start, hashes)
            for kind, at in (("first", edge[:-1]), ("last", edge[1:] - size)):
                place = np.minimum(np.searchsorted(start, at), max(0, len(start) - 1))
                place = place[start[place] == at] if len(start) else place[:0]
                yield NGrams(kind, words, owner, size, start[place], hashes[place])
    if "pattern" in kinds:
        for column in tables.parts.T:
            pieces = column[ids]
            start = np.flatnonzero(pieces >= 0)
            yield NGrams("parts", pieces, text, 1, start, _mixed(pieces[start].astype(np.uint64)))
        shapes = tables.shapes[ids]
        kept: Mask = np.ones(len(shapes), np.bool_)
        kept[1:] = (shapes[1:] != shapes[:-1]) | ~tables.collapsed[shapes[1:]]
        shapes, owner = shapes[kept], text[kept]
        for size, start, hashes in _rolling_hashes(shapes, owner, LONGEST["pattern"]):
            yield NGrams("pattern", shapes, owner, size, start, hashes)


def _rolling_hashes(ids: Ids, text: Ids, longest: int) -> Iterator[tuple[int, Ints, Hashes]]:
    """Yield size, starts and hashes of the n-grams of one, two ... tokens that lie within one text."""
    numbers = ids.astype(np.uint64) + np.uint64(1)
    hashes = _mixed(numbers)
    for size in range(1, longest + 1):
        if size > 1:
            hashes = _mixed((hashes[:-1] * _MIX_2) ^ numbers[size - 1 :])
        start = np.flatnonzero(text[: len(hashes)] == text[size - 1 :])
        yield size, start, hashes[start]


def _mixed(numbers: Hashes) -> Hashes:
    numbers = (numbers ^ (numbers >> _MIX_SHIFT)) * _MIX_1
    numbers = (numbers ^ (numbers >> _MIX_SHIFT)) * _MIX_2
    return np.asarray(numbers ^ (numbers >> _MIX_SHIFT))


def discordant(inputs: Sequence[TokenizedTexts]) -> Iterator[tuple[Hashes, Ids, Signs]]:
    """Yield in chunks the n-grams on one side of a pair only: key, number of the pair, +1 chosen or -1 rejected."""
    for first in range(0, len(inputs[0][1]), TEXTS):
        keys = []
        for tables, texts, kinds in inputs:
            some = texts[first : first + TEXTS]
            owner: Ids = np.repeat(np.arange(len(some), dtype=np.int32), list(map(len, some)))
            keys += [ngrams.keys for ngrams in hash_ngrams(tables, np.concatenate(some), owner, kinds)]
        found = np.concatenate(keys)
        found.sort()
        found = found[np.diff(found, prepend=found[:1] ^ np.uint64(1)) != 0]
        pair = found >> np.uint64(1)
        twin: Mask = np.zeros(len(found), np.bool_)
        np.equal(pair[1:], pair[:-1], out=twin[1:])
        twin[:-1] |= twin[1:]
        found = found[~twin]
        sign = (1 - 2 * (found & np.uint64(1)).astype(np.int8)).astype(np.int8)
        yield found >> _TEXT_BITS, ((found & _TEXT_MASK) >> np.uint64(1)).astype(np.int32) + np.int32(first // 2), sign


def decode(inputs: Sequence[TokenizedTexts], text: int, key: int) -> tuple[str, Words]:
    """Return kind and tokens of an n-gram that is in this text. Raises KeyError where it isn't."""
    for tables, texts, kinds in inputs:
        ids = texts[text]
        for ngrams in hash_ngrams(tables, ids, np.zeros(len(ids), np.int32), kinds):
            place = np.flatnonzero(ngrams.keys >> _TEXT_BITS == np.uint64(key))
            if len(place):
                names = tables.names.get(ngrams.kind, tables.names[""])
                start = int(ngrams.start[place[0]])
                return ngrams.kind, tuple(names[token] for token in ngrams.ids[start : start + ngrams.size])
    raise KeyError(key)


def lexicon_sums(tables: TokenTables, texts: Sequence[Ids]) -> Iterator[Floats]:
    """Yield for each habit of the lexicon how much of it the texts hold."""
    ids = np.concatenate(texts)
    start = np.cumsum([0, *map(len, texts[:-1])])
    for values in tables.lexicon:
        yield np.add.reduceat(np.concatenate([np.zeros(2, np.float32), values])[ids], start).astype(np.float64)
