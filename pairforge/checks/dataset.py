"""What must not be trained on: the questions of an evaluation set.

Which types each column holds, in one pass.
PF2xx: do the rows make a set?
"""

from __future__ import annotations

import unicodedata
from array import array
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np

from ..types import Message
from .duplicates import Digests, Places, earliest, first_with, key
from .minhash import BINS, Bytes, Sketches, sketch, twins
from .row import NUMBERS, TEXTS, Sides
from .rule import BALANCE, FIX, Seen, clip, rule

_LONG_ENOUGH = 24
"""Characters from which on a single turn is a question of its own: "And why?" is asked everywhere."""


class Against:
    """The questions of another set: whole conversations (system messages apart), and each longer turn of the user's."""

    def __init__(self, conversations: Iterable[Sequence[Message]], name: str) -> None:
        self.name = name
        self._row: dict[int, int] = {}
        texts = []
        for row, messages in enumerate(conversations):
            for asked in _keys(messages):
                self._row.setdefault(asked, row)
            texts.append("\n".join(turn["content"] for turn in messages if turn["role"] != "system"))
        self.sketches: Bytes = sketch(texts) if texts else sketch([""])

    def row(self, messages: Sequence[Message]) -> int | None:
        """The row of the other set that asks the same."""
        return next((self._row[asked] for asked in _keys(messages) if asked in self._row), None)


@rule("PF209")
def leaked(against: Against, sides: Sides) -> Iterator[Seen]:
    """The prompt stands in the evaluation set, too (spaces, case and system message apart): what is measured there is
    memory, not skill.
    """
    if (row := against.row(sides.context)) is not None:
        yield f"asks the same as row {row} of {against.name}", sides.pointer("chosen", max(0, sides.shared - 1))


def _keys(messages: Sequence[Message]) -> Iterator[int]:
    turns = [(turn["role"], _normal(turn["content"])) for turn in messages if turn["role"] != "system"]
    if any(text for _, text in turns):
        yield key("\x1e".join(text for _, text in turns))
        yield from (key(text) for role, text in turns if role == "user" and len(text) >= _LONG_ENOUGH)


