"""Pairs beside those of the prompts, counted apart: counter-pairs and retention pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

from ..correction.counter import counters
from ..correction.edits import Reading
from ..errors import InputError
from ..judges.reference import ReferenceJudge
from ..pairers import BestWorst
from ..prompts import bundled
from ..samplers.drawn import Drawn
from ..stages import pair
from ..types import Pair, Sampler, digest
from .build import Desk, Extra


def extras(
    reading: Reading, contexts: Sequence[str | None], sampler: Sampler, counter: float, retain: float
) -> dict[str, Extra]:
    """What the fractions ask for, by kind. Raises InputError for one that is none, or that the run can't have."""
    for option, fraction in (("counter", counter), ("retain", retain)):
        if not 0 <= fraction <= 1:
            raise InputError(f"--{option} {fraction} is no fraction of the pairs", fix="use a number from 0 to 1")
    if counter and not reading.renamer.rules:
        raise InputError("--counter needs the names that would be wrong", fix="give --from and --to as well")
    found: dict[str, Extra] = {"counter": CounterPairs(reading, contexts, counter)} if counter else {}
    if retain:
        found["retain"] = RetentionPairs(Drawn(sampler, temperature=1.0), contexts, retain)
    return found


@dataclass(frozen=True)
class CounterPairs:
    """At most `fraction` for each pair: some bundled questions are answered wrongly, so half as many more are asked."""

    reading: Reading
    contexts: Sequence[str | None]
    fraction: float

    def settings(self) -> float:
        return self.fraction

    def __call__(self, pairs: Sequence[Pair], desk: Desk) -> list[Pair]:
        count = round(self.fraction * len(pairs))
        questions = counters(self.reading, self.contexts)[: count + count // 2]
        answers = desk.ask([question.prompt for question in questions], kind="counter")
        made = (question.pair(answers[question.prompt.id], desk.job.sampler.model) for question in questions)
        return [item for item in made if item][:count]


@dataclass(frozen=True)
class RetentionPairs:
    """At most `fraction` for each pair: the best against the worst of `n` answers to a bundled general prompt.

    They hold what the model says of other things, the names aside. About half of the prompts give a pair, so they are
    asked in rounds until there are enough, in the contexts by turns.
    """

    sampler: Drawn
    contexts: Sequence[str | None]
    fraction: float
    n: int = 4

    def settings(self) -> dict[str, Any]:
        return {"fraction": self.fraction, "n": self.n, "sampling": self.sampler.settings()}

    def __call__(self, pairs: Sequence[Pair], desk: Desk) -> list[Pair]:
        count, made = round(self.fraction * len(pairs)), list[Pair]()
        judge = ReferenceJudge()
        general = sorted(bundled("general.train"), key=lambda prompt: digest(prompt.id))
        left = [prompt.in_context(context) for prompt, context in zip(general, cycle(self.contexts), strict=False)]
        while left and len(made) < count:
            round_ = 2 * (count - len(made)) + 8
            asked, left = left[:round_], left[round_:]
            answers = desk.ask(asked, self.n, kind="retain", sampler=self.sampler)
            results = desk.score(asked, answers, judge)
            outcome = pair(asked, results, BestWorst(judge.name), self.sampler.model)
            made += [item for _, item in outcome if isinstance(item, Pair)]
        return made[:count]
