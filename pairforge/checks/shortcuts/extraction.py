"""Extraction of all features of the sampled pairs into one matrix: which side of a pair holds more of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from ..arrays import Floats, Hashes, Ids, Signs
from .feature_hashing import (
    HASH_BITS,
    TokenIndex,
    TokenizedTexts,
    TokenTables,
    decode,
    discordant,
    lexicon_sums,
)
from .feature_matrix import FeatureMatrix
from .features import KINDS, Feature, Split, contains, join_words, tokenize_all, words
from .pair_sample import AnswerTable
from .style import LENGTH, LEXICON, STYLE

_MAX_ENTRIES = 30_000_000
"""The n-grams seen most are kept, up to so many matrix entries."""
_LEAST = 3
_BUCKET_BITS = 24
_AT_ONCE = 500


@dataclass(frozen=True)
class ExtractedFeatures:
    """The feature matrix of the answers, by pair, with the sizes of the answers and how similar they are."""

    matrix: FeatureMatrix
    sizes: Floats
    """(pairs, 2 sides, 2): characters, words."""
    similarity: Floats
    """Share of words that the two answers have in common, per pair."""


def extract_features(answers: AnswerTable, expect: Sequence[str], by: Split | None = None) -> ExtractedFeatures:
    """Return all features; `by` splits texts into other tokens than words."""
    tables, texts = _tokenized(answers, tokenize_all)
    inputs: list[TokenizedTexts] = [(tables, texts, frozenset({"pattern"} if by else {"words", "pattern"}))]
    if by:
        inputs.append((*_tokenized(answers, by), frozenset({"words"})))
    counts = [int(tables.words[ids].sum()) for ids in texts]
    characters = [len(text) for pair in answers.pairs() for text in pair]
    sizes = np.column_stack([characters, counts]).astype(np.float64).reshape(-1, 2, 2)
    named, dense = _dense(answers, expect, sizes, tables, texts)
    sparse = _sparse(inputs)
    keys, witness = sparse.keys, np.concatenate(sparse.witness)
    line, column = np.nonzero(dense)

    @cache
    def lookup(index: int) -> Feature:
        if index < len(named):
            return named[index]
        at = index - len(named)
        kind, tokens = decode(inputs, int(witness[at]), int(keys[at]))
        joined = " ".join(tokens) if kind == "pattern" else "".join(tokens) if by else join_words(tokens)
        return Feature(kind, escape_surrogates(joined), tokens)

    matrix = FeatureMatrix(
        lookup,
        np.concatenate([[KINDS.index(one.kind) for one in named], (keys >> np.uint64(HASH_BITS)).astype(np.int64)]),
        np.concatenate([line.astype(np.int32), sparse.feature + np.int32(len(named))]),
        np.concatenate([column.astype(np.int32), sparse.pair]),
        np.concatenate([dense[line, column], sparse.sign]),
        len(answers.row),
    )
    sets = [set(ids.tolist()) for ids in texts]
    pairs = zip(sets[::2], sets[1::2], strict=True)
    similarity = np.array([2 * (len(a & b) - 2) / max(1, len(a) + len(b) - 4) for a, b in pairs])
    return ExtractedFeatures(matrix, sizes, similarity)


def escape_surrogates(text: str) -> str:
    """Return a text that can be written as UTF-8: lone surrogates as escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