def _normal(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


_KINDS = {str: "a text", bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "an object"}
_KNOWN = frozenset((*TEXTS, *NUMBERS, "chosen", "rejected"))
_NAMES, _ROWS = 1000, 10_000


class Columns:
    """The columns that the schema leaves open: the types of each, in order, with the first rows that hold them."""

    def __init__(self) -> None:
        self._seen: dict[str, dict[str, array[int]]] = {}

    def add(self, index: int, row: Mapping[str, Any]) -> None:
        for name, value in row.items():
            if name not in _KNOWN and value is not None:
                self._rows(name, _KINDS.get(type(value), "a value of another kind")).append(index)

    def join(self, other: Columns) -> None:
        """Takes in the rows behind these."""
        for name, kinds in other._seen.items():
            for kind, rows in kinds.items():
                self._rows(name, kind).extend(rows)

    def mixed(self) -> Iterator[tuple[str, str, str, int]]:
        """Column, the type it began with, another type, and a row that holds it."""
        for name, kinds in self._seen.items():
            (first, _), *others = kinds.items()
            for kind, rows in others:
                yield from ((name, first, kind, row) for row in rows[:_ROWS])

    def _rows(self, name: str, kind: str) -> array[int]:
        """Where to note a row; what is beyond the limits goes nowhere."""
        kinds = self._seen.get(name)
        if kinds is None:
            if len(self._seen) == _NAMES:
                return array("q")
            kinds = self._seen[name] = {}
        rows = kinds.get(kind)
        if rows is None:
            rows = kinds[kind] = array("q")
        return rows if len(rows) < _ROWS else array("q")


SeenAt: TypeAlias = tuple[int, str]
"""A row, and the line for the reader."""
_DOMINATES, _USUAL, _FEWEST = 0.1, 3, 20
_PEELS = 64


@rule("PF201")
def no_rows(count: int) -> Iterator[Seen]:
    """The set is empty: mostly a filter or a path that went wrong. Trainers fail on it with a bare StopIteration."""
    if not count:
        yield "no rows", ""


@rule("PF202", "warning", mend=FIX)
def duplicate(digests: Digests) -> Iterator[SeenAt]:
    """The same pair stands in the set before: it weighs twice, and half of it may land in the evaluation split."""
    rows, first = digests.rows, earliest(digests.pair())
    for place in np.flatnonzero(first != np.arange(len(first))):
        yield int(rows[place]), f"the same pair as row {rows[first[place]]}"


@rule("PF203", mend=BALANCE)
def swapped(digests: Digests) -> Iterator[SeenAt]:
    """An earlier row holds the same two answers the other way round: the two rows contradict each other."""
    rows, first = digests.rows, first_with(digests.pair(), digests.pair(swapped=True))
    earlier = (first >= 0) & (first < np.arange(len(first))) & (digests.chosen != digests.rejected)
    for place in np.flatnonzero(earlier):
        yield int(rows[place]), f"the same pair as row {rows[first[place]]}, with chosen and rejected swapped"


@rule("PF204", "info")
def prompt_again(digests: Digests) -> Iterator[SeenAt]:
    """A prompt stands in several pairs. That is fine in training; keep all of its rows on one side of a split."""
    first = earliest(digests.prompt)
    again = np.flatnonzero((first != np.arange(len(first))) & (earliest(digests.pair()) == np.arange(len(first))))
    if len(again):
        row, before = digests.rows[again[0]], digests.rows[first[again[0]]]
        yield int(row), f"asks the same as row {before}; {len(again)} rows ask what an earlier one asks"


@rule("PF205", mend=BALANCE)
def in_a_circle(digests: Digests) -> Iterator[SeenAt]:
    """Pairs of one prompt contradict one another: a over b, b over c, c over a. No model can satisfy all of them."""
    rows, chosen, rejected, prompt = digests.rows, digests.chosen, digests.rejected, digests.prompt
    kept = _core(digests)
    order = kept[np.argsort(prompt[kept], kind="stable")]
    ends: Places = np.flatnonzero(prompt[order][1:] != prompt[order][:-1]) + 1
    for group in np.split(order, ends) if len(order) else ():
        edges = {(int(chosen[place]), int(rejected[place])): int(rows[place]) for place in group[::-1]}
        graph: dict[int, set[int]] = {}
        for better, worse in edges:
            graph.setdefault(better, set()).add(worse)
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            nodes = error.args[1]
            circle = sorted(edges[better, worse] for worse, better in pairwise(nodes))
            others = ", ".join(map(str, circle[:-1][:8]))
            yield circle[-1], f"contradicts rows {others}: their preferences run in a circle"


@rule("PF206", "warning")
def near_duplicate(digests: Digests, sketches: Sketches) -> Iterator[SeenAt]:
    """Nearly the same pair stands in the set before, prompt and both answers alike: it weighs more than the others."""
    rows, found = sketches.rows, twins(sketches.parts, within=sketches.systems)
    found[earliest(digests.pair()) != np.arange(len(found))] = -1
    for place in np.flatnonzero(found >= 0):
        yield int(rows[place]), f"nearly the same pair as row {rows[found[place]]}"


@rule("PF207", "info")
def near_prompt(digests: Digests, sketches: Sketches) -> Iterator[SeenAt]:
    """Prompts that are nearly the same: keep them on one side of a split, or the evaluation knows the answers."""
    rows, found = sketches.rows, twins(sketches.parts[:, :1], within=sketches.systems)
    found[digests.prompt == digests.prompt[found]] = -1
    near = np.flatnonzero(found >= 0)
    if len(near):
        row, before = rows[near[0]], rows[found[near[0]]]
        yield int(row), f"asks nearly the same as row {before}; {len(near)} rows ask nearly what an earlier one asks"


@rule("PF208", "warning")
def dominating_prompt(digests: Digests) -> Iterator[SeenAt]:
    """One prompt has more than a tenth of all pairs, and far more than others: the model learns little else."""
    if len(digests) < _FEWEST:
        return
    _, first, count = np.unique(digests.prompt, return_index=True, return_counts=True)
    rows = digests.rows
    most = max(_DOMINATES * len(digests), _USUAL * len(digests) / len(count))
    for place in np.flatnonzero(count > most):
        share = count[place] / len(digests)
        yield int(rows[first[place]]), f"the prompt of this row has {count[place]} of all pairs ({share:.0%})"


@rule("PF210")
def mixed_column(columns: Columns) -> Iterator[SeenAt]:
    """A column holds values of several types. Arrow holds one type a column: loading fails, or casts without a word."""
    for name, first, kind, row in columns.mixed():
        yield row, f"column {clip(name, 40)} holds {kind} here, {first} before"


@rule("PF211", "warning")
def nearly_leaked(against: Against, sketches: Sketches) -> Iterator[SeenAt]:
    """The prompt is nearly one of the evaluation set: what is measured there is partly memory."""
    known = len(against.sketches)
    both = np.concatenate((against.sketches.reshape(known, 1, BINS), sketches.parts[:, :1]))
    found = twins(both, start=known)
    rows = sketches.rows
    for place in np.flatnonzero(found >= 0):
        yield int(rows[place]), f"asks nearly the same as row {found[place]} of {against.name}"


@rule("PF212", "info", mend=FIX)
def unusual_lines(noted: Collection[str]) -> Iterator[Seen]:
    """The file begins with a byte-order mark, or has blank lines or line ends of Windows.

    pairforge reads it as if they were not there, and counts no blank line as a row; other readers stumble over them.
    """
    if noted:
        yield f"the file has {', '.join(sorted(noted))}: passed over", ""


def _core(digests: Digests) -> Places:
    """The places of the pairs that may be part of a circle: others are peeled off from the ends of the chains."""
    chosen, rejected = digests.chosen, digests.rejected
    keep: Places = np.flatnonzero(chosen != rejected)
    # Two rows that only swap the answers are told of apart.
    keep = keep[first_with(digests.pair()[keep], digests.pair(swapped=True)[keep]) < 0]
    for _ in range(_PEELS):
        better, worse = chosen[keep], rejected[keep]
        inside = np.isin(better, worse) & np.isin(worse, better)
        if inside.all():
            break
        keep = keep[inside]
    return keep
