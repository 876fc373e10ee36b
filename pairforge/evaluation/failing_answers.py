"""The answers that count against a threshold, for a reader who wants to know why a verdict fails."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..types import Answer, Skip
from .metrics import Measured, base_name
from .questions import Question
from .thresholds import Condition

AT_LEAST: tuple[Condition, ...] = ("at least", "surely above", "loses at most", "keeps at least")
"""The rules by which more is better."""
BY_JUDGE = "@judge"
"""Suffix of the id of an answer that the judge was to score."""
_WANTED = {
    "win_rate": "a higher score than that of the base's answer",
    "repetition": "nothing said again and again",
    "unanswered": "an answer, and a score if a judge is asked",
}
"""What is expected where it does not depend on the question."""


@dataclass(frozen=True)
class FailingAnswer:
    """An answer that counts against a metric, and the base's answer to the same question, if there is one."""

    metric: str
    question: Question
    answer: str
    before: str | None

    @property
    def expected(self) -> str:
        """What a good answer has, in words."""
        metric = base_name(self.metric)
        return _WANTED.get(metric) or self.question.expected[metric]

    def as_json(self) -> dict[str, Any]:
        """Return `{"metric", "question", "system", "answer", "expected", "before", "prompt_id"}`."""
        prompt = self.question.prompt
        asked = {"question": prompt.question, "system": prompt.system}
        given = {"answer": self.answer, "expected": self.expected, "before": self.before}
        return {"metric": self.metric, **asked, **given, "prompt_id": prompt.id}


def counting_against(metric: str, rule: Condition, measured: Measured) -> Iterator[str]:
    """Yield the ids of the questions whose answers count against a metric under a rule.

    Where the rule compares with the base, these are the questions in which the two differ.
    """
    before = (measured.before or {}).get(metric, {})
    wanted = rule in AT_LEAST
    compares = rule in ("loses at most", "keeps at least", "rises at most")
    for name, hit in measured.after.get(metric, {}).items():
        if hit is (not wanted) and (not compares or before.get(name) is wanted):
            yield name


def text_of(given: list[Answer] | Skip) -> str:
    """Return an answer as text, or why there is none."""
    return str(given) if isinstance(given, Skip) else given[0].text


def failing_answers(
    metrics: Mapping[str, Condition],
    measured: Measured,
    asked: Mapping[str, tuple[Question, list[Answer] | Skip, list[Answer] | Skip | None]],
) -> list[FailingAnswer]:
    """Return the answers that count against each metric, in order.

    Args:
        metrics: the rule of each metric.
        measured: the judged answers.
        asked: for each id in `measured`, but for BY_JUDGE, the question, the answer, and the base's.
    """
    found = []
    for metric, rule in metrics.items():
        for name in counting_against(metric, rule, measured):
            if name.removesuffix(BY_JUDGE) not in asked:  # an outside suite keeps its answers to itself
                continue
            question, answer, before = asked[name.removesuffix(BY_JUDGE)]
            found.append(FailingAnswer(metric, question, text_of(answer), None if before is None else text_of(before)))
    return found
