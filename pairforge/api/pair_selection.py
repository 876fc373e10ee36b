"""Which pairs to show: conditions on columns, a text that they hold, and their order."""

from __future__ import annotations

import heapq
import re
import shlex
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from operator import eq, ge, gt, itemgetter, le, lt, ne
from random import Random
from typing import Any

import regex

from ..errors import InputError
from ..options.declaration import as_tuple
from ..options.pairs import ShowOptions
from ..pair_view import lengths_of, margin, sides_of
from ..text import did_you_mean, one_line
from ..types import Row

_COUNTED = 20_000
"""So many rows after the last one that is shown are read to count them."""
_SECONDS = 2.0  # that a regular expression may take for one message


DERIVED: Mapping[str, Callable[[Row], float | None]] = {
    "margin": margin,
    "chosen_length": lambda row: lengths_of(row)[0],
    "rejected_length": lambda row: lengths_of(row)[1],
    "length": lambda row: sum(lengths_of(row)),
    "length_gap": lambda row: lengths_of(row)[0] - lengths_of(row)[1],
}
"""Columns that are computed: the difference of the scores, and characters of the answers."""

_CONDITION = re.compile(r"\s*([^<>=!]+?)\s*(<=|>=|!=|==|=|<|>)\s*(?![<>=!])(.*?)\s*", re.DOTALL)
_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": eq, "==": eq, "!=": ne, "<": lt, "<=": le, ">": gt, ">=": ge,
}  # fmt: skip


@dataclass(frozen=True)
class ColumnCondition:
    """A comparison of a column with a value. It is never true of a row that lacks the column."""

    column: str
    operator: str
    value: str

    @classmethod
    def of(cls, text: str) -> ColumnCondition:
        """Read a condition. Raises InputError where it is not one."""
        found = _CONDITION.fullmatch(text)
        if not found:
            raise InputError(
                f"--where {text!r:.60} is not a condition", fix="write COLUMN<VALUE, with <, <=, =, !=, >= or >"
            )
        column, operator, value = found.groups()
        if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        if operator[0] in "<>" and _number(value) is None:
            raise InputError(
                f"--where {text!r:.60}: {value!r:.40} is not a number", fix=f"compare texts with {column}=TEXT"
            )
        return cls(column, operator, value)

    def holds(self, row: Row) -> bool:
        """Return whether it is true of a row."""
        value = value_of(row, self.column)
        numbers = _number(value), _number(self.value)
        if None not in numbers:
            return _OPERATORS[self.operator](*numbers)
        if value is None or self.operator[0] in "<>":
            return False
        text = str(value).lower() if isinstance(value, bool) else str(value)
        return _OPERATORS[self.operator](text, self.value)


def value_of(row: Row, column: str) -> Any:
    """Return the value of a column, one of `DERIVED` or of the row; None where it has none."""
    derived = DERIVED[column](row) if column in DERIVED else None
    return row.get(column) if derived is None else derived


def _number(value: Any) -> float | None:
    if not isinstance(value, bool):
        with suppress(ValueError, TypeError):
            return float(value)
    return None


@dataclass
class PairFilter:
    """The conditions that a pair must fulfil, and the columns that the rows had."""

    conditions: tuple[ColumnCondition, ...]
    pattern: regex.Pattern[str] | None
    columns: dict[str, None] = field(default_factory=dict)

    @classmethod
    def of(cls, options: ShowOptions) -> PairFilter:
        """Return the filter of --where and --grep. Raises InputError where one of them can't be read."""
        return cls(tuple(map(ColumnCondition.of, as_tuple(options.where))), _compiled(options.grep))

    def __bool__(self) -> bool:
        return bool(self.conditions or self.pattern)

    def __call__(self, number: int, row: Row) -> bool:
        """Return whether the pair is wanted."""
        for condition in self.conditions:
            if condition.column not in self.columns and value_of(row, condition.column) is not None:
                self.columns[condition.column] = None
        if self.conditions:
            self.columns |= dict.fromkeys(row)
        return all(condition.holds(row) for condition in self.conditions) and self._matches(number, row)

    def _matches(self, number: int, row: Row) -> bool:
        try:
            return not self.pattern or any(
                self.pattern.search(turn["content"], timeout=_SECONDS) for turns in sides_of(row) for turn in turns
            )
        except TimeoutError:
            what = f"--grep {self.pattern.pattern!r:.60} takes too long on row {number}"  # type: ignore[union-attr]
            raise InputError(what, fix="write it without repetitions in repetitions, such as (a+)+") from None

    def require_columns(self) -> None:
        """Raise InputError for a condition on a column that no row had."""
        for column in (condition.column for condition in self.conditions):
            if column not in self.columns:
                raise _no_column(f"--where {column}", column, self.columns)


