"""Sets of one answer a row: the rows of one prompt, or of one tree of messages, are read as one.

Open Assistant and HelpSteer are published so. The rows of a prompt stand one after another; all but the last are a
`Skip` with the reason `joined`, so that the rows of the file are still counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, groupby, islice, pairwise
from typing import Any

from ..types import Row, Skip
from .candidates import number

JOINED = "joined"
_LOOKED_AT = 20
_ANSWERS = ("response", "completion", "answer", "output")
_ASKED = ("prompt", "instruction", "question", "query")
_SCORES = ("overall_score", "score", "rating", "reward", "quality", "helpfulness")
_TREE = ("message_id", "parent_id", "message_tree_id", "text", "role")
_APART = ("label", "labels", "kto_tag", "chosen", "rejected", "rejected_response")


def joined(rows: Iterable[Any]) -> Iterator[Any]:
    """Return the rows; those of one answer each, of which two or more belong to one prompt, as said above."""
    stream = iter(rows)
    start = list(islice(stream, _LOOKED_AT))
    found = [row for row in start if isinstance(row, Mapping)]
    if len(found) > 1 and len(found) == len(start):
        if all(row.keys() >= {*_TREE} for row in found):
            return _joined(chain(start, stream), lambda row: row.get("message_tree_id"), _tree)
        names = [next((name for name in some if name in found[0]), "") for some in (_ASKED, _ANSWERS, _SCORES)]
        if all(names) and _scored(found, names):
            return _joined(chain(start, stream), lambda row: row.get(names[0]), lambda group: _answers(group, names))
    return chain(start, stream)


def _scored(rows: Sequence[Row], names: Sequence[str]) -> bool:
    """Return whether all rows have a question, an answer and its score, and two neighbours the same question."""
    asked, answer, score = names
    kinds = all(isinstance(row.get(asked), str) and isinstance(row.get(answer), str) for row in rows)
    if not kinds or any(number(row.get(score)) is None or not row.keys().isdisjoint(_APART) for row in rows):
        return False
    return any(one[asked] == other[asked] for one, other in pairwise(rows))


def _joined(rows: Iterable[Any], key: Callable[[Row], Any], made: Callable[[list[Row]], Row]) -> Iterator[Any]:
    at = 0
    for found, group in groupby(rows, lambda row: key(row) if isinstance(row, Mapping) else None):
        held = list(group)
        at += len(held)
        if found is None:
            yield from held
            continue
        if made is not _tree and len(held) == 1:
            yield Skip(JOINED, f"row {at - 1}: no other answer to the same prompt")
            continue
        last = f"row {{}}: read together with row {at - 1}, which has the same prompt"
        yield from (Skip(JOINED, last.format(one)) for one in range(at - len(held), at - 1))
        yield made(held)


def _answers(group: list[Row], names: Sequence[str]) -> Row:
    asked, answer, score = names
    rest = {name: value for name, value in group[0].items() if all(row.get(name) == value for row in group)}
    columns = {"responses": [row.get(answer) for row in group], "scores": [row.get(score) for row in group]}
    return {name: value for name, value in rest.items() if name not in names[1:]} | columns | {asked: group[0][asked]}


def _tree(group: list[Row]) -> Row:
    """Return the tree of the messages, as Open Assistant exports trees."""
    nodes = {row["message_id"]: {**row, "replies": list[Any]()} for row in group}
    roots = list[Row]()
    for node in nodes.values():
        parent = nodes.get(node.get("parent_id"))
        (roots if parent is None else parent["replies"]).append(node)
    return {"message_tree_id": group[0]["message_tree_id"], "prompt": roots[0]}
