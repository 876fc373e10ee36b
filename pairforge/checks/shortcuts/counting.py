"""Counts in all rows how often the features that were found are on which side."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from .baseline_classifier import FOLDS, folds
from .extraction import contains_term
from .feature_matrix import Floats
from .features import Feature, Split, contains, is_word, parts, tokenize, word_shapes
from .pair_sample import AuditPair
from .style import LENGTH, LEXICON, STYLE

_CHUNK = 1000
_EXAMPLES = 3
_SignSums: TypeAlias = npt.NDArray[np.int32]


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

    The word before and the word after may belong to the term.
    """
    for term in terms:
        for text, changed in ((one, other), (other, one)):
            if term in text and any(_is_replaced(longer, text, changed) for longer in _extended_terms(term, text)):
                return True
    return False


def _extended_terms(term: str, text: str) -> Iterator[str]:
    """Yield a term, and the same with the word that is before or after it everywhere in the text."""
    yield term
    for pattern in (rf"{re.escape(term)}\s?\w+", rf"\w+\s?{re.escape(term)}"):
        found = set(re.findall(pattern, text))
        if len(found) == 1:
            yield found.pop()


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

    wins: int = 0
    losses: int = 0
    prompts: int = 0
    win_rate: float = 0.5
    """Share of the signs that agree with the majority in the other four fifths of the prompts."""
    chosen_rate: float = 0.0
    rejected_rate: float = 0.0
    examples: tuple[int, ...] = ()


class FeatureCounter:
    """Measures features in the answers of pairs."""

    def __init__(self, features: Sequence[Feature], by: Split | None = None) -> None:
        self.features, self.by = features, by
        self.measures = [feature_measure(feature) for feature in features]
        self.terms = [feature.name for feature in features if feature.kind == "term"]
        self.is_term = np.array([feature.kind == "term" for feature in features], np.bool_)

    def measure(self, pairs: Sequence[tuple[str, str]]) -> Floats:
        """Return how much of each feature the chosen and the rejected answer hold, (pairs, 2, features)."""
        flat = [text for pair in pairs for text in pair]
        words = self.by(flat) if self.by else [None] * len(flat)
        texts = list(map(TokenizedText, flat, words))
        found = np.array([[measure(text) for measure in self.measures] for text in texts], np.float64)
        found = found.reshape(len(pairs), 2, len(self.features))
        for index, (chosen, rejected) in enumerate(pairs if self.terms else ()):
            if differs_in_term_only(self.terms, chosen, rejected):
                found[index][:, ~self.is_term] = np.nan
        return found


class _GroupSums:
    """Sums of signs by group of pairs, in the order in which the groups appear."""

    def __init__(self, features: int) -> None:
        self.number: dict[bytes, int] = {}
        self._sums: _SignSums = np.zeros((1, features), np.int32)

    def add(self, groups: Iterable[bytes], signs: _SignSums) -> None:
        at = [self.number.setdefault(group, len(self.number)) for group in groups]
        if len(self.number) > len(self._sums):
            missing = 2 * len(self.number) - len(self._sums)
            self._sums = np.pad(self._sums, ((0, missing), (0, 0)))
        np.add.at(self._sums, at, signs)

    def majority(self) -> _SignSums:
        return np.sign(self._sums[: len(self.number)])


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
    prompts, contexts = _GroupSums(len(features)), _GroupSums(len(features))
    held, total = np.zeros((2, len(features))), 0
    examples: list[list[int]] = [[] for _ in features]
    for chunk, found in _measured(pairs, FeatureCounter(features, by), jobs):
        signs = np.nan_to_num(np.sign(found[:, 0] - found[:, 1])).astype(np.int32)
        prompts.add([pair.prompt for pair in chunk], signs)
        contexts.add([pair.context for pair in chunk], signs)
        total += len(chunk)
        for index, feature in enumerate(features):
            one, other = found[:, 0, index], found[:, 1, index]
            sides = ((one > 0), (other > 0)) if feature.tokens or feature.kind == "term" else (one > other, other > one)
            held[:, index] += [side.sum() for side in sides]
            if len(examples[index]) < _EXAMPLES:
                rows = np.flatnonzero(signs[:, index] == favours[index])[:_EXAMPLES]
                examples[index] += [chunk[row].row for row in rows]
    made, by_prompt, by_context = list[FeatureCounts](), prompts.majority(), contexts.majority()
    for index, feature in enumerate(features):
        signs = (by_context if feature.kind == "term" else by_prompt)[:, index]
        wins, losses = int((signs > 0).sum()), int((signs < 0).sum())
        chosen, rejected = (held[:, index] / max(1, total)).tolist()
        some, win_rate = tuple(examples[index][:_EXAMPLES]), _cross_validated_win_rate(signs)
        made.append(FeatureCounts(wins, losses, len(signs), win_rate, chosen, rejected, some))
    return made, len(prompts.number)


def _cross_validated_win_rate(signs: _SignSums) -> float:
    fold, hits = folds(len(signs)), 0.0
    for one in range(FOLDS):
        here = signs[fold == one]
        majority = np.sign(signs.sum() - here.sum())
        hits += float(np.sum(here == majority) if majority else np.sum(here != 0) / 2)
    return hits / int(np.count_nonzero(signs)) if signs.any() else 0.5


def _measured(
    pairs: Iterable[AuditPair], counter: FeatureCounter, jobs: int
) -> Iterator[tuple[list[AuditPair], Floats]]:
    """Yield the pairs in chunks, with what was measured in them."""
    stream = (pair for pair in pairs if pair.chosen != pair.rejected)
    chunks = iter(lambda: list(islice(stream, _CHUNK)), [])
    if jobs < 2 or getattr(counter.by, "__module__", "") == "__main__":  # other processes can't import that
        for chunk in chunks:
            yield chunk, counter.measure(_texts(chunk))
        return
    from ...processes import OrderedPool

    with OrderedPool(jobs, _measuring, counter.features, counter.by) as pool:
        waiting = deque[list[AuditPair]]()
        for chunk in chunks:
            waiting.append(chunk)
            yield from ((waiting.popleft(), found) for found in pool.put(_texts(chunk)))
        yield from ((waiting.popleft(), found) for found in pool.results())


def _texts(chunk: Sequence[AuditPair]) -> list[tuple[str, str]]:
    return [(pair.chosen, pair.rejected) for pair in chunk]


def _measuring(features: Sequence[Feature], by: Split | None) -> Callable[[Sequence[tuple[str, str]]], Floats]:
    return FeatureCounter(features, by).measure
