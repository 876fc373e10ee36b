"""A well-shaped row seen as two conversations with a common beginning."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..types import Message


@dataclass(slots=True)
class Sides:
    """Both conversations, whole; `shared` is the number of messages with which both begin.

    Every message is {role, content} with a text: parts and tool calls are written out. `text` holds all of the texts.
    """

    row: Mapping[str, Any]
    prompt: Sequence[Message]
    chosen: Sequence[Message]
    rejected: Sequence[Message]
    shared: int
    text: str
    regular: bool
    """Whether the sides differ in the assistant's last turn alone."""
    visible: bool
    """Whether the texts hold nothing but what can be seen and spaces; False where that is not plain at a glance."""

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Sides:
        """The sides of a row in the implicit shape, or in the explicit one (`prompt` list beside completions)."""
        prompt, chosen, rejected = row.get("prompt"), row["chosen"], row["rejected"]
        if type(prompt) is list:
            chosen, rejected = prompt + chosen, prompt + rejected
        else:
            prompt = []
        if sum(map(len, chosen)) + sum(map(len, rejected)) != 2 * (len(chosen) + len(rejected)):
            chosen, rejected = _plain(chosen), _plain(rejected)
        try:
            shared, text = _overlap(chosen, rejected)
        except TypeError:
            chosen, rejected = _plain(chosen), _plain(rejected)
            shared, text = _overlap(chosen, rejected)
        regular = (
            shared == len(chosen) - 1 == len(rejected) - 1
            and chosen[shared]["role"] == "assistant"
            and rejected[shared]["role"] == "assistant"
        )
        return cls(row, prompt, chosen, rejected, shared, text, regular, _visible(text))

    @property
    def context(self) -> Sequence[Message]:
        """The messages before the first turn that differs."""
        return self.chosen[: self.shared]

    def pointer(self, side: str, index: int) -> str:
        """JSON pointer to a message of a side, given its place in the whole conversation."""
        ahead = len(self.prompt)
        return f"/prompt/{index}" if index < ahead else f"/{side}/{index - ahead}"

    def turns(self) -> Iterator[tuple[str, int, str, str]]:
        """Side, place, role and text of every message, what the sides share once."""
        for side, turns, start in (("chosen", self.chosen, 0), ("rejected", self.rejected, self.shared)):
            for index in range(start, len(turns)):
                turn = turns[index]
                yield side, index, turn["role"], turn["content"]

    def answers(self) -> Iterator[tuple[str, int, str]]:
        """Side, place and text of the last turn of each side that ends with the assistant's."""
        for side, turns in both(self):
            if turns[-1]["role"] == "assistant":
                yield side, len(turns) - 1, turns[-1]["content"]


def both(sides: Sides) -> tuple[tuple[str, Sequence[Message]], ...]:
    """The names of the sides with their conversations."""
    return (("chosen", sides.chosen), ("rejected", sides.rejected))


def answer(turns: Sequence[Message]) -> str:
    """The text of the assistant's turns among these."""
    return "\n\n".join(turn["content"] for turn in turns if turn["role"] == "assistant")


def _overlap(chosen: Sequence[Message], rejected: Sequence[Message]) -> tuple[int, str]:
    """How many messages both begin with, and all texts, what is shared once. Raises TypeError for one that is none."""
    shared = 0
    for one, other in zip(chosen, rejected, strict=False):
        if one != other:
            break
        shared += 1
    texts = [turn["content"] for turn in chosen]
    texts += [turn["content"] for turn in rejected[shared:]]
    return shared, "\n".join(texts)


def _visible(text: str) -> bool:
    if text.isascii():
        return len(text.encode().translate(None, _CONTROLS)) == len(text)
    if not (rest := text.replace("\n", "")).isprintable():
        for space in _SPACES:
            rest = rest.replace(space, "")
        if not rest.isprintable():
            return False
    return "\ufffd" not in text


_CONTROLS = bytes((*range(9), 11, 12, *range(14, 32), 127))
_SPACES = "\t\r\u3000\xa0\u2009\u202f\u2028"
"""Those that `isprintable` says no to, though they stand in many texts."""


def _plain(turns: Sequence[Mapping[str, Any]]) -> list[Message]:
    return [Message(role=turn["role"], content=_written(turn)) for turn in turns]


def _written(turn: Mapping[str, Any]) -> str:
    """The text of a message, with what it holds beside a text written as JSON."""
    content, calls = turn["content"], turn.get("tool_calls")
    if isinstance(content, list):
        content = "\n".join(
            part["text"] if part["type"] == "text" else json.dumps(part, default=str) for part in content
        )
    return (content or "") + (json.dumps(calls, default=str) if calls else "")
