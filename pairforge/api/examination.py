"""Asks a model the questions of evaluate, and judges what it says; two models may be held against each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, TypeAlias

from ..errors import InputError
from ..samplers.drawn import Drawn
from ..store import Store
from ..types import Answer, Judge, Prompt, Sampler, Skip, digest
from ..verdict import SAMPLED, Wins, repeats, sampled
from .asking import answer
from .questions import Question

_DRAWN = ("identity", "general")  # the kinds that are asked at temperature 1 too
_ALL = ("repetition", "unanswered")  # the metrics of every question

Answers: TypeAlias = "Mapping[str, list[Answer] | Skip]"
"""By prompt id."""


class Answered(NamedTuple):
    """The answers of one model; `drawn` has those at temperature 1, if they were asked for."""

    greedy: Answers
    drawn: Answers


@dataclass(frozen=True)
class Examination:
    """The questions by kind, and whether some of them are asked at temperature 1 too, after all were greedily."""

    questions: Mapping[str, Sequence[Question]]
    twice: bool

    @cached_property
    def metrics(self) -> set[str]:
        """The names of all that is measured."""
        greedy = {metric for question in self._greedy for metric in question.tests}
        return {*greedy, *(sampled(metric) for question in self._drawn for metric in question.tests), *_ALL}

    @cached_property
    def _greedy(self) -> list[Question]:
        return [question for kind in self.questions.values() for question in kind]

    @cached_property
    def _drawn(self) -> list[Question]:
        return [question for name in _DRAWN for question in self.questions.get(name, ()) if self.twice]

    def answers(self, sampler: Sampler, store: Store, quiet: bool) -> Answered:
        """The model's answers; those that the evidence store has are not asked for again."""
        asked = [question.prompt for question in self._greedy]
        greedy = answer(asked, sampler, 1, store, f"evaluate: {sampler.model}", quiet)
        if not self._drawn:
            return Answered(greedy, {})
        again = [question.prompt for question in self._drawn]
        label = f"evaluate: {sampler.model}, temperature 1"
        return Answered(greedy, answer(again, Drawn(sampler, temperature=1.0), 1, store, label, quiet))

    def judged(self, answered: Answered) -> dict[str, dict[str, bool | Skip]]:
        """Every question's outcomes, metric by metric."""
        judged: dict[str, dict[str, bool | Skip]] = {}
        for question in self._greedy:
            _judge(judged, question, answered.greedy, "")
        for question in self._drawn:
            _judge(judged, question, answered.drawn, SAMPLED)
        return judged

    def compared(self, after: Answered, before: Answered, judge: Judge, store: Store) -> dict[str, float | Skip]:
        """By general question, how much better the drawn answer after is scored than the one before; scores that the
        evidence store has are not asked for again.
        """
        scoring = _Scoring(judge, store, store.scores(judge.settings()))
        prompts = [question.prompt for question in self.questions["general"]]
        return {prompt.id: scoring.apart(prompt, after.drawn[prompt.id], before.drawn[prompt.id]) for prompt in prompts}


def _judge(judged: dict[str, dict[str, bool | Skip]], question: Question, answers: Answers, mark: str) -> None:
    name = question.prompt.id
    given = answers[name]
    for metric, test in question.tests.items():
        outcome = given if isinstance(given, Skip) else test(given[0].text)
        judged.setdefault(sampled(metric) if mark else metric, {})[name] = outcome
    judged.setdefault("repetition", {})[name + mark] = given if isinstance(given, Skip) else repeats(given[0].text)
    judged.setdefault("unanswered", {})[name + mark] = isinstance(given, Skip)


class _Scoring(NamedTuple):
    judge: Judge
    store: Store
    known: Mapping[tuple[str, str], float]

    def apart(self, prompt: Prompt, *answers: list[Answer] | Skip) -> float | Skip:
        """The first answer's score minus the second's."""
        if skip := next((given for given in answers if isinstance(given, Skip)), None):
            return skip
        texts = [given[0].text for given in answers if not isinstance(given, Skip)]
        name = digest([prompt.id, prompt.columns])  # as the scores of a run are named
        scores: dict[str, float | Skip] = {
            text: self.known[name, key] for text in texts if (name, key := digest(text)) in self.known
        }
        if missing := [text for text in dict.fromkeys(texts) if text not in scores]:
            scores.update(zip(missing, self.judge.score(prompt, missing), strict=True))
            new = {text: score for text in missing if not isinstance(score := scores[text], Skip)}
            self.store.add_scores(self.judge.settings(), name, new)
        now, was = (scores[text] for text in texts)
        return now if isinstance(now, Skip) else was if isinstance(was, Skip) else now - was


def wins(compared: Mapping[str, float | Skip], judge: Judge) -> Wins:
    """How often an answer was better and how often worse. Raises InputError where nothing was scored."""
    apart = [score for score in compared.values() if not isinstance(score, Skip)]
    if not apart:
        why = next((skip.detail for skip in compared.values() if isinstance(skip, Skip)), "nothing was asked")
        raise InputError(f"the judge {judge.name} scored no answer: {why}", fix="name another with --judge")
    return Wins(sum(score > 0 for score in apart), sum(score < 0 for score in apart), len(apart))


def unscored(outcome: float | Skip) -> bool:
    """Whether the judge failed; one that is not applicable to a question did not."""
    return isinstance(outcome, Skip) and outcome.reason == "unjudged"
