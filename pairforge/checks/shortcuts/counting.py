"""How often the features that were found stand on which side, in all rows."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from .baseline_classifier import folds
from .extraction import stands
from .feature_matrix import Floats
from .features import Feature, Split, forms, holds, is_word, parts, tokens
from .pair_sample import AuditPair
from .style import LENGTH, LEXICON, STYLE

_CHUNK = 1000
_EXAMPLES = 3


class Text:
    """A text, taken to pieces when they are asked for."""

    def __init__(self, text: str, pieces: list[str] | None = None) -> None:
        self.text = text
        self._pieces = pieces

    @cached_property
    def plain(self) -> list[str]:
        return tokens(self.text)

    @cached_property
    def words(self) -> list[str]:
        """The words, or whatever is looked at instead of words."""
        return _own(self) if self._pieces is None else self._pieces

    @cached_property
    def forms(self) -> list[str]:
        return forms(self.plain)


Measure: TypeAlias = Callable[[Text], float]


def measure(feature: Feature) -> Measure:
    """How much of a feature a text holds."""
    run = feature.tokens
    size = len(run)
    of_kind: dict[str, Measure] = {
        "length": lambda text: LENGTH[feature.name](text.text, _own(text) if feature.name == "words" else ()),
        "style": lambda text: _style(feature.name, text),
        "term": lambda text: stands(text.text, feature.name, run),
        "first": lambda text: run[0] in text.text and tuple(text.words[:size]) == run,
        "last": lambda text: run[0] in text.text and tuple(text.words[-size:]) == run,
        "words": lambda text: run[0] in text.text and holds(text.words, run),
        "parts": lambda text: run[0].strip("-") in text.text.lower() and any(run[0] in parts(w) for w in text.plain),
        "pattern": lambda text: holds(text.forms, run),
    }
    return of_kind[feature.kind]


def _own(text: Text) -> list[str]:
    return [token for token in text.plain if is_word(token)]


def _style(name: str, text: Text) -> float:
    return STYLE[name](text.text) if name in STYLE else sum(map(LEXICON[name], text.plain))


def told_by(terms: Sequence[str], one: str, other: str) -> bool:
    """Whether a pair differs in an expected term and in nothing else: length and style there are the term's doing.

    The word before and the word behind may belong to the term.
    """
    for term in terms:
        for text, changed in ((one, other), (other, one)):
            if term in text and any(_swaps(longer, text, changed) for longer in _grown(term, text)):
                return True
    return False


def _grown(term: str, text: str) -> Iterator[str]:
    """A term, and the same with the word that stands before or behind it wherever it stands in the text."""
    yield term
    for pattern in (rf"{re.escape(term)}\s?\w+", rf"\w+\s?{re.escape(term)}"):
        found = set(re.findall(pattern, text))
        if len(found) == 1:
            yield found.pop()


def _swaps(term: str, one: str, other: str) -> bool:
    """Whether the other text is this one with some short text in place of every `term`."""
    first, *rest = one.split(term)
    if not rest or not other.startswith(first):
        return False
    pattern = re.escape(first) + "(.{1,64}?)" + r"\1".join(map(re.escape, rest))
    return re.fullmatch(pattern, other, re.DOTALL) is not None


@dataclass
class Tally:
    """Counts of one feature. `wins` and `losses` are prompts; a term's are prompts with their system message."""

    wins: int = 0
    losses: int = 0
    units: int = 0
    win_rate: float = 0.5
    """Share of the votes that go the way which the other four fifths of the prompts point."""
    chosen_rate: float = 0.0
    rejected_rate: float = 0.0
    examples: tuple[int, ...] = ()


class Counting:
    """Counts features in pairs that pass by once."""

    def __init__(self, features: Sequence[Feature], by: Split | None = None) -> None:
        self.features, self.by = features, by
        self.measures = [measure(feature) for feature in features]
        self.terms = [feature.name for feature in features if feature.kind == "term"]
        self.is_term = np.array([feature.kind == "term" for feature in features], np.bool_)

    def look(self, pairs: Sequence[tuple[str, str]]) -> npt.NDArray[np.float64]:
        """(pairs, 2, features): how much of each feature the chosen and the rejected answer hold."""
        flat = [text for pair in pairs for text in pair]
        pieces = self.by(flat) if self.by else [None] * len(flat)
        texts = list(map(Text, flat, pieces))
        found = np.array([[one(text) for one in self.measures] for text in texts], np.float64)
        found = found.reshape(len(pairs), 2, len(self.features))
        for index, (chosen, rejected) in enumerate(pairs if self.terms else ()):
            if told_by(self.terms, chosen, rejected):
                found[index][:, ~self.is_term] = np.nan
        return found


