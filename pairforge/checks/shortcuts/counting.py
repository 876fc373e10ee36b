"""Counts in all rows how often the features that were found are on which side."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, product, tee
from typing import TypeAlias

import numpy as np

from ...readers.spool import batched
from ..arrays import Floats, Hashes, Ids, Signs
from .baseline_classifier import FOLDS, folds
from .extraction import contains_term
from .features import Feature, Split, contains, is_word, parts, tokenize, word_shapes
from .pair_sample import AuditPair
from .style import LENGTH, LEXICON, STYLE

_CHUNK = 1000
_EXAMPLES = 3


class TokenizedText:
    """A text with its tokens, words and word shapes, which are made when they are needed."""

    def __init__(self, text: str, words: list[str] | None = None) -> None:
        self.text = text
        if words is not None:
            self.words = words

    @cached_property
    def tokens(self) -> list[str]:
        return tokenize(self.text)

    @cached_property
    def words(self) -> list[str]:
        """The words, or the tokens that take their place."""
        return list(filter(is_word, self.tokens))

    @cached_property
    def shapes(self) -> list[str]:
        return word_shapes(self.tokens)


FeatureMeasure: TypeAlias = Callable[[TokenizedText], float]


def feature_measure(feature: Feature) -> FeatureMeasure:
    """Return the function that says how much of a feature a text holds."""
    name, run = feature.name, feature.tokens
    size = len(run)
    of_kind: dict[str, FeatureMeasure] = {
        "length": lambda text: LENGTH[name](text.text, [one for one in text.tokens if is_word(one)]),
        "style": lambda text: STYLE[name](text.text) if name in STYLE else sum(map(LEXICON[name], text.tokens)),
        "term": lambda text: contains_term(text.text, feature),
        "first": lambda text: run[0] in text.text and tuple(text.words[:size]) == run,
        "last": lambda text: run[0] in text.text and tuple(text.words[-size:]) == run,
        "words": lambda text: run[0] in text.text and contains(text.words, run),
        "parts": lambda text: run[0].strip("-") in text.text.lower() and any(run[0] in parts(w) for w in text.tokens),
        "pattern": lambda text: contains(text.shapes, run),
    }
    return of_kind[feature.kind]


def differs_in_term_only(terms: Sequence[str], one: str, other: str) -> bool:
    """Return whether a pair differs in an expected term and in nothing else, so that length and style follow from it.

    The word before and the word after may belong to the term, where it is the same everywhere in the text.
    """
    for term, (text, changed) in product(terms, ((one, other), (other, one))):
        patterns = (rf"{re.escape(term)}\s?\w+", rf"\w+\s?{re.escape(term)}")
        around = (set(re.findall(pattern, text)) for pattern in patterns)
        longer = (found.pop() for found in around if len(found) == 1)
        if term in text and any(_is_replaced(words, text, changed) for words in chain([term], longer)):
            return True
    return False


def _is_replaced(term: str, one: str, other: str) -> bool:
    """Return whether the other text is this one with some short text in place of every `term`."""
    first, *rest = one.split(term)
    if not rest or not other.startswith(first):
        return False
    pattern = re.escape(first) + "(.{1,64}?)" + r"\1".join(map(re.escape, rest))
    return re.fullmatch(pattern, other, re.DOTALL) is not None


@dataclass
class FeatureCounts:
    """The counts of one feature by prompt; those of a term by prompt with its system message."""

    wins: int
    losses: int
    prompts: int
    win_rate: float
    """Share of the signs that agree with the majority in the other four fifths of the prompts."""
    chosen_rate: float
    rejected_rate: float
    examples: tuple[int, ...]


def pair_measure(features: Sequence[Feature], by: Split | None = None) -> Callable[[Sequence[tuple[str, str]]], Floats]:
    """Return the function that says how much of each feature chosen and rejected answers hold, (pairs, 2, features)."""
    measures = [feature_measure(feature) for feature in features]
    terms = [feature.name for feature in features if feature.kind == "term"]
    other = np.array([feature.kind != "term" for feature in features], np.bool_)

    def measure(pairs: Sequence[tuple[str, str]]) -> Floats:
        flat = [text for pair in pairs for text in pair]
        texts = list(map(TokenizedText, flat, by(flat) if by else [None] * len(flat)))
        found = np.array([[one(text) for one in measures] for text in texts], np.float64)
        found = found.reshape(len(pairs), 2, len(features))
        for index, (chosen, rejected) in enumerate(pairs if terms else ()):
            if differs_in_term_only(terms, chosen, rejected):
                found[index][:, other] = np.nan
        return found

    return measure


def count(
    pairs: Iterable[AuditPair],
    features: Sequence[Feature],
    favours: Sequence[int],
    jobs: int = 1,
    by: Split | None = None,
) -> tuple[list[FeatureCounts], int]:
    """Return the counts of each feature over all pairs, and the number of prompts.

    Args:
        pairs: Those whose answers are the same are left out.
        features: What to count.
        favours: For each feature the side (+1, -1) of which examples are kept.
        jobs: How many processes measure the answers.
        by: Splits texts into other tokens than words.
    """
    keys, signs = bytearray(), bytearray()  # row, prompt and context of each pair; on which side each feature is
    held, present = np.zeros((2, len(features))), [bool(one.tokens) or one.kind == "term" for one in features]
    for chunk, found in _measured(pairs, features, jobs, by):
        keys += b"".join([pair.row.to_bytes(8, "little") + pair.prompt + pair.context for pair in chunk])
        signs += np.nan_to_num(np.sign(found[:, 0] - found[:, 1])).astype(np.int8).tobytes()
        held += np.where(present, found > 0, found > found[:, ::-1]).sum(0)
    row, *asked = np.frombuffer(keys, np.uint64).reshape(-1, 3).T
    prompt, context = map(_numbered, asked)
    sign, counts = np.frombuffer(signs, np.int8).reshape(len(row), len(features)), list[FeatureCounts]()
    for index, feature in enumerate(features):
        group = context if feature.kind == "term" else prompt
        column = np.sign(np.bincount(group, sign[:, index])).astype(np.int8)  # by prompt: what most of its pairs say
        wins, losses = int((column > 0).sum()), int((column < 0).sum())
        chosen, rejected = (held[:, index] / max(1, len(row))).tolist()
        examples = tuple(row[sign[:, index] == favours[index]][:_EXAMPLES].tolist())
        win_rate = _cross_validated_win_rate(column)
        counts.append(FeatureCounts(wins, losses, len(column), win_rate, chosen, rejected, examples))
    return counts, int(prompt.max(initial=-1)) + 1


def _numbered(keys: Hashes) -> Ids:
    """Return the number of each key, in the order in which they appear."""
    _, first, place = np.unique(keys, return_index=True, return_inverse=True)
    number: Ids = np.empty(len(first), np.int32)
    number[np.argsort(first)] = np.arange(len(first))
    return number[place]


def _cross_validated_win_rate(signs: Signs) -> float:
    fold, hits = folds(len(signs)), 0.0
    for one in range(FOLDS):
        here = signs[fold == one]
        majority = np.sign(signs.sum() - here.sum())
        hits += float(np.sum(here == majority) if majority else np.sum(here != 0) / 2)
    return hits / int(np.count_nonzero(signs)) if signs.any() else 0.5


def _measured(
    pairs: Iterable[AuditPair], features: Sequence[Feature], jobs: int, by: Split | None
) -> Iterator[tuple[list[AuditPair], Floats]]:
    """Yield the pairs in chunks, with what was measured in them."""
    stream = (pair for pair in pairs if pair.chosen != pair.rejected)
    chunks, copies = tee(batched(stream, _CHUNK))
    texts = ([(pair.chosen, pair.rejected) for pair in chunk] for chunk in copies)
    if jobs < 2 or getattr(by, "__module__", "") == "__main__":  # other processes can't import that
        yield from zip(chunks, map(pair_measure(features, by), texts), strict=True)
        return
    from ...processes import OrderedPool

    with OrderedPool(jobs, pair_measure, features, by) as pool:
        first = chain.from_iterable(map(pool.put, texts))
        yield from zip(chunks, chain(first, pool.results()), strict=True)
