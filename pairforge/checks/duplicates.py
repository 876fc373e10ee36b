"""Rows that contradict one another: a over b and b over a, or a over b, b over c, c over a.

What is kept of each row to tell rows of one set apart: four numbers, never its texts.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ..types import Message
from .row import Sides

Keys: TypeAlias = npt.NDArray[np.uint64]
Places: TypeAlias = npt.NDArray[np.int64]
Mask: TypeAlias = npt.NDArray[np.bool_]
_MIX = np.uint64(0x9E3779B97F4A7C15)


def key(text: str) -> int:
    """64 bits that name a text: of a million texts two share them by chance once in 37 million sets."""
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


class Digests:
    """The rows that are pairs: their numbers, and keys of the prompt and of both answers to that prompt."""

    def __init__(self) -> None:
        self._columns = (array("q"), array("Q"), array("Q"), array("Q"))

    def add(self, index: int, sides: Sides) -> None:
        prompt = key(_written(sides.context))
        rows, prompts, chosen, rejected = self._columns
        rows.append(index)
        prompts.append(prompt)
        chosen.append(key(f"{prompt}{_written(sides.chosen[sides.shared :])}"))
        rejected.append(key(f"{prompt}{_written(sides.rejected[sides.shared :])}"))

    def join(self, other: Digests) -> None:
        """Takes in the rows behind these."""
        for column, more in zip(self._columns, other._columns, strict=True):
            column.extend(more)

    def __len__(self) -> int:
        return len(self._columns[0])

    @property
    def rows(self) -> Places:
        return _seen(self._columns[0], np.int64)

    @property
    def prompt(self) -> Keys:
        return _seen(self._columns[1], np.uint64)

    @property
    def chosen(self) -> Keys:
        return _seen(self._columns[2], np.uint64)

    @property
    def rejected(self) -> Keys:
        return _seen(self._columns[3], np.uint64)

    def pair(self, swapped: bool = False) -> Keys:
        """One key for both answers, whichever of the two shapes a row has."""
        one, other = (self.rejected, self.chosen) if swapped else (self.chosen, self.rejected)
        mixed: Keys = one * _MIX ^ (other + (one >> np.uint64(7)))
        return mixed


def earliest(keys: Keys) -> Places:
    """For each place the first one that holds the same key."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    new: Mask = np.ones(len(keys), np.bool_)
    new[1:] = ordered[1:] != ordered[:-1]
    start = np.maximum.accumulate(np.where(new, np.arange(len(keys)), 0))
    first: Places = np.empty(len(keys), np.int64)
    first[order] = order[start]
    return first


def first_with(keys: Keys, wanted: Keys) -> Places:
    """For each of the wanted keys the first place that holds it, or -1."""
    if not len(keys):
        return np.full(len(wanted), -1, np.int64)
    order = np.argsort(keys, kind="stable")
    at = np.minimum(np.searchsorted(keys, wanted, sorter=order), len(keys) - 1)
    found: Places = np.where(keys[order[at]] == wanted, order[at], -1)
    return found


def _written(turns: Sequence[Message]) -> str:
    return "\x1e".join([turn["role"] + "\x1f" + turn["content"] for turn in turns])


def _seen(column: array[int], kind: Any) -> Any:
    # A copy: a view would keep the array from growing.
    return np.array(column, dtype=kind) if len(column) else np.empty(0, kind)


_SHOWN = 8


def contradictions(digests: Digests) -> dict[int, str]:
    """The rows whose preference runs in a circle with others of the same prompt, by number, and with which.

    All of a circle: nothing says which of its rows is wrong.
    """
    places = _core(digests)
    rows, chosen, rejected = (column[places].tolist() for column in (digests.rows, digests.chosen, digests.rejected))
    knot = _knots(zip(chosen, rejected, strict=True))
    members: dict[int, list[int]] = {}
    for row, better, worse in zip(rows, chosen, rejected, strict=True):
        if knot[better] == knot[worse]:
            members.setdefault(knot[better], []).append(row)
    return {row: f"contradicts {_others(row, group)}" for group in members.values() for row in sorted(group)}


def _others(row: int, group: Iterable[int]) -> str:
    others = sorted(one for one in group if one != row)
    more = f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
    return f"row{'s' if len(others) > 1 else ''} {', '.join(map(str, others[:_SHOWN]))}{more}"


def _core(digests: Digests) -> Places:
    """The places of the pairs that may be part of a circle: others are peeled off from the ends of the chains."""
    chosen, rejected = digests.chosen, digests.rejected
    keep: Places = np.flatnonzero(chosen != rejected)
    while True:
        inside = np.isin(chosen[keep], rejected[keep]) & np.isin(rejected[keep], chosen[keep])
        if inside.all():
            return keep
        keep = keep[inside]


def _knots(edges: Iterable[tuple[int, int]]) -> dict[int, int]:
    """For each node the name of its strongly connected component (Kosaraju): in it every node leads to every other."""
    ahead: dict[int, set[int]] = {}
    back: dict[int, set[int]] = {}
    for start, end in edges:
        ahead.setdefault(start, set()).add(end)
        back.setdefault(end, set()).add(start)
    finished, seen = list[int](), set[int]()
    for node in ahead:
        finished += _walk(node, ahead, seen)
    knot: dict[int, int] = {}
    seen.clear()
    for node in reversed(finished):
        knot |= dict.fromkeys(_walk(node, back, seen), node)
    return knot


def _walk(start: int, edges: Mapping[int, Iterable[int]], seen: set[int]) -> Iterator[int]:
    """What can be reached and was not seen, each node behind all that follows from it."""
    if start in seen:
        return
    seen.add(start)
    path = [(start, iter(edges.get(start, ())))]
    while path:
        node, rest = path[-1]
        following = next((one for one in rest if one not in seen), None)
        if following is None:
            yield node
            path.pop()
        else:
            seen.add(following)
            path.append((following, iter(edges.get(following, ()))))
