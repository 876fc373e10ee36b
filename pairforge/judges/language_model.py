"""Score answers by a language model that is asked to rate each, or to compare two."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping, Sequence
from itertools import permutations
from statistics import fmean
from typing import Any

from ..samplers import label_probabilities
from ..types import Answer, AnswerGroup, Ask, Judge, Prompt, Sampler, Skip, Verdicts
from .rubric import LETTERS, Rubric

SCALE = tuple("123456789")
YES_NO = ("Yes", "No")
MOST_ITEMS = 8
LEAST_MASS = 0.1
"""The probability that all labels must have together: else the model did not answer what it was asked."""
RAW_CHARACTERS = 4096
"""Of an answer that is not a verdict, so much is kept."""
_FENCE = re.compile(r"```\w*\n(.*)\n```", re.DOTALL)
_NUMBER = re.compile(r"\W*(?:(?:score|rating|评分|分数)\W*)?([1-9])(?:\s*/\s*9)?\W*", re.IGNORECASE)
_WORD = re.compile(r"\W*(?:(?:answer|回答)\W*)?([a-z]+)\W*", re.IGNORECASE)
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
        asked = {
            (number, index): [self.rubric.rating(group.prompt, answer, descending) for descending in (False, True)]
            for number, group in enumerate(groups)
            for index, answer in enumerate(group.answers)
            if (number, index) not in done
        }
        replies = ask([prompt for both in asked.values() for prompt in both], self.sampler)
        for key, (up, down) in asked.items():
            high, low = (rating(reply_to(prompt, replies)) for prompt in (up, down))
            yield {key: high if isinstance(high, Skip) else low if isinstance(low, Skip) else (high + 10 - low) / 2}


class PairwiseJudge(_AskedJudge):
    """Judge by a language model that compares every two answers to a prompt, in both orders.

    The score of an answer is the number of comparisons that it wins, by which a full round is ordered as by the
    Bradley-Terry model. A comparison that is decided otherwise in the other order is half a win for each.
    """

    groupwise = True

    labels, about = LETTERS, {"compare": True}

    def judge(self, groups: Sequence[AnswerGroup], ask: Ask, done: Container[tuple[int, int]]) -> Iterator[Verdicts]:
        """Yield the wins in each group, after asking for the comparisons that are not stored."""
        open_ = [number for number in range(len(groups)) if (number, 0) not in done]  # a group is judged whole
        asked = {
            (number, first, second): self.rubric.comparison(groups[number].prompt, answers[first], answers[second])
            for number in open_
            for answers in (groups[number].answers,)
            for first, second in permutations(range(len(answers)), 2)
        }
        replies = ask([*asked.values()], self.sampler)
        preferred = {key: preference(reply_to(prompt, replies)) for key, prompt in asked.items()}
        for number in open_:
            count = len(groups[number].answers)
            yield {(number, index): _wins(number, index, count, preferred) for index in range(count)}


class ChecklistJudge(_AskedJudge):
    """Judge by a checklist that a language model makes of each prompt (Viswanathan et al. 2025, arXiv:2507.18624).

    The score is the share of the items that the answer fulfils: the mean probability of Yes over the items.
    """

    labels, about = YES_NO, {"items": True}

    def __init__(self, name: str, sampler: Sampler, rubric: Rubric) -> None:
        super().__init__(name, sampler, rubric)
        self.writer = sampler

    def settings(self) -> dict[str, Any]:
        """Return the rubric and the model with its settings, those by which it writes checklists."""
        return super().settings() | {"sampling": self.writer.settings()}

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
            failed = next((share for share in shares if isinstance(share, Skip)), None)
            yield {key: failed or fmean(share for share in shares if not isinstance(share, Skip))}


def checklist(reply: str | Skip) -> list[str] | Skip:
    """Return the items in a reply: its lines that end in a question mark, at most `MOST_ITEMS`."""
    if isinstance(reply, Skip):
        return reply
    lines = [_BULLET.sub("", line).strip() for line in reply.splitlines()]
    items = [line for line in dict.fromkeys(lines) if line.endswith(("?", "？"))][:MOST_ITEMS]
    return items or _no_verdict(reply)


def _wins(number: int, index: int, count: int, preferred: Mapping[tuple[int, int, int], float | Skip]) -> float | Skip:
    """Return how many of the others an answer is better than: the mean of both orders, 1, 0.5 or 0, of each."""
    wins = 0.0
    for other in range(count):
        if other == index:
            continue
        ahead, behind = preferred[number, index, other], preferred[number, other, index]
        if isinstance(ahead, Skip) or isinstance(behind, Skip):
            return ahead if isinstance(ahead, Skip) else behind
        wins += ((ahead > 0.5) + (behind < 0.5)) / 2
    return wins


def reply_to(prompt: Prompt, replies: Mapping[str, list[Answer] | Skip]) -> str | Skip:
    """Return what the model said; a Skip where it said nothing, or was cut off."""
    found = replies.get(prompt.id, Skip("not_asked"))
    if isinstance(found, Skip):
        return found if found.reason == "not_asked" else Skip("unjudged", f"{found.reason}: {found.detail}")
    if found[0].finish != "stop":
        return Skip("unjudged", f"the judge's answer was cut off: {found[0].text[:RAW_CHARACTERS]}")
    return found[0].text


def rating(reply: str | Skip) -> float | Skip:
    """Return the rating from 1 to 9 in a reply: the expected number, or the one that is written."""
    if isinstance(reply, Skip):
        return reply
    if probabilities := label_probabilities.read(reply, SCALE):
        shares = [probabilities.get(label, 0.0) for label in SCALE]
        if (mass := sum(shares)) < LEAST_MASS:
            return Skip("unjudged", f"the judge gives a number with probability {mass:.3f}")
        return sum(int(label) * share for label, share in zip(SCALE, shares, strict=True)) / mass
    found = _NUMBER.fullmatch(_bare(reply))
    return float(found[1]) if found else _no_verdict(reply)


def preference(reply: str | Skip, labels: Sequence[str] = LETTERS) -> float | Skip:
    """Return how much a reply prefers the first of two labels, from 0 to 1."""
    if isinstance(reply, Skip):
        return reply
    if probabilities := label_probabilities.read(reply, labels):
        first, second = (probabilities.get(label, 0.0) for label in labels)
        if first + second < LEAST_MASS:
            return Skip("unjudged", f"the judge says {' or '.join(labels)} with probability {first + second:.3f}")
        return first / (first + second)
    found = _WORD.fullmatch(_bare(reply))
    said = found[1].casefold() if found else ""
    known = [label.casefold() for label in labels]
    return float(said == known[0]) if said in known else _no_verdict(reply)


def _bare(reply: str) -> str:
    """Return a reply without a code fence around it."""
    fenced = _FENCE.fullmatch(reply.strip())
    return fenced[1] if fenced else reply.strip()


def _no_verdict(reply: str) -> Skip:
    return Skip("unjudged", f"the judge gave no verdict: {reply[:RAW_CHARACTERS]}")
