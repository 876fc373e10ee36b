"""What a report says of the pairs themselves: lengths, scores, and the few that are shown, chosen by a rule."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..checks.secrets import SecretChecker
from ..hub.data_files import AnswerLengths
from ..pair_view import by_rule, lengths_of, margin
from ..statistics import Share

Row = Mapping[str, Any]


@dataclass
class PairFigures:
    """The figures of all pairs, row by row; `margin` and `scores` are empty where no judge gave scores."""

    lengths: AnswerLengths = field(default_factory=AnswerLengths)
    total: array[int] = field(default_factory=lambda: array("L"))
    margins: dict[int, float] = field(default_factory=dict)
    scores: dict[str, array[float]] = field(default_factory=lambda: {"chosen": array("d"), "rejected": array("d")})
    longer_chosen: int = 0
    lengths_differ: int = 0
    names: dict[str, set[str]] = field(default_factory=lambda: {"method": set(), "model": set(), "judge": set()})

    @classmethod
    def of(cls, rows: Iterable[Row]) -> PairFigures:
        """Read all rows once."""
        made = cls()
        for number, row in enumerate(rows):
            made.lengths.add(row)
            chosen, rejected = lengths_of(row)
            made.total.append(chosen + rejected)
            made.longer_chosen += chosen > rejected
            made.lengths_differ += chosen != rejected
            for column, found in made.names.items():
                if row.get(column) and len(found) < 20:
                    found.add(str(row[column]))
            if not by_rule(row) and (apart := margin(row)) is not None:
                made.margins[number] = apart
                for side, scores in made.scores.items():
                    scores.append(float(row[f"{side}_score"]))
        return made

    @property
    def longer(self) -> Share:
        """In how many of the pairs of different lengths the chosen answer is the longer one."""
        return Share(self.longer_chosen, self.lengths_differ)

    def choose(self, flagged: Collection[int], private: Collection[int]) -> dict[int, str]:
        """Return which rows to show, each with the rule that chose it; of several that fit, the first one.

        `flagged` are the rows with a finding, `private` those that are not shown.
        """
        rows = [row for row in range(len(self.total)) if row not in private]
        judged = [row for row in rows if row in self.margins]
        if not rows:
            return {}
        chosen = {_nearest_median(rows, self.total): "of median length"}
        if judged and len({*self.margins.values()}) > 1:
            chosen.setdefault(max(judged, key=lambda row: (self.margins[row], -row)), "widest margin")
            chosen.setdefault(min(judged, key=lambda row: (self.margins[row], row)), "narrowest margin")
        chosen.setdefault(max(rows, key=lambda row: (self.total[row], -row)), "longest")
        chosen.setdefault(min(rows, key=lambda row: (self.total[row], row)), "shortest")
        if found := sorted(set(flagged) & set(rows)):
            chosen.setdefault(found[0], "first with a finding")
        return chosen


class ExamplePair(NamedTuple):
    """A pair that is shown, and the rule by which it was chosen."""

    number: int
    rule: str
    row: Row


def examples(rows: Iterable[Row], chosen: Mapping[int, str]) -> Iterator[ExamplePair]:
    """Yield the chosen rows, in the order of the rules, but none that `publishable` refuses."""
    found = {number: row for number, row in enumerate(rows) if number in chosen}
    for number, rule in chosen.items():
        if publishable(found[number]):
            yield ExamplePair(number, rule, found[number])


def publishable(value: Any, *codes: str) -> bool:
    """Return whether nothing in a value looks like a key, an e-mail address or a phone number (PF5xx)."""
    return not SecretChecker(codes or None).see(None, value)


def _nearest_median(rows: list[int], total: array[int]) -> int:
    middle = sorted(total[row] for row in rows)[len(rows) // 2]
    return next(row for row in rows if total[row] == middle)
