"""Rows that contradict one another: a over b and b over a, or a over b, b over c, c over a."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from ..checks.digests import Digests, Places

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
