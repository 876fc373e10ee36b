"""How far people agree with each other, with themselves, and with the judges whose scores are stored."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from math import isfinite
from typing import Any

from ..judges.human import HumanEvent
from ..markdown import public_name
from ..statistics import Share
from ..text import plural

NONE = Share(0, 0)
_DRAWS = 200  # of the bootstrap
_FEWEST = 5  # items from which on an interval is given


@dataclass(frozen=True)
class Agreement:
    """The figures, None where nothing can be said.

    `people`: how many of the verdicts of two people on one item are the same. `alpha` is Krippendorff's for nominal
    data, 1 for perfect agreement and 0 for chance (Krippendorff 2011, Computing Krippendorff's Alpha-Reliability),
    `interval` its 95 % bootstrap interval over `items`. `consistency` and `attention` are by person: how often the
    verdict is the same again, and the answer to the question is chosen. `judges`: how often each prefers the best
    answer to the worst.
    """

    items: int = 0
    people: Share = NONE
    alpha: float | None = None
    interval: tuple[float, float] | None = None
    consistency: Mapping[str, Share] = field(default_factory=dict)
    attention: Mapping[str, Share] = field(default_factory=dict)
    judges: Mapping[str, Share] = field(default_factory=dict)

    def shares(self, who: str = "") -> Iterator[tuple[str, Share]]:
        """Yield how often people agree with each other, all or this one with themselves, and each judge with them."""
        if self.items:
            yield "two people on the same answers", self.people
        for name, by_person in (("asked again", self.consistency), ("attention checks", self.attention)):
            found = [share for person, share in by_person.items() if who in ("", person)]
            if found:
                yield f"{who or 'people'}, {name}", Share(sum(one.hits for one in found), sum(one.of for one in found))
        for judge, share in self.judges.items():
            yield f"{public_name(judge)} and people", share

    @property
    def sentence(self) -> str:
        """Krippendorff's alpha in a sentence; empty where there is none."""
        if self.alpha is None:
            return ""
        ends = f" [{self.interval[0]:.2f}, {self.interval[1]:.2f}]" if self.interval else ""
        said = f"Krippendorff's alpha of the people is {self.alpha:.2f}{ends} over {plural(self.items, 'item')}"
        return f"{said}: 1 is perfect agreement, 0 is chance."

    def as_json(self, who: str) -> dict[str, Any]:
        """Return the figures for a person."""
        shares = [(name, f"{str(share).strip()} of {share.of}") for name, share in self.shares(who)]
        return {"agreement": self.people.value if self.items else None, "shares": shares, "alpha": self.sentence}


def agreement(verdicts: Iterable[HumanEvent], answers: Mapping[str, Sequence[str]]) -> Agreement:
    """Return how far people agree, given the verdicts that stand.

    Args:
        verdicts: of all people; items that were skipped count for nothing.
        answers: of each item that several people judged, the digests of its answers, in an order that is the same for
            all: the best one's place is the value that is compared.
    """
    by_item: dict[str, dict[str, HumanEvent]] = defaultdict(dict)
    repeated = list[HumanEvent]()
    for event in verdicts:
        if event.purpose:
            repeated.append(event)
        elif event.choice != "skip":
            by_item[event.item][event.who] = event
    units = [
        [_value(event, answers[item]) for event in of_item.values()]
        for item, of_item in sorted(by_item.items())
        if len(of_item) > 1 and item in answers
    ]
    consistency, attention = Counter[tuple[str, bool]](), Counter[tuple[str, bool]]()
    for event in repeated:
        first = by_item.get(event.item, {}).get(event.who)
        if event.purpose == "again" and first:
            consistency[event.who, first.said == event.said] += 1
        elif event.purpose == "check" and first and event.choice != "skip":
            attention[event.who, event.best == first.best] += 1
    alpha, interval = _alpha(units)
    same = [one == other for unit in units for one, other in combinations(unit, 2)]
    people = Share(sum(same), len(same))
    return Agreement(len(units), people, alpha, interval, _shares(consistency), _shares(attention))


def judge_agreement(
    scored: Iterable[tuple[HumanEvent, Mapping[str, Mapping[str, float]]]],
) -> dict[str, Share]:
    """Return how often each judge scores the best answer above the worst one; equal scores are a half.

    `scored` has the scores by judge and by the digest of the answer, for each verdict that picked two.
    """
    found: dict[str, Share] = {}
    for event, by_judge in scored:
        for name, scores in by_judge.items():
            best, worst = scores.get(str(event.best)), scores.get(str(event.worst))
            if best is not None and worst is not None:
                before = found.get(name, NONE)
                found[name] = Share(before.hits + ((best > worst) + (best >= worst)) / 2, before.of + 1)
    return found


def _value(event: HumanEvent, answers: Sequence[str]) -> int:
    """Return a verdict as a number: the place of the best answer, or one behind them for a tie, and for all bad."""
    if event.choice == "picked" and event.best in answers:
        return answers.index(str(event.best))
    return len(answers) + (event.choice == "all_bad")


def _shares(counts: Counter[tuple[str, bool]]) -> dict[str, Share]:
    people = sorted({who for who, _ in counts})
    return {who: Share(counts[who, True], counts[who, True] + counts[who, False]) for who in people}


def _alpha(units: Sequence[Sequence[int]]) -> tuple[float | None, tuple[float, float] | None]:
    """Return Krippendorff's alpha and its bootstrap interval over units."""
    if not units:
        return None, None
    import krippendorff
    import numpy as np

    counts: Any = np.zeros((len(units), max(map(max, units)) + 1), dtype=int)
    for row, unit in enumerate(units):
        for value in unit:
            counts[row, value] += 1

    def of(rows: Any) -> float | None:
        if np.count_nonzero(rows.sum(axis=0)) < 2:  # all said the same: there is no chance to compare with
            return None
        return float(krippendorff.alpha(value_counts=rows, level_of_measurement="nominal"))

    random = np.random.default_rng(0)
    drawn = [
        of(counts[random.integers(0, len(units), len(units))]) for _ in range(_DRAWS if len(units) >= _FEWEST else 0)
    ]
    values = [value for value in drawn if value is not None and isfinite(value)]
    interval = tuple(map(float, np.quantile(values, [0.025, 0.975]))) if len(values) > _DRAWS / 2 else None
    return of(counts), interval  # type: ignore[return-value]
