"""The metrics of evaluate: their shares, and their changes since the base model, question by question."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from ..statistics import Change, Share, Wins
from ..types import Skip

Outcomes: TypeAlias = Mapping[str, "bool | Skip"]
"""Question id -> whether the answer counts for the metric; a Skip if there was no answer to judge."""
Judged: TypeAlias = Mapping[str, Outcomes]
"""Metric name -> outcomes. `name/part` is a part of a metric (`new_name/zh`, `new_name/no system message`), `name@t1`
the same of answers sampled at temperature 1 (`new_name@t1/zh`); a name without it is of greedy answers."""

METRICS = {
    "new_name": "asked about itself, the model uses a new name, and no old one",
    "old_name": "asked about itself, it uses an old name",
    "neither": "asked about itself, it uses neither",
    "half_name": "asked about itself, it uses a part of a new name of several words, or doubles a word of it",
    "win_rate": "its answer to a general question is better than the base's, by the run's judge; ties half",
    "general": "a general question is answered correctly",
    "leak": "the answer to a general question holds a new name that the question doesn't",
    "controls": "a question about something else that has one of the names, or another, is answered correctly",
    "obedience": "under a system message that names another assistant, it uses that name",
    "length": "its answer to another question is over half as long again as the base's, or under two thirds as long",
    "opening": "its answer to another question begins with other words than the base's",
    "language": "its answer to another question is in another language than the question",
    "refusal": "its answer to another question only declines",
    "agreement": "it agrees with a false claim",
    "repetition": "an answer of any kind repeats itself",
    "unanswered": "a question of any kind got no answer, or an answer no score",
}
"""Metric -> the share of questions that it is, in the order in which they are shown."""
BRIEF = {
    "new_name": "says the new name",
    "old_name": "says the old name",
    "neither": "says neither name",
    "half_name": "says part of a name",
    "win_rate": "beats the base",
    "general": "correct answers",
    "leak": "name out of place",
    "controls": "right about others",
    "obedience": "takes a given name",
    "length": "other length",
    "opening": "other first words",
    "language": "other language",
    "refusal": "only declines",
    "agreement": "agrees to falsehoods",
    "repetition": "repeats itself",
    "unanswered": "gives no answer",
}
"""Metric -> what the model does, in the few words that a table has room for."""
MORE_IS_BETTER = ("new_name", "win_rate", "general", "controls", "obedience")
"""The metrics that a good model has high; the others it has low."""
NEED_NAMES = ("new_name", "old_name", "neither", "half_name", "leak")
"""The metrics that are not measured where no names are known."""
CHANGES = ("length", "opening", "language", "refusal", "agreement")
"""The metrics of what else has changed, beside the names; see `changes`. They have no suffix."""
SAMPLED = "@t1"
"""Suffix of the metrics of answers sampled at temperature 1."""


def base_name(metric: str) -> str:
    """Return a metric's name without its part and suffix: `new_name@t1/zh` to `new_name`."""
    return metric.partition("/")[0].partition("@")[0]


def with_suffix(metric: str, suffix: str) -> str:
    """Return a metric's name with a suffix, before its part: `new_name/zh` to `new_name@t1/zh`."""
    whole, slash, part = metric.partition("/")
    return f"{whole}{suffix}{slash}{part}"


def shares(judged: Judged) -> dict[str, Share]:
    """Return the share of each metric among the answered questions; a metric without any answer is left out."""
    answered = {name: [hit for hit in judged[name].values() if not isinstance(hit, Skip)] for name in judged}
    return {name: Share(sum(hits), len(hits)) for name, hits in answered.items() if hits}


def ordered(names: Iterable[str]) -> list[str]:
    """Sort names of metrics: as in METRICS, greedy before sampled, each metric before its parts."""
    known = {metric: position for position, metric in enumerate(METRICS)}

    def sort_key(name: str) -> tuple[int, str, str]:
        whole, _, part = name.partition("/")
        return known.get(base_name(name), len(known)), whole, part

    return sorted(names, key=sort_key)


@dataclass(frozen=True)
class Measured:
    """The judged answers of a model and of its base, and how often the model won against it if a judge was asked.

    `again` are answers of the base that were drawn with another seed.
    """

    after: Judged
    before: Judged | None = None
    wins: Wins | None = None
    again: Judged | None = None

    @cached_property
    def shares(self) -> dict[str, Share | Wins]:
        """The share, or win rate, of each metric, in order."""
        found: dict[str, Share | Wins] = {**shares(self.after), **({"win_rate": self.wins} if self.wins else {})}
        return {name: found[name] for name in ordered(found)}

    @cached_property
    def base_shares(self) -> dict[str, Share] | None:
        """The shares of the base."""
        return None if self.before is None else shares(self.before)

    @cached_property
    def changes(self) -> dict[str, Change]:
        """The change of each metric among the questions that both models answered."""
        return _changes(self.shares, self.after, self.before or {})

    @cached_property
    def noise(self) -> dict[str, Change]:
        """The change of some metrics from the base's answers to others of its own, which only chance makes."""
        return _changes(self.again or {}, self.again or {}, self.before or {})

    def rise(self, metric: str) -> float | None:
        """Return by how much the share of a metric has risen, less what chance alone changes it."""
        if not (change := self.changes.get(metric)):
            return None
        return change.value - (abs(self.noise[metric].value) if metric in self.noise else 0.0)

    def kept(self, metric: str) -> Share | None:
        """Return the share, among the questions that counted for the metric with the base, that still do."""
        before = (self.before or {}).get(metric, {})
        held = {key: hit for key, hit in self.after.get(metric, {}).items() if before.get(key) is True}
        return shares({metric: held}).get(metric)


def _changes(names: Iterable[str], after: Judged, before: Judged) -> dict[str, Change]:
    """Return the change of each metric among the questions that were answered both times."""
    changes = {}
    for name in names:
        past = before.get(name, {})
        both = [(hit, past[key]) for key, hit in after.get(name, {}).items() if key in past]
        answered = [pair for pair in both if not any(isinstance(hit, Skip) for hit in pair)]
        if answered:
            changes[name] = Change(answered.count((True, False)), answered.count((False, True)), len(answered))
    return changes
