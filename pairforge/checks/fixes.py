"""Fixes of single rows: what `fix` and `balance` take off the edges of answers, and why they leave a row out."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from ..text import LEFTOVER_TOKEN
from ..types import SIDES
from .preference import cut_off, empty_answer, error_sentinel, identical, nearly_identical
from .row import Sides

BothTexts: TypeAlias = tuple[str, str]
"""The chosen and the rejected answer."""

_FIRST, _LAST = re.compile(rf"\s*({LEFTOVER_TOKEN})\s*"), re.compile(rf"(?:{LEFTOVER_TOKEN})\Z")
_LONGEST = 48
"""Characters of the longest of these tokens."""


def without_tokens(texts: BothTexts) -> BothTexts:
    """Take off control tokens of chat templates at the edges, where one answer has others than the other."""
    (one, *at_one), (other, *at_other) = map(_parted, texts)
    return texts if at_one == at_other else (one, other)


def _parted(text: str) -> tuple[str, list[str], list[str]]:
    """Return a text without such tokens, those before it and those after it."""
    before, behind = list[str](), list[str]()
    while found := _FIRST.match(text):
        before.append(found[1])
        text = text[found.end() :]
    while found := _LAST.search(text.rstrip()[-_LONGEST:]):
        behind.append(found[0])
        text = text.rstrip()[: -len(found[0])].rstrip()
    return text, before, behind


def without_edges(texts: BothTexts) -> BothTexts:
    """Take off white space at the start, or at the end, where the answers differ in it and neither is blank."""
    one, other = texts
    if not one.strip() or not other.strip():
        return texts
    if one[: len(one) - len(one.lstrip())] != other[: len(other) - len(other.lstrip())]:
        one, other = one.lstrip(), other.lstrip()
    if one[len(one.rstrip()) :] != other[len(other.rstrip()) :]:
        one, other = one.rstrip(), other.rstrip()
    return one, other


def cut_on_one_side(sides: Sides) -> list[str]:
    """Return which answer is cut off; if both are, that does not tell them apart."""
    found = [*cut_off(sides)]
    return [f"{path.split('/')[1]}: {message}" for message, path in found] if len(found) == 1 else []


EDGES: dict[str, Callable[[BothTexts], BothTexts]] = {"tokens": without_tokens, "spaces": without_edges}
"""What is taken off the edges, where it tells the sides apart; in this order."""

DROPS: dict[str, Callable[[Sides], Iterable[str]]] = {
    "same": lambda sides: (message for one in (identical, nearly_identical) for message, _ in one(sides)),
    "empty": lambda sides: (message for message, _ in empty_answer(sides)),
    "error": lambda sides: (message for message, _ in error_sentinel(sides)),
    "cut": cut_on_one_side,
}
"""Why a row is left out."""

_REASONS = {"tokens": "template tokens at an edge of one answer", "spaces": "white space at an edge of one answer"}


@dataclass(frozen=True)
class FixedRow:
    """A row after its remedies. `changes` names them with their reasons; `dropped` is the one that leaves it out."""

    row: dict[str, Any]
    changes: tuple[tuple[str, str], ...] = ()
    dropped: tuple[str, str] | None = None


def fix_row(row: Mapping[str, Any], remedies: Collection[str]) -> FixedRow:
    """Return the row after the named ones of `EDGES` and `DROPS`. `row` holds message lists."""
    made, used = dict(row), list[str]()
    texts = _last_texts(row)
    for name, take_off in EDGES.items():
        if texts and name in remedies and (other := take_off(texts)) != texts:
            texts = other
            used.append(name)
    if texts and used:
        made |= {
            side: [*made[side][:-1], {**made[side][-1], "content": text}]
            for side, text in zip(SIDES, texts, strict=True)
        }
    sides = Sides.of(made)
    wrong = ((name, why) for name, look in DROPS.items() if name in remedies for why in look(sides))
    return FixedRow(made, tuple((name, _REASONS[name]) for name in used), next(wrong, None))


def _last_texts(row: Mapping[str, Any]) -> BothTexts | None:
    """Return the two answers, where the sides differ in the assistant's last turn alone, and that is a text."""
    one, other = row["chosen"][-1], row["rejected"][-1]
    if one["role"] != "assistant" or other["role"] != "assistant" or row["chosen"][:-1] != row["rejected"][:-1]:
        return None
    texts = one.get("content"), other.get("content")
    return texts if [*map(type, texts)] == [str, str] else None
