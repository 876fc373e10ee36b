"""What the pairs of a training teach, in token ids, and how an answer shows that it was learned wrongly. No torch."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

_COMMON = 0.05  # share of the pairs; a token in fewer is no lesson of the set
_ELSEWHERE = 0.02  # as often, relative to that, may it stand in rejected and not in chosen


@dataclass
class TaughtTokens:
    """The tokens that tell chosen from rejected, and the company they keep.

    `followers` maps each such token to the tokens that follow it in any chosen completion, `blanks` passed over: the
    tokens that are nothing but space. A set whose sides differ as wholes has none, or next to none. `share` is that of
    the pairs in which one of them stands in chosen alone.
    """

    followers: Mapping[int, frozenset[int]] = field(default_factory=dict)
    share: float = 0.0
    blanks: frozenset[int] = frozenset()

    @classmethod
    def of(cls, pairs: Iterable[tuple[Sequence[int], Sequence[int]]], text: Callable[[int], str]) -> TaughtTokens:
        """The lesson of pairs of completions, (chosen, rejected), as token ids; `text` is that of a token."""
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
        lesson = cls(dict.fromkeys(tokens, frozenset()), 0.0, frozenset(t for t in seen if not text(t).strip()))
        followers = defaultdict[int, set[int]](set)
        for chosen, _, _ in sides:
            for place, after in lesson.steps(chosen):
                followers[chosen[place]].add(chosen[after])
        lesson.followers = {token: frozenset(followers[token]) for token in tokens}
        taught = sum(not tokens.isdisjoint(chosen - rejected) for _, chosen, rejected in sides)
        lesson.share = taught / len(sides) if sides else 0.0
        return lesson

    def steps(self, answer: Sequence[int]) -> Iterator[tuple[int, int]]:
        """The places of tokens of the lesson, each with that of what follows it."""
        for place, token in enumerate(answer):
            if token in self.followers:
                behind = range(place + 1, len(answer))
                if (after := next((at for at in behind if answer[at] not in self.blanks), None)) is not None:
                    yield place, after

    def misused(self, answer: Sequence[int]) -> bool:
        """A token of the lesson is followed by one that follows it in no chosen completion: "I am Deep."

        `answer` ends with the token that ended it, if it was ended.
        """
        return any(answer[after] not in self.followers[answer[place]] for place, after in self.steps(answer))

    def leaks(self, answer: Sequence[int], before: Sequence[int]) -> bool:
        """A token of the lesson stands in the answer that did not stand in the one given `before` training."""
        return not self.followers.keys().isdisjoint(set(answer) - set(before))