def _no_column(option: str, column: str, columns: Mapping[str, Any]) -> InputError:
    if column == "margin":
        fix = "only judged pairs have a margin"
        if option.startswith("--sort"):
            fix += "; pairs without scores can be sorted with: --sort length, or --sort easiness"
        return InputError(f"{option}: no row has both chosen_score and rejected_score", fix=fix)
    known = [*columns, *DERIVED]
    named = f"the columns are {', '.join(one_line(name, 30) for name in known[:20])}"
    return InputError(f"{option}: no row has this column", fix=did_you_mean(column, known) or named)


def _compiled(text: str | None) -> regex.Pattern[str] | None:
    if text is None:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about sets in sets, which regex may read otherwise one day
            return regex.compile(text)
    except regex.error as error:
        fix = f"to find the text as it is: --grep {shlex.quote(regex.escape(text, literal_spaces=True))}"
        raise InputError(f"--grep {text!r:.60} is not a regular expression: {error}", fix=fix) from None


@dataclass
class Selection:
    """The pairs to show, each with the number of its row, and how many there are.

    `matching` of `rows` pairs fulfil the conditions; `whole` is False where there are more that were not counted.
    """

    pairs: list[tuple[int, Any]] = field(default_factory=list)
    matching: int = 0
    rows: int = 0
    whole: bool = True


def select(
    rows: Iterator[tuple[int, Any]], options: ShowOptions, limit: int, easiness: Mapping[int, float]
) -> Selection:
    """Return the first `limit` pairs in the order that is asked for.

    In the order of the file, nothing is kept of the other rows; in another one, no more than `limit` of them. A row
    that is not a pair raises InputError, unless it comes after the last one that is shown.
    """
    wanted, made = PairFilter.of(options), Selection()

    def matching() -> Iterator[tuple[int, Any]]:
        for number, row in rows:
            made.rows = number + 1
            if not wanted or wanted(number, row):
                made.matching += 1
                yield number, row

    found = matching()
    if options.sort == "file" and not options.reverse:
        made.pairs = list(islice(found, limit))
        try:
            for number, _ in found:
                if number - made.pairs[-1][0] >= _COUNTED:
                    break
            made.whole = next(rows, None) is None
        except InputError:  # a row behind those that are shown can't be read
            made.whole = False
    else:
        made.pairs = _sorted(found, options, limit, easiness)
    if made.whole:
        wanted.require_columns()
    return made


def _sorted(
    found: Iterator[tuple[int, Any]], options: ShowOptions, limit: int, easiness: Mapping[int, float]
) -> list[tuple[int, Any]]:
    by, random, sign = options.sort, Random(options.seed), -1 if options.reverse else 1
    known = False

    def keyed() -> Iterator[tuple[bool, float, int, Any]]:
        nonlocal known
        for number, row in found:
            values = {"file": number, "random": None, "easiness": easiness.get(number)}
            value = random.random() if by == "random" else values[by] if by in values else value_of(row, by)
            value = _number(value)
            known = known or value is not None
            yield value is None, sign * (value or 0.0), number, row

    smallest = heapq.nsmallest(limit, keyed(), key=itemgetter(0, 1, 2))
    if smallest and not known:
        raise _no_column(f"--sort {by}", by, {})
    return [(number, row) for _, _, number, row in smallest]
