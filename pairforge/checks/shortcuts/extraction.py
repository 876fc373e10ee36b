"""Everything that stands on one side of a pair more than on the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from . import feature_hashing
from .feature_hashing import FeatureIndex, Hashes, Ids, Tables
from .feature_matrix import FeatureMatrix, FeatureNames, Floats
from .features import KINDS, Feature, Split, holds, phrase, sound, split, words
from .pair_sample import AnswerTable
from .style import LENGTH, LEXICON, STYLE

_ROOM = 30_000_000
"""As many entries are kept: of the features that are seen most."""
_LEAST = 3
_BITS = 24
_AT_ONCE = 500


@dataclass(frozen=True)
class Noticed:
    """The answers with all that was noticed in them; the votes are by pair."""

    answers: AnswerTable
    votes: FeatureMatrix
    sizes: npt.NDArray[np.float64]
    """(pairs, 2 sides, 2): characters, words."""
    similarity: Floats
    """Share of words that the two answers have in common, per pair."""


def notice(answers: AnswerTable, expect: Sequence[str], by: Split | None = None) -> Noticed:
    """The votes of all features; `by` splits texts into other tokens than words."""
    tables, texts = _read(answers, split)
    plain = frozenset({"words", "pattern"} if by is None else {"pattern"})
    streams: list[feature_hashing.Stream] = [(tables, texts, plain)]
    if by:
        streams.append((*_read(answers, by), frozenset({"words"})))
    counts = [int(tables.words[ids].sum()) for ids in texts]
    characters = [len(text) for pair in answers.pairs() for text in pair]
    sizes = np.column_stack([characters, counts]).astype(np.float64).reshape(-1, 2, 2)
    named, dense = _dense(answers, expect, sizes, tables, texts)
    sparse = _sparse(streams)
    found, witness = sparse.keys, sparse.witness
    line, column = np.nonzero(dense)

    def look_up(index: int) -> Feature:
        if index < len(named):
            return named[index]
        at = index - len(named)
        kind, tokens = feature_hashing.name(streams, int(witness[at]), int(found[at]))
        joined = " " if kind == "pattern" else "" if by else None
        shown = phrase(tokens) if joined is None else joined.join(tokens)
        return Feature(kind, sound(shown), tokens)

    kind = [np.array([KINDS.index(one.kind) for one in named], np.int64), (found >> np.uint64(50)).astype(np.int64)]
    votes = FeatureMatrix(
        FeatureNames(look_up, len(named) + len(found)),
        np.concatenate(kind),
        np.concatenate([line.astype(np.int32), sparse.feature + np.int32(len(named))]),
        np.concatenate([column.astype(np.int32), sparse.unit]),
        np.concatenate([dense[line, column], sparse.sign]),
        len(answers.row),
    )
    return Noticed(answers, votes, sizes, _similarity(texts))


def _read(answers: AnswerTable, by: Split) -> tuple[Tables, list[Ids]]:
    """All texts as numbers of tokens, chosen and rejected in turn."""
    vocabulary, texts = FeatureIndex(), list[Ids]()
    for start in range(0, len(answers.row), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        sides = zip(answers.chosen[part], answers.rejected[part], strict=True)
        texts += map(vocabulary.ids, by([text for pair in sides for text in pair]))
    return vocabulary.tables(all_words=by is not split), texts


class _Sparse:
    """Entries of features that are numbered as they turn up, in room that is taken at once."""

    def __init__(self, room: int) -> None:
        self.feature: Ids = np.empty(room, np.int32)
        self.unit: Ids = np.empty(room, np.int32)
        self.sign: npt.NDArray[np.int8] = np.empty(room, np.int8)
        self._size = 0
        self._sorted: Hashes = np.empty(0, np.uint64)
        self._number: Ids = np.empty(0, np.int32)
        self._witness: list[Ids] = []

    def add(self, keys: Hashes, unit: Ids, sign: npt.NDArray[np.int8]) -> None:
        new, first = np.unique(keys, return_index=True)
        fresh = ~np.isin(new, self._sorted, assume_unique=True)
        new, first = new[fresh], first[fresh]
        at = np.searchsorted(self._sorted, new)
        numbers = np.arange(len(new), dtype=np.int32) + np.int32(len(self._number))
        self._sorted, self._number = np.insert(self._sorted, at, new), np.insert(self._number, at, numbers)
        self._witness.append(2 * unit[first] + (sign[first] < 0))
        part = slice(self._size, self._size + len(keys))
        self.feature[part] = self._number[np.searchsorted(self._sorted, keys)]
        self.unit[part], self.sign[part] = unit, sign
        self._size = part.stop

    def end(self) -> _Sparse:
        self.feature, self.unit, self.sign = (one[: self._size] for one in (self.feature, self.unit, self.sign))
        return self

    @property
    def keys(self) -> Hashes:
        """By the number of the feature."""
        return self._sorted[np.argsort(self._number)]

    @property
    def witness(self) -> Ids:
        """A text that holds the feature, by its number."""
        return np.concatenate(self._witness)


def _sparse(streams: Sequence[feature_hashing.Stream]) -> _Sparse:
    """The entries of all runs of tokens that are seen often enough: at least 3 times, and more where room is short.

    Counted first in buckets, by which nothing that is often is lost.
    """
    bits = np.uint64(
        50 - min(_BITS, max(12, sum(len(ids) for _, texts, _ in streams for ids in texts).bit_length() + 3))
    )
    low = np.uint64((1 << 50) - 1)
    buckets: Ids = np.zeros(1 << (50 - int(bits)), np.int32)
    for keys, _, _ in _chunks(streams):
        np.add.at(buckets, (keys & low) >> bits, 1)
    often = np.bincount(buckets)
    kept = np.cumsum((often * np.arange(len(often)))[::-1])[::-1]
    least = max(_LEAST, int(np.searchsorted(-kept, -_ROOM)))
    rich, found = buckets >= least, _Sparse(int(kept[least]) if least < len(kept) else 0)
    del buckets
    for keys, unit, sign in _chunks(streams):
        mask = rich[(keys & low) >> bits]
        found.add(keys[mask], unit[mask], sign[mask])
    return found.end()


def _chunks(streams: Sequence[feature_hashing.Stream]) -> Iterator[tuple[Hashes, Ids, npt.NDArray[np.int8]]]:
    for start in range(0, len(streams[0][1]), feature_hashing.TEXTS):
        yield feature_hashing.discordant(streams, start)


def _dense(
    answers: AnswerTable, expect: Sequence[str], sizes: npt.NDArray[np.float64], tables: Tables, texts: Sequence[Ids]
) -> tuple[list[Feature], npt.NDArray[np.int8]]:
    """What is a number per text, or looked for by name: the features and their votes, (features, pairs)."""
    named, rows = [], []
    for column, name in enumerate(LENGTH):
        named.append(Feature("length", name))
        rows.append(np.sign(sizes[:, 0, column] - sizes[:, 1, column]))
    for name, measure in STYLE.items():
        named.append(Feature("style", name))
        rows.append(np.sign(np.array([measure(a) - measure(b) for a, b in answers.pairs()], dtype=np.float64)))
    for name, held in zip(LEXICON, feature_hashing.summed(tables, texts), strict=True):
        named.append(Feature("style", name))
        rows.append(np.sign(held[::2] - held[1::2]))
    for term in expect:
        run = tuple(words(term))
        named.append(Feature("term", term, run))
        rows.append(np.array([stands(a, term, run) - stands(b, term, run) for a, b in answers.pairs()], np.float64))
    return named, np.array(rows).astype(np.int8)


def stands(text: str, term: str, run: tuple[str, ...]) -> bool:
    """Whether the words of a term stand in the text."""
    return run[0] in text and holds(words(text), run) if run else term in text


def _similarity(texts: Sequence[Ids]) -> Floats:
    sets = [set(ids.tolist()) for ids in texts]
    pairs = zip(sets[::2], sets[1::2], strict=True)
    return np.array([2 * (len(a & b) - 2) / max(1, len(a) + len(b) - 4) for a, b in pairs])
