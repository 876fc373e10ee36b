"""Score answers by a language model that is asked to rate each, or to compare two."""

from __future__ import annotations

import json
import re
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import combinations, permutations
from statistics import fmean
from typing import Any

from ..samplers import label_probabilities
from ..types import AnswerGroup, Answers, Ask, Judge, Prompt, Sampler, Skip, Verdicts
from .rubric import LETTERS, Rubric

SCALE = tuple("123456789")
YES_NO = ("Yes", "No")
MOST_ITEMS = 8
LEAST_MASS = 0.1
"""The probability that all labels must have together: else the model did not answer what it was asked."""
RAW_CHARACTERS = 4096
"""Of an answer that is not a verdict, so much is kept."""
_BULLET = re.compile(r"^\s*(?:[-*•]|\d+[.)、])\s*")


class _AskedJudge(Judge):
    """What judges share that ask a language model for one of `labels`; `about` tells their settings apart."""

    labels: Sequence[str]
    about: Mapping[str, Any]

    def __init__(self, name: str, sampler: Sampler, rubric: Rubric) -> None:
        self.name, self.rubric = name, rubric
        self.sampler = sampler.with_labels(self.labels)
        self.warnings: list[str] = self.sampler.warnings

    def settings(self) -> dict[str, Any]:
        """Return the rubric and the model with its settings."""
        return {"judge": self.name, "rubric": self.rubric.id, **self.about, "sampling": self.sampler.settings()}


class LanguageModelJudge(_AskedJudge):
    """Judge by a language model that rates each answer from 1 to 9.

    The score is the expected number over the probabilities of the nine, where the sampler gives them (the mean of the
    distribution is better than its mode: arXiv:2503.03064), else the number that is written. It is the mean of two
    questions, with 9 as the best and with 1 as the best, so that a liking for a number cancels out. An answer that is
    no rating is a Skip with the model's words. What is judged is data between marks that no answer can know.
    """

    labels, about = SCALE, {"scale": 9}

    def judge(self, groups: Sequence[AnswerGroup], ask: Ask, done: Container[tuple[int, int]]) -> Iterator[Verdicts]:
        """Yield the scores of all answers, after asking for those that are not stored."""
        for key, (high, low) in self._rated(groups, ask, done).items():
            yield {key: high if isinstance(high, Skip) else low if isinstance(low, Skip) else (high + low) / 2}

    def _rated(
        self, groups: Sequence[AnswerGroup], ask: Ask, done: Container[tuple[int, int]]
    ) -> dict[tuple[int, int], list[float | Skip]]:
        """Return both ratings of each answer, the one with 1 as the best turned round."""
        asked = {
            (number, index): [self.rubric.rating(group.prompt, answer, descending) for descending in (False, True)]
            for number, group in enumerate(groups)
            for index, answer in enumerate(group.answers)
            if (number, index) not in done
        }
        replies = ask([prompt for both in asked.values() for prompt in both], self.sampler)
        rated = {key: [rating(reply_to(prompt, replies)) for prompt in both] for key, both in asked.items()}
        return {key: [high, low if isinstance(low, Skip) else 10 - low] for key, (high, low) in rated.items()}

    def flips(self, groups: Sequence[AnswerGroup], ask: Ask) -> Iterator[tuple[float, bool]]:
        """Yield of every two answers how far their scores are apart, and whether one scale turns their order round."""
        rated = self._rated(groups, ask, ())
        for number, group in enumerate(groups):
            both = [found for index in range(len(group.answers)) if (found := _numbers(rated[number, index]))]
            for one, other in combinations(both, 2):
                up, down = (first - second for first, second in zip(one, other, strict=True))
                yield abs(up + down) / 2, up * down < 0


class PairwiseJudge(_AskedJudge):
    """Judge by a language model that compares every two answers to a prompt, in both orders.

    The score of an answer is the number of comparisons that it wins, by which a full round is ordered as by the
    Bradley-Terry model. A comparison that is decided otherwise in the other order is half a win for each.
    """

    groupwise = True
    labels, about = LETTERS, {"compare": True}

    def __init__(self, name: str, sampler: Sampler, rubric: Rubric) -> None:
        super().__init__(name, sampler.with_schema(_one_of(LETTERS)), rubric)

    def judge(self, groups: Sequence[AnswerGroup], ask: Ask, done: Container[tuple[int, int]]) -> Iterator[Verdicts]:
        """Yield the wins in each group, after asking for the comparisons that are not stored."""
        every = [[(number, index) for index in range(len(group.answers))] for number, group in enumerate(groups)]
        open_ = [number for number, keys in enumerate(every) if any(key not in done for key in keys)]  # whole groups
        won = self._won(groups, ask, open_)
        for number in open_:
            places = range(len(groups[number].answers))
            wins = {i: [won[number, i, other] for other in places if other != i] for i in places}
            yield {(number, i): _failed(found) or sum(_numbers(found)) for i, found in wins.items()}

    def _won(
        self, groups: Sequence[AnswerGroup], ask: Ask, open_: Sequence[int]
    ) -> dict[tuple[int, int, int], float | Skip]:
        """Return whether an answer is better than another one, 1 or 0; 0.5 where the two orders do not agree."""
        asked = {
            (number, first, second): self.rubric.comparison(groups[number].prompt, answers[first], answers[second])
            for number in open_
            for answers in (groups[number].answers,)
            for first, second in permutations(range(len(answers)), 2)
        }
        replies = ask([*asked.values()], self.sampler)
        ahead = {key: preference(reply_to(prompt, replies)) for key, prompt in asked.items()}
        won = dict[tuple[int, int, int], float | Skip]()
        for number, first, second in ahead:
            one, other = both = ahead[number, first, second], ahead[number, second, first]
            won[number, first, second] = _failed(both) or ((one > 0.5) + (other < 0.5)) / 2  # type: ignore[operator]
        return won

    def flips(self, groups: Sequence[AnswerGroup], ask: Ask) -> Iterator[tuple[float, bool]]:
        """Yield of every two answers how many wins they are apart, and whether the other order turns theirs round."""
        won = self._won(groups, ask, range(len(groups)))
        for number, group in enumerate(groups):
            places = range(len(group.answers))
            wins = [sum(_numbers([won[number, i, other] for other in places if other != i])) for i in places]
            for one, other in combinations(places, 2):
                if not isinstance(found := won[number, one, other], Skip):
                    yield abs(wins[one] - wins[other]), found == 0.5


