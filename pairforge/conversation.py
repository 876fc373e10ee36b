"""Conversations as messages, whichever way their turns are written: what pairs and prompts are read with alike."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .text import one_line
from .types import Message

ROLES = {
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("user", "human", "prompter"), "user"),
    **dict.fromkeys(("assistant", "gpt", "model", "bot", "chatgpt", "bard", "bing"), "assistant"),
    **dict.fromkeys(("tool", "observation", "function_response"), "tool"),
}
"""The role of a message for each name that speakers have, in small letters."""
MESSAGE_ROLES = frozenset(ROLES.values())
_ROLE_KEYS, _CONTENT_KEYS = ("role", "from", "speaker"), ("content", "value", "text", "parts")
_TRANSCRIPTS = (
    (
        re.compile(r"\s*(?:Human|Assistant):.*\n\nAssistant:", re.DOTALL),
        re.compile(r"(?:\A\s*|\n\n)(Human|Assistant):[ ]?"),
    ),
    (re.compile(r"\s*### (?:Human|Assistant):"), re.compile(r"\s*### (Human|Assistant):[ ]?")),
)
"""How a transcript begins, and what begins each of its turns."""


class ConversationError(Exception):
    """A value that can't be read as a conversation of texts."""


class NotTurnError(ConversationError):
    """A value that is not written as a turn."""


class NotTextError(ConversationError):
    """A turn with an image, a sound, a tool call or whatever else is not text: it must not be dropped in silence."""


@dataclass(slots=True)
class Turn:
    """One turn, its content as it was found.

    `role` is one of the values of `ROLES`, or an unknown name as it was found; `calls` tells that the turn calls tools.
    """

    role: str
    content: Any
    calls: bool = False
    other: tuple[str, ...] = field(default=(), compare=False)
    """Keys with a value beside the role and the content."""

    @classmethod
    def of(cls, item: Any) -> Turn:
        """Read a turn such as {role, content} or ShareGPT's {from, value}. Raises NotTurnError where it is none."""
        role = role_of(item)
        if role and len(item) == 2 and "content" in item:  # nearly all turns
            return cls(role, item["content"])
        key = next((key for key in _CONTENT_KEYS if key in item), None) if role else None
        if role is None or (key is None and role != "assistant"):  # a call of a tool may come without words
            raise NotTurnError(one_line(f"{item!r}", 80))
        own = (next(name for name in _ROLE_KEYS if name in item), key)
        other = tuple(str(name) for name, value in item.items() if name not in own and value is not None)
        return cls(role, item.get(key), any(item.get(name) for name in ("tool_calls", "function_call")), other)

    def text(self) -> str | None:
        """Return the text of the turn, None where it has no content. Raises NotTextError for what is not text."""
        if self.calls:
            raise NotTextError("a tool call")
        return text_of(self.content)


def role_of(item: Any) -> str | None:
    """Return the role that a turn names, as one of the values of `ROLES` if it is known; None where it names none."""
    if not isinstance(item, Mapping):
        return None
    for key in _ROLE_KEYS:
        if key in item:
            role = item[key]
            return ROLES.get(role.strip().lower(), role) if isinstance(role, str) else None
    return None


def text_of(content: Any) -> str | None:
    """Return a text, or the texts of typed parts ({"type": "text", "text": ...}) joined; None where there is nothing.

    Raises NotTextError for a part of another type.
    """
    if content is None or isinstance(content, str):
        return content
    parts = content if isinstance(content, (list, tuple)) else [content]
    return "".join(map(_part_text, parts)) if parts else None


def _part_text(part: Any) -> str:
    kind: Any = type(part).__name__
    if isinstance(part, str):
        return part
    if isinstance(part, Mapping):
        kind = part.get("type")
        texts = [part[key] for key in ("text", "value", "content") if isinstance(part.get(key), str)]
        if texts and kind in (None, "text", "input_text", "output_text"):
            return str(texts[0])
    raise NotTextError(f"a part of type {one_line(kind, 40)}")


def turns_of(value: Any) -> list[Turn]:
    """Read a list of turns, or a struct of lists, as some tables store it. Raises NotTurnError for anything else."""
    if isinstance(value, Mapping):
        columns = [[(name, cell) for cell in cells] for name, cells in value.items() if isinstance(cells, list)]
        value = [dict(cells) for cells in zip(*columns, strict=False)]
    if not isinstance(value, (list, tuple)):
        raise NotTurnError(one_line(f"{value!r}", 80))
    return [Turn.of(item) for item in value]


def messages(value: Any, lost: set[str]) -> list[Message] | None:
    """Return the messages of a list of turns; None where one of them is not a turn, is of an unknown role or not text.

    The keys of turns that a message can't hold are added to `lost`.
    """
    made = []
    try:
        for turn in turns_of(value):
            text = turn.text()
            if text is None or turn.role not in MESSAGE_ROLES:
                return None
            if turn.other:
                lost.update(f"{name} of a message" for name in turn.other)
            made.append(Message(role=turn.role, content=text))
    except ConversationError:
        return None
    return made


def context_of(row: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the messages of a pair before its answers: a `prompt` list, and of `chosen` all but the last."""
    prompt = row.get("prompt")
    return [*(prompt if isinstance(prompt, list) else []), *row["chosen"][:-1]]


def transcript(text: str) -> list[Message] | None:
    r"""Return the turns of a text such as `\n\nHuman: ...\n\nAssistant: ...` or `### Human: ...### Assistant: ...`.

    None where it is not a transcript: it begins with a turn, and in the first form an answer follows.
    """
    for beginning, marker in _TRANSCRIPTS:
        if beginning.match(text):
            _, *parts = marker.split(text)
            turns = zip(parts[::2], parts[1::2], strict=True)
            return [Message(role=ROLES[speaker.lower()], content=said) for speaker, said in turns]
    return None
