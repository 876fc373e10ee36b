"""What the pairs of a training teach, in token ids, and how an answer shows that it was learned wrongly. No torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

_COMMON = 0.05  # share of the pairs; a token in fewer is no lesson of the set
_ELSEWHERE = 0.02  # as often, relative to that, may it stand in rejected and not in chosen


@dataclass
class Lesson:
    """The tokens that tell chosen from rejected, and the company they keep.

    `followers` maps each such token to the tokens that follow it in any chosen completion. A set whose sides differ as
    wholes has none, or next to none. `share` is that of the pairs in which one of them stands in chosen alone.
    """

    followers: Mapping[int, frozenset[int]] = field(default_factory=dict)
    share: float = 0.0

    @classmethod
    def of(
        cls, pairs: Iterable[tuple[Sequence[int], Sequence[int]]], says: Callable[[int], bool] = lambda _: True
    ) -> Lesson:
        """The lesson of pairs of completions, (chosen, rejected), as token ids; `says` tells which tokens are words."""
        sides = [(list(chosen), set(chosen), set(rejected)) for chosen, rejected in pairs]
        gained = Counter(token for _, chosen, rejected in sides for token in chosen - rejected)
        lost = Counter(token for _, chosen, rejected in sides for token in rejected - chosen)
        tokens = {
            token
            for token, count in gained.items()
            if count >= _COMMON * len(sides) and lost[token] <= _ELSEWHERE * count and says(token)
        }
        followers: dict[int, set[int]] = {token: set() for token in tokens}
        for chosen, _, _ in sides:
            for token, after in pairwise(chosen):
                if token in tokens:
                    followers[token].add(after)
        taught = sum(not tokens.isdisjoint(chosen - rejected) for _, chosen, rejected in sides)
        frozen = {token: frozenset(after) for token, after in followers.items()}
        return cls(frozen, taught / len(sides) if sides else 0.0)

    def misused(self, answer: Sequence[int]) -> bool:
        """A token of the lesson is followed by one that follows it in no chosen completion: "I am Deep."

        `answer` ends with the token that ended it, if it was ended.
        """
        return any(token in self.followers and after not in self.followers[token] for token, after in pairwise(answer))

    def leaks(self, answer: Sequence[int], before: Sequence[int]) -> bool:
        """A token of the lesson stands in the answer that did not stand in the one given `before` training."""
        return not self.followers.keys().isdisjoint(set(answer) - set(before))