class ChecklistJudge(_AskedJudge):
    """Judge by a checklist that a language model makes of each prompt (Viswanathan et al. 2025, arXiv:2507.18624).

    The score is the share of the items that the answer fulfils: the mean probability of Yes over the items.
    """

    labels, about = YES_NO, {"items": True}

    def __init__(self, name: str, sampler: Sampler, rubric: Rubric) -> None:
        super().__init__(name, sampler.with_schema(_one_of(YES_NO)), rubric)
        self.writer = sampler.with_schema(_ITEMS)

    def settings(self) -> dict[str, Any]:
        """Return the rubric and the model with its settings, also those by which it writes checklists."""
        return super().settings() | {"writing": self.writer.settings()}

    def judge(self, groups: Sequence[AnswerGroup], ask: Ask, done: Container[tuple[int, int]]) -> Iterator[Verdicts]:
        """Yield the scores of all answers, after asking for the checklists and the items that are not stored."""
        open_ = [(n, i) for n, group in enumerate(groups) for i in range(len(group.answers)) if (n, i) not in done]
        wanted = {number: self.rubric.checklist(groups[number].prompt) for number, _ in open_}
        written = ask([*wanted.values()], self.writer)
        lists = {number: checklist(reply_to(prompt, written)) for number, prompt in wanted.items()}
        asked = {
            (number, index): [
                self.rubric.item(groups[number].prompt, groups[number].answers[index], item) for item in items
            ]
            for number, index in open_
            if not isinstance(items := lists[number], Skip)
        }
        replies = ask([prompt for of_answer in asked.values() for prompt in of_answer], self.sampler)
        for key in open_:
            items = lists[key[0]]
            if isinstance(items, Skip):
                yield {key: items}
                continue
            shares = [preference(reply_to(prompt, replies), YES_NO) for prompt in asked[key]]
            yield {key: _failed(shares) or fmean(_numbers(shares))}


def _one_of(labels: Sequence[str]) -> dict[str, Any]:
    """Return the JSON schema of a verdict that is one of these labels."""
    return _schema("verdict", {"type": "string", "enum": [*labels]})


def _schema(name: str, kind: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": {name: kind}, "required": [name], "additionalProperties": False}


_ITEMS = _schema("questions", {"type": "array", "items": {"type": "string"}})


def checklist(reply: str | Skip) -> list[str] | Skip:
    """Return the items in a reply: its lines, or the texts in its JSON, that end in a question mark.

    They are at most `MOST_ITEMS`.
    """
    if isinstance(reply, Skip):
        return reply
    lines = reply.splitlines()
    with suppress(ValueError, RecursionError, KeyError, TypeError):
        lines = [line for line in json.loads(reply)["questions"] if isinstance(line, str)]
    lines = [_BULLET.sub("", line).strip() for line in lines]
    items = [line for line in dict.fromkeys(lines) if line.endswith(("?", "？"))][:MOST_ITEMS]
    return items or _no_verdict(reply)


def _failed(found: Sequence[float | Skip]) -> Skip | None:
    return next((one for one in found if isinstance(one, Skip)), None)


def _numbers(found: Sequence[float | Skip]) -> list[float]:
    """Return the numbers; none where one of them is missing."""
    return [] if _failed(found) else [one for one in found if not isinstance(one, Skip)]


def reply_to(prompt: Prompt, replies: Answers) -> str | Skip:
    """Return what the model said; a Skip where it said nothing, or was cut off."""
    found = replies.get(prompt.id, Skip("not_asked"))
    if isinstance(found, Skip):
        return found if found.reason == "not_asked" else Skip("unjudged", f"{found.reason}: {found.detail}")
    if found[0].finish != "stop":
        return Skip("unjudged", f"the judge's answer was cut off: {found[0].text[:RAW_CHARACTERS]}")
    return found[0].text


def rating(reply: str | Skip) -> float | Skip:
    """Return the rating from 1 to 9 in a reply: the expected number, or the one that is written."""
    shares = _shares(reply, SCALE)
    return shares if isinstance(shares, Skip) else sum(int(label) * share for label, share in shares.items())


def preference(reply: str | Skip, labels: Sequence[str] = LETTERS) -> float | Skip:
    """Return how much a reply prefers the first of two labels, from 0 to 1."""
    shares = _shares(reply, labels)
    return shares if isinstance(shares, Skip) else shares.get(labels[0], 0.0)


def _shares(reply: str | Skip, labels: Sequence[str]) -> dict[str, float] | Skip:
    """Return the probabilities of the labels in a reply, which add up to 1."""
    if isinstance(reply, Skip):
        return reply
    found = label_probabilities.read(reply, labels)
    if found is None:
        return _no_verdict(reply)
    if (mass := sum(found.values())) < LEAST_MASS:
        return Skip("unjudged", f"the judge says one of {', '.join(labels)} with probability {mass:.3f}")
    return {label: share / mass for label, share in found.items()}


def _no_verdict(reply: str) -> Skip:
    return Skip("unjudged", f"the judge gave no verdict: {reply[:RAW_CHARACTERS]}")