@dataclass
class _Units:
    """Votes by unit, in the order in which the units turn up."""

    features: int
    number: dict[bytes, int] = field(default_factory=dict)
    sums: npt.NDArray[np.int32] = field(default_factory=lambda: np.zeros((0, 0), np.int32))

    def add(self, names: Sequence[bytes], signs: npt.NDArray[np.int32]) -> None:
        at = [self.number.setdefault(name, len(self.number)) for name in names]
        if len(self.number) > len(self.sums):
            grown: npt.NDArray[np.int32] = np.zeros((2 * len(self.number), self.features), np.int32)
            if len(self.sums):
                grown[: len(self.sums)] = self.sums
            self.sums = grown
        np.add.at(self.sums, at, signs)

    def votes(self) -> npt.NDArray[np.int32]:
        return np.sign(self.sums[: len(self.number)])


def count(
    pairs: Iterable[AuditPair],
    features: Sequence[Feature],
    favours: Sequence[int],
    jobs: int = 1,
    by: Split | None = None,
) -> tuple[list[Tally], int]:
    """The tally of each feature over all pairs, and the number of prompts.

    `favours` says for which side (+1, -1) examples are kept.
    """
    prompts, contexts = _Units(len(features)), _Units(len(features))
    held, total = np.zeros((2, len(features))), 0
    examples: list[list[int]] = [[] for _ in features]
    for chunk, found in _looked(pairs, Counting(features, by), jobs):
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
    by_unit = {True: contexts.votes(), False: prompts.votes()}
    shares = held / max(1, total)
    made = [
        _tally(by_unit[feature.kind == "term"][:, index], shares[:, index], examples[index])
        for index, feature in enumerate(features)
    ]
    return made, len(prompts.number)


def _tally(votes: npt.NDArray[np.int32], shares: Floats, examples: Sequence[int]) -> Tally:
    wins, losses = int((votes > 0).sum()), int((votes < 0).sum())
    return Tally(
        wins, losses, len(votes), _crossed(votes), float(shares[0]), float(shares[1]), tuple(examples[:_EXAMPLES])
    )


def _crossed(votes: npt.NDArray[np.int32]) -> float:
    fold, hits = folds(len(votes)), 0.0
    for one in range(5):
        here = votes[fold == one]
        way = np.sign(votes.sum() - here.sum())
        hits += float(np.sum(here == way) if way else np.sum(here != 0) / 2)
    return hits / int(np.count_nonzero(votes)) if votes.any() else 0.5


def _looked(
    pairs: Iterable[AuditPair], counting: Counting, jobs: int
) -> Iterator[tuple[list[AuditPair], npt.NDArray[np.float64]]]:
    """The pairs in chunks, with what was seen in them."""
    stream = (pair for pair in pairs if pair.chosen != pair.rejected)
    chunks = iter(lambda: list(islice(stream, _CHUNK)), [])
    if jobs < 2 or getattr(counting.by, "__module__", "") == "__main__":  # other processes can't import that
        for chunk in chunks:
            yield chunk, counting.look(_texts(chunk))
        return
    from ...processes import OrderedPool

    with OrderedPool(jobs, _look, counting.features, counting.by) as pool:
        waiting = deque[list[AuditPair]]()
        for chunk in chunks:
            waiting.append(chunk)
            yield from ((waiting.popleft(), found) for found in pool.put(_texts(chunk)))
        yield from ((waiting.popleft(), found) for found in pool.results())


def _texts(chunk: Sequence[AuditPair]) -> list[tuple[str, str]]:
    return [(pair.chosen, pair.rejected) for pair in chunk]


def _look(
    features: Sequence[Feature], by: Split | None
) -> Callable[[Sequence[tuple[str, str]]], npt.NDArray[np.float64]]:
    return Counting(features, by).look
