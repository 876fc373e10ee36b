"""The check of one row after the other: the rules over single rows, and those over the dataset at the end."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from ..types import Finding
from . import answer_text, attachments, labels, preference, schema, scores, tokenized, transcripts  # noqa: F401 (rules)
from .dataset import Against, DatasetState
from .row import Sides, plain, plain_beside, well_shaped
from .rule import RULES, Observer, Rule, any_fatal, rules_over
from .secrets import SecretChecker
from .shortcuts import findings as _findings  # noqa: F401 (registers PF3xx)

_A_ROW = 20
"""At most so many findings are reported for one row."""


class RowChecker(Observer):
    """Checks rows of pairs, and keeps what the rules over the dataset need.

    `codes` are those to look for (None: all that need nothing but the rows), `against` is what must not be trained on.
    """

    def __init__(self, codes: Collection[str] | None = None, against: Against | None = None) -> None:
        self.against = against
        row, dataset = (
            [one for one in rules_over(over) if (codes is None or one.code in codes) and (against or not one.against)]
            for over in ("row", "dataset")
        )
        self._codes = codes
        self._secrets = SecretChecker(codes)
        self._dataset_rules = dataset
        self.state = DatasetState(dataset)
        self._prefilters: dict[Callable[[Sides], bool] | None, list[Rule]] = {}
        marked: dict[str, list[tuple[re.Pattern[str], Rule]]] = {}
        for one in row:
            for mark, pattern in one.marks.items():
                marked.setdefault(mark, []).append((pattern, one))
            if not one.marks:
                self._prefilters.setdefault(one.prefilter, []).append(one)
        # Most texts are ASCII: no other mark is looked for there.
        self._marked = [[(mark, marked[mark]) for mark in marked if mark.isascii()], [*marked.items()]]

    def see(self, index: int, row: Any) -> list[Finding]:
        """Return what is wrong with the next row: a mapping, or the `Skip` that says why it could not be read."""
        self.state.count += 1
        if type(row) is not dict and isinstance(row, Mapping):
            row = dict(row)
        secrets = self._secrets.see(index, row)
        found: list[Finding] = []
        if well_shaped(row):
            sides = Sides.of(row)
            if not (sides.visible or plain(sides.text)) or not plain_beside(row):
                found = list(islice(schema.values(index, row), _A_ROW))
        else:
            found = list(islice(schema.values(index, row), _A_ROW))
            if not any_fatal(found):
                found += islice(schema.shape(index, row), _A_ROW)
            if any_fatal(found):
                return secrets + self._selected(found[:_A_ROW])
            sides = Sides.of(row)
        found = self._selected(found) if found else found
        found += self._check_sides(index, sides)
        self.state.add(index, sides, found)
        return secrets + found if secrets else found

    def findings(self) -> Iterator[Finding]:
        """Return what is wrong with the dataset."""
        return self.state.findings(self._dataset_rules, self.against)

    def _selected(self, found: list[Finding]) -> list[Finding]:
        return [one for one in found if self._codes is None or one.code in self._codes]

    def _check_sides(self, index: int, sides: Sides) -> list[Finding]:
        due: list[Rule] = []
        for prefilter, rules in self._prefilters.items():
            if prefilter is None or prefilter(sides):
                due += rules
        text = sides.text
        for mark, marked in self._marked[not text.isascii()]:
            if mark in text:
                due += (one for pattern, one in marked if pattern.search(text) and one not in due)
        found: list[Finding] = []
        for one in sorted(due, key=lambda one: one.code) if len(due) > 1 else due:
            found += one.findings(index, sides, *([self.against] if one.against else []))
        return found[:_A_ROW]


def check(
    data: Iterable[Any], codes: Collection[str] | None = None, against: Against | None = None
) -> Iterator[Finding]:
    """Return what is wrong with the rows, in one pass; memory grows by some 150 bytes a row.

    A row is a mapping, or the `Skip` that says why it could not be read.
    """
    checker = RowChecker(codes, against)
    for index, row in enumerate(data):
        yield from checker.see(index, row)
    yield from checker.findings()


def explain(code: str) -> str:
    """Return why a check matters, and how to fix what it finds. Raises KeyError for an unknown code."""
    one = RULES[code]
    fix = f"\n\nTo fix it: {one.fix.format(data='PAIRS')}" if one.fix else ""
    graded = one.over in ("cue", "classifier") and one.severity != "info"
    kinds = "info, warning or error, by how strong it is" if graded else one.severity
    return f"{code} ({kinds})\n\n{one.why}{fix}"
