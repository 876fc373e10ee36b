"""The tokens that pairs teach, such as those of a new name, and their misuse in an answer. Needs no torch."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

_COMMON = 0.05  # the share of pairs from which on a token counts as taught
_ELSEWHERE = 0.02  # how often, relative to that, it may be in rejected and not in chosen


@dataclass
class TaughtTokens:
    """The tokens of letters that are typical of the chosen side, with the tokens that follow them there.

    `followers` maps each such token to those that follow it in any chosen completion; `blanks`, tokens of nothing but
    space, are skipped. Pairs whose sides are different texts teach no tokens, or hardly any.
    """

    followers: Mapping[int, frozenset[int]] = field(default_factory=dict)
    blanks: frozenset[int] = frozenset()

    @classmethod
    def of(cls, pairs: Iterable[tuple[Sequence[int], Sequence[int]]], text: Callable[[int], str]) -> TaughtTokens:
        """Find the taught tokens of pairs of completions, (chosen, rejected), as token ids; `text` decodes a token."""
        sides = [(list(chosen), set(chosen), set(rejected)) for chosen, rejected in pairs]
        gained = Counter(token for _, chosen, rejected in sides for token in chosen - rejected)
        lost = Counter(token for _, chosen, rejected in sides for token in rejected - chosen)
        tokens = {
            token
            for token, count in gained.items()
            if count >= _COMMON * len(sides)
            and lost[token] <= _ELSEWHERE * count
            and any(mark.isalpha() for mark in text(token))
        }
        seen = {token for _, chosen, _ in sides for token in chosen}
        found = cls(dict.fromkeys(tokens, frozenset()), frozenset(t for t in seen if not text(t).strip()))
        followers = defaultdict[int, set[int]](set)
        for chosen, _, _ in sides:
            for place, after in found.occurrences(chosen):
                followers[chosen[place]].add(chosen[after])
        found.followers = {token: frozenset(followers[token]) for token in tokens}
        return found

    def occurrences(self, answer: Sequence[int]) -> Iterator[tuple[int, int]]:
        """Yield the index of each taught token that is followed by another, and the index of that."""
        for place, token in enumerate(answer):
            if token in self.followers:
                behind = range(place + 1, len(answer))
                if (after := next((at for at in behind if answer[at] not in self.blanks), None)) is not None:
                    yield place, after

    def misused(self, answer: Sequence[int]) -> bool:
        """Return True if a taught token is followed by one that follows it in no chosen completion: "I am Deep."

        `answer` ends with the token that ended it, if it was ended.
        """
        return any(answer[after] not in self.followers[answer[place]] for place, after in self.occurrences(answer))

    def leaks(self, answer: Sequence[int], before: Sequence[int]) -> bool:
        """Return True if the answer has a taught token that the answer `before` training didn't have."""
        return not self.followers.keys().isdisjoint(set(answer) - set(before))
