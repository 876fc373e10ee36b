"""What is done to a row alone: what stands at the edges of its answers is taken off, or the row is left out."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from ..checks.rows import empty_answer, identical, nearly_identical
from ..checks.sides import Sides
from ..checks.texts import cut_off, error_sentinel

Texts: TypeAlias = tuple[str, str]
"""The chosen and the rejected answer."""

_TOKEN = (
    r"(?:<[|｜](?!(?:begin|end)_of_(?:thought|solution)|(?:START|END)_THINKING)[^\s|｜<>]{1,40}[|｜]>|</?s>|\[/?INST\]"
    r"|<</?SYS>>|<(?:start|end)_of_turn>|<(?:bos|eos|pad)>|\[(?:BOS|EOS|PAD)\]|<no(?:in|out)put>)"
)
_FIRST, _LAST = re.compile(rf"\s*({_TOKEN})\s*"), re.compile(rf"{_TOKEN}\Z")
_LONGEST = 48
"""Characters in which the longest of these tokens stands."""


def without_tokens(texts: Texts) -> Texts:
    """Control tokens of chat templates at the edges are taken off, where one answer has others than the other."""
    parts = [_parted(text) for text in texts]
    if parts[0][1:] == parts[1][1:]:
        return texts
    return parts[0][0], parts[1][0]


def _parted(text: str) -> tuple[str, list[str], list[str]]:
    """A text without such tokens, those before it and those behind it."""
    before, behind = list[str](), list[str]()
    while found := _FIRST.match(text):
        before.append(found[1])
        text = text[found.end() :]
    while found := _LAST.search(text.rstrip()[-_LONGEST:]):
        behind.append(found[0])
        text = text.rstrip()[: -len(found[0])].rstrip()
    return text, before, behind


def without_edges(texts: Texts) -> Texts:
    """White space at the start, or at the end, is taken off, where the answers differ in it and none is blank."""
    one, other = texts
    if not one.strip() or not other.strip():
        return texts
    if one[: len(one) - len(one.lstrip())] != other[: len(other) - len(other.lstrip())]:
        one, other = one.lstrip(), other.lstrip()
    if one[len(one.rstrip()) :] != other[len(other.rstrip()) :]:
        one, other = one.rstrip(), other.rstrip()
    return one, other


def _same(sides: Sides) -> Iterable[str]:
    return (message for rule in (identical, nearly_identical) for message, _ in rule(sides))


def _cut(sides: Sides) -> Iterable[str]:
    """Where both are cut off, it tells nothing."""
    found = [*cut_off(sides)]
    return [f"{path.split('/')[1]}: {message}" for message, path in found] if len(found) == 1 else []


MENDS: dict[str, Callable[[Texts], Texts]] = {"tokens": without_tokens, "spaces": without_edges}
"""What is taken off, where it tells the sides apart; in this order."""

DROPS: dict[str, Callable[[Sides], Iterable[str]]] = {
    "same": _same,
    "empty": lambda sides: (message for message, _ in empty_answer(sides)),
    "error": lambda sides: (message for message, _ in error_sentinel(sides)),
    "cut": _cut,
}
"""Why a row is left out."""


_TOLD = {"tokens": "template tokens at an edge of one answer", "spaces": "white space at an edge of one answer"}


@dataclass(frozen=True)
class Mended:
    """A row after its remedies. `changes` names them with their reasons; `dropped` is the one that leaves it out."""

    row: dict[str, Any]
    changes: tuple[tuple[str, str], ...] = ()
    dropped: tuple[str, str] | None = None


def mended(row: Mapping[str, Any], remedies: Collection[str]) -> Mended:
    """The row after the named ones of MENDS and DROPS. `row` holds message lists."""
    made, used = dict(row), list[str]()
    texts = _last_texts(row)
    for name, mend in MENDS.items():
        if texts and name in remedies and (other := mend(texts)) != texts:
            texts = other
            used.append(name)
    if texts and used:
        made |= {
            side: [*made[side][:-1], {**made[side][-1], "content": text}]
            for side, text in zip(("chosen", "rejected"), texts, strict=True)
        }
    sides = Sides.of(made)
    wrong = ((name, why) for name, look in DROPS.items() if name in remedies for why in look(sides))
    return Mended(made, tuple((name, _TOLD[name]) for name in used), next(wrong, None))


def _last_texts(row: Mapping[str, Any]) -> Texts | None:
    """The two answers, where the sides differ in the assistant's last turn alone, and that is a text."""
    one, other = row["chosen"][-1], row["rejected"][-1]
    if one["role"] != "assistant" or other["role"] != "assistant" or row["chosen"][:-1] != row["rejected"][:-1]:
        return None
    texts = one["content"], other["content"]
    return texts if all(type(text) is str for text in texts) else None
