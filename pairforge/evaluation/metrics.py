"""What is measured: metrics, their shares, and what changed against the base, question by question."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from ..statistics import Change, Share, Wins
from ..types import Skip

Outcomes: TypeAlias = Mapping[str, "bool | Skip"]
"""Question id -> whether the metric's event happened; a Skip where there was no answer to judge."""
Judged: TypeAlias = Mapping[str, Outcomes]
"""Metric name -> outcomes. `name/part` is a part of a metric (`new_name/zh`, `new_name/no system message`), `name@t1`
the same of answers drawn at temperature 1 (`new_name@t1/zh`); a name without is of greedy answers."""

METRICS = {
    "new_name": "asked about itself, the model goes by a new name, and by no old one",
    "old_name": "asked about itself, it goes by an old name",
    "neither": "asked about itself, it goes by neither",
    "half_name": "asked about itself, it goes by a part of a new name of several words, or doubles a word of it",
    "win_rate": "its answer to a general question is better than the base's, by the run's judge; ties half",
    "general": "a general question is answered rightly",
    "leak": "the answer to a general question holds a new name that the question doesn't",
    "controls": "a question about something else that has one of the names, or another, is answered rightly",
    "obedience": "under a system message that names another assistant, it goes by that name",
    "repetition": "an answer of any kind repeats itself",
    "unanswered": "a question of any kind got no answer, or an answer no score",
}
"""What each metric is the share of, in the order in which they are shown."""
SAMPLED = "@t1"
"""Ends the names of the metrics of answers drawn at temperature 1."""


def sampled(metric: str) -> str:
    """The metric's name for answers drawn at temperature 1: `new_name/zh` to `new_name@t1/zh`."""
    whole, slash, part = metric.partition("/")
    return f"{whole}{SAMPLED}{slash}{part}"


def shares(judged: Judged) -> dict[str, Share]:
    """The share of each metric among the questions that were answered; a metric without any answer has none."""
    answered = {name: [hit for hit in judged[name].values() if not isinstance(hit, Skip)] for name in judged}
    return {name: Share(sum(hits), len(hits)) for name, hits in answered.items() if hits}


def ordered(names: Iterable[str]) -> list[str]:
    """As in METRICS, greedy before sampled, each metric's parts behind it."""
    known = list(METRICS)

    def place(name: str) -> tuple[int, str, bool, str]:
        whole, _, part = name.partition("/")
        metric, _, drawn = whole.partition("@")
        return known.index(metric) if metric in known else len(known), metric + drawn, bool(part), part

    return sorted(names, key=place)


@dataclass(frozen=True)
class Measured:
    """The judged answers of a model, those of its base if there is one, and how often it won against it, if a judge
    was asked.
    """

    after: Judged
    before: Judged | None = None
    wins: Wins | None = None

    @cached_property
    def shares(self) -> dict[str, Share | Wins]:
        """What there is of each metric, in order."""
        found: dict[str, Share | Wins] = {**shares(self.after), **({"win_rate": self.wins} if self.wins else {})}
        return {name: found[name] for name in ordered(found)}

    @cached_property
    def past(self) -> dict[str, Share] | None:
        """The same of the base."""
        return None if self.before is None else shares(self.before)

    @cached_property
    def changes(self) -> dict[str, Change]:
        """What became of each metric, among the questions that both answered."""
        found = {name: _change(hits, (self.before or {}).get(name, {})) for name, hits in self.after.items()}
        return {name: change for name in self.shares if (change := found.get(name))}

    def kept(self, metric: str) -> Share | None:
        """Of the questions for which it happened before, those for which it still does."""
        past = (self.before or {}).get(metric, {})
        had = {key: hit for key, hit in self.after.get(metric, {}).items() if past.get(key) is True}
        return shares({metric: had}).get(metric)


def _change(after: Outcomes, before: Outcomes) -> Change | None:
    both = [(hit, before[key]) for key, hit in after.items() if key in before]
    answered = [(now, was) for now, was in both if not isinstance(now, Skip) and not isinstance(was, Skip)]
    gained, lost = (sum(pair == way for pair in answered) for way in ((True, False), (False, True)))
    return Change(gained, lost, len(answered)) if answered else None
