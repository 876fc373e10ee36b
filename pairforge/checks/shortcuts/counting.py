"""Counts in all rows how often the features that were found are on which side."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import chain, product, tee
from tempfile import SpooledTemporaryFile
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ...readers.spool import batched
from ..arrays import Floats, Hashes, Ids, Ints
from .baseline_classifier import FOLDS, folds
from .extraction import contains_term
from .features import Feature, Split, contains, is_word, parts, tokenize, word_shapes
from .pair_sample import AuditPair
from .style import LENGTH, LEXICON, STYLE

_CHUNK = 1000
_EXAMPLES = 3
_LONGEST = 64
"""Characters of the text that may stand in place of a term."""
_PARTS = 16
"""What the pairs say of the features is counted in so many parts, by the hash of the prompt: one is held at a time."""
_IN_MEMORY = 1 << 20
"""Bytes of a part that are not written to disk."""
Votes: TypeAlias = npt.NDArray[np.void]
"""For each pair the hashes of its prompt and of its context, and its `signs`: on which side each feature is."""


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
        if term in text and any(_is_replaced(words, text, changed) for words in chain([term], _longer(term, text))):
            return True
    return False


def _longer(term: str, text: str) -> Iterator[str]:
    """Yield the term with the word after it, and with the word before it, where that is the same everywhere."""
    for pattern in _with_neighbour(term):
        if len(found := set(pattern.findall(text))) == 1:
            yield found.pop()


@cache
def _with_neighbour(term: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    return re.compile(rf"{re.escape(term)}\s?\w+"), re.compile(rf"\w+\s?{re.escape(term)}")


def _is_replaced(term: str, one: str, other: str) -> bool:
    """Return whether the other text is this one with some short text in place of every `term`."""
    first, *rest = kept = one.split(term)
    if not rest or not other.startswith(first):
        return False
    size, left = divmod(len(other) - sum(map(len, kept)), len(rest))
    return not left and 1 <= size <= _LONGEST and other == other[len(first) : len(first) + size].join(kept)


@dataclass
class FeatureCounts:
    """The counts of one feature by prompt; those of a term by prompt with its system message."""

    wins: int
    losses: int
    prompts: int
    win_rate: float
    """Share of the signs that agree with the majority in the other folds of the prompts; a tie there is a half."""
    chosen_rate: float
    rejected_rate: float
    examples: tuple[int, ...]

    @classmethod
    def of(cls, signs: Ints, chosen: float, rejected: float, examples: Sequence[int]) -> FeatureCounts:
        """Return the counts, given how many prompts of each fold have which sign: see `count_votes`."""
        losses, _, wins = signs.T
        lead = (wins - losses).sum() - (wins - losses)  # in the other folds
        hits = np.where(lead > 0, wins, np.where(lead < 0, losses, (wins + losses) / 2)).sum()
        apart = int((wins + losses).sum())
        rate = float(hits) / apart if apart else 0.5
        return cls(int(wins.sum()), int(losses.sum()), int(signs.sum()), rate, chosen, rejected, tuple(examples))


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
    rows, held, examples = 0, np.zeros((2, len(features))), [list[int]() for _ in features]
    present = [bool(one.tokens) or one.kind == "term" for one in features]
    with ExitStack() as stack:
        parts = [stack.enter_context(SpooledTemporaryFile(_IN_MEMORY)) for _ in range(_PARTS)]
        for chunk, found in _measured(pairs, features, jobs, by):
            votes = _votes(chunk, found)
            part = votes["prompt"] % np.uint64(_PARTS)
            for number, file in enumerate(parts):
                file.write(votes[part == number].tobytes())
            rows += len(chunk)
            held += np.where(present, found > 0, found > found[:, ::-1]).sum(0)
            for few, of_feature, side in zip(examples, votes["signs"].T, favours, strict=True):
                if room := _EXAMPLES - len(few):
                    few += [chunk[at].row for at in np.flatnonzero(of_feature == side)[:room]]
        signs: Ints = np.zeros((len(features), FOLDS, 3), np.int64)
        prompts, is_term = 0, [one.kind == "term" for one in features]
        for file in parts:
            file.seek(0)
            of_part, in_part = count_votes(np.frombuffer(file.read(), _vote_type(len(features))), is_term)
            signs, prompts = signs + of_part, prompts + in_part
    chosen, rejected = (held / max(1, rows)).tolist()
    counts = zip(signs, chosen, rejected, examples, strict=True)
    return [FeatureCounts.of(*of_feature) for of_feature in counts], prompts


def _vote_type(features: int) -> np.dtype[np.void]:
    columns: Any = [("prompt", "<u8"), ("context", "<u8"), ("signs", "i1", (features,))]
    made: np.dtype[np.void] = np.dtype(columns)
    return made


def _votes(pairs: Sequence[AuditPair], found: Floats) -> Votes:
    votes: Votes = np.empty(len(pairs), _vote_type(found.shape[2]))
    votes["prompt"] = np.frombuffer(b"".join([pair.prompt for pair in pairs]), "<u8")
    votes["context"] = np.frombuffer(b"".join([pair.context for pair in pairs]), "<u8")
    votes["signs"] = np.nan_to_num(np.sign(found[:, 0] - found[:, 1]))
    return votes


def count_votes(votes: Votes, by_context: Sequence[bool]) -> tuple[Ints, int]:
    """Return how many prompts of each fold have which sign, (features, folds, signs -1, 0, +1), and how many there are.

    The sign of a prompt is that of most of its pairs. What parts return adds up, where no prompt is in two of them.
    """
    counts: Ints = np.zeros((len(by_context), FOLDS, 3), np.int64)
    _, *prompts = np.unique(votes["prompt"], return_index=True, return_inverse=True)
    _, *contexts = np.unique(votes["context"], return_index=True, return_inverse=True)
    for index, own in enumerate(by_context):
        first, group = contexts if own else prompts
        sign = np.sign(np.bincount(group, votes["signs"][:, index], len(first))).astype(np.int64)
        cell = 3 * folds(votes["prompt"][first]) + sign + 1
        counts[index] = np.bincount(cell, minlength=3 * FOLDS).reshape(FOLDS, 3)
    return counts, len(prompts[0])


def numbered(keys: Hashes) -> Ids:
    """Return the number of each key, in the order in which they appear."""
    _, first, place = np.unique(keys, return_index=True, return_inverse=True)
    number: Ids = np.empty(len(first), np.int32)
    number[np.argsort(first)] = np.arange(len(first))
    return number[place]


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