def _tokenized(answers: AnswerTable, by: Split) -> tuple[TokenTables, list[Ids]]:
    """Return all texts as token ids, chosen and rejected alternating."""
    index, texts = TokenIndex(), list[Ids]()
    for start in range(0, len(answers.row), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        sides = zip(answers.chosen[part], answers.rejected[part], strict=True)
        texts += map(index.ids, by([text for pair in sides for text in pair]))
    return index.tables(all_words=by is not tokenize_all), texts


class _SparseEntries:
    """Matrix entries of n-grams, which are numbered in order of appearance; room for all entries is allocated once."""

    def __init__(self, room: int) -> None:
        self.feature: Ids = np.empty(room, np.int32)
        self.pair: Ids = np.empty(room, np.int32)
        self.sign: Signs = np.empty(room, np.int8)
        self.witness: list[Ids] = []
        """For each n-gram a text that holds it."""
        self._size = 0
        self._sorted: Hashes = np.empty(0, np.uint64)
        self._number: Ids = np.empty(0, np.int32)

    def add(self, keys: Hashes, pair: Ids, sign: Signs) -> None:
        """Take in entries."""
        new, first = np.unique(keys, return_index=True)
        fresh = ~np.isin(new, self._sorted, assume_unique=True)
        new, first = new[fresh], first[fresh]
        at = np.searchsorted(self._sorted, new)
        numbers = np.arange(len(new), dtype=np.int32) + np.int32(len(self._number))
        self._sorted, self._number = np.insert(self._sorted, at, new), np.insert(self._number, at, numbers)
        self.witness.append(2 * pair[first] + (sign[first] < 0))
        part = slice(self._size, self._size + len(keys))
        self.feature[part] = self._number[np.searchsorted(self._sorted, keys)]
        self.pair[part], self.sign[part] = pair, sign
        self._size = part.stop

    @property
    def keys(self) -> Hashes:
        """The keys of the n-grams by their number."""
        return self._sorted[np.argsort(self._number)]


def _sparse(inputs: Sequence[TokenizedTexts]) -> _SparseEntries:
    """Return the entries of all n-grams that are seen at least 3 times, and more often where room is short.

    They are counted in hash buckets first, so that no frequent n-gram is lost.
    """
    tokens = sum(len(ids) for _, texts, _ in inputs for ids in texts)
    bits = np.uint64(HASH_BITS - min(_BUCKET_BITS, max(12, tokens.bit_length() + 3)))
    low = np.uint64((1 << HASH_BITS) - 1)
    buckets: Ids = np.zeros(1 << (HASH_BITS - int(bits)), np.int32)
    for keys, _, _ in discordant(inputs):
        np.add.at(buckets, (keys & low) >> bits, 1)
    often = np.bincount(buckets)
    entries = np.cumsum((often * np.arange(len(often)))[::-1])[::-1]
    least = max(_LEAST, int(np.searchsorted(-entries, -_MAX_ENTRIES)))
    frequent = buckets >= least
    del buckets
    found = _SparseEntries(int(entries[least]) if least < len(entries) else 0)
    for keys, pair, sign in discordant(inputs):
        mask = frequent[(keys & low) >> bits]
        found.add(keys[mask], pair[mask], sign[mask])
    return found


def _dense(
    answers: AnswerTable,
    expect: Sequence[str],
    sizes: Floats,
    tables: TokenTables,
    texts: Sequence[Ids],
) -> tuple[list[Feature], Signs]:
    """Return the features that are a number per text or an expected term, and their signs, (features, pairs)."""
    differences = {Feature("length", name): sizes[:, 0, n] - sizes[:, 1, n] for n, name in enumerate(LENGTH)}
    for name, measure in STYLE.items():
        differences[Feature("style", name)] = np.array([measure(a) - measure(b) for a, b in answers.pairs()], float)
    for name, held in zip(LEXICON, lexicon_sums(tables, texts), strict=True):
        differences[Feature("style", name)] = held[::2] - held[1::2]
    for term in expect:
        feature = Feature("term", term, tuple(words(term)))
        held = [[contains_term(text, feature) for text in pair] for pair in answers.pairs()]
        differences[feature] = np.array([a - b for a, b in held], float)
    return list(differences), np.sign(list(differences.values())).astype(np.int8)


def contains_term(text: str, term: Feature) -> bool:
    """Return whether the words of an expected term are in a text."""
    run = term.tokens
    return run[0] in text and contains(words(text), run) if run else term.name in text
