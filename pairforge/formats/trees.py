"""Trees of messages, as Open Assistant exports them: the ranked replies to one message are answers to one prompt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..conversation import role_of
from ..options.pairs import Pick
from ..types import Message, Row
from .candidates import number, picked
from .context import Cells, MisfitError

NAME = "trees"


def fits(row: Row) -> bool:
    """Return whether a row is a tree in which two replies to one message have ranks."""
    root = row.get("prompt")
    return isinstance(root, Mapping) and isinstance(root.get("replies"), list) and any(True for _ in _ranked(root, []))


def pairs(cells: Cells, pick: Pick) -> list[dict[str, Any]]:
    """Return the pairs in a tree: of the ranked replies to each message of the user, those that `pick` says."""
    root = cells.take("prompt")
    if not isinstance(root, Mapping) or not isinstance(root.get("replies"), list):
        raise MisfitError(f"{cells.called('prompt')} is not a message with replies")
    rest, made = cells.rest(), []
    for context, replies, ranks in _ranked(root, []):
        for one, other in picked([-rank for rank in ranks], pick):
            if replies[one]["text"] != replies[other]["text"]:
                sides = [[*context, Message(role="assistant", content=replies[at]["text"])] for at in (one, other)]
                shown = {"chosen_rank": ranks[one], "rejected_rank": ranks[other]}
                made.append(rest | shown | {"chosen": sides[0], "rejected": sides[1]})
    return made


def _ranked(root: Mapping[str, Any], path: list[Message]) -> Iterator[tuple[list[Message], list[Any], list[float]]]:
    """Yield the context, the replies and the ranks of every message of the user with two or more ranked replies."""
    waiting = [(root, path, True)]
    while waiting:
        node, before, is_root = waiting.pop()
        text = node.get("text")
        role = "user" if is_root and "role" not in node else role_of(node)
        if not isinstance(text, str) or role not in ("user", "assistant"):
            continue
        context = [*before, Message(role=role, content=text)]
        replies = [one for one in node.get("replies") or () if isinstance(one, Mapping) and not one.get("deleted")]
        known = [(one, rank) for one in replies if (rank := number(one.get("rank"))) is not None]
        known = [(one, rank) for one, rank in known if isinstance(one.get("text"), str)]
        if role == "user" and len(known) > 1:
            yield context, [one for one, _ in known], [rank for _, rank in known]
        waiting += [(one, context, False) for one in reversed(replies)]
