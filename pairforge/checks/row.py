"""A row: the fast path of the checks of its shape, and its view as two conversations with a common beginning.

The fast path is proven equal to schemas/pair.schema.json by a property test, and more than twenty times as fast. The
schema is asked only where the fast path says no.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..conversation import CHAT_ROLES
from ..text import (
    BIDI,
    CONTROL,
    FILLERS,
    IDEOGRAPHIC,
    JOINERS,
    MAX_DEPTH,
    TAGS,
    characters,
    common_prefix,
    lone_surrogate,
)
from ..thoughts import THOUGHT_KEYS
from ..types import NUMBER_COLUMNS, SIDES, TEXT_COLUMNS, Message

INSTRUCTS = frozenset(("system", "developer"))
"""The roles of a message that says how to answer; newer models call it the developer's."""
_PARTS = frozenset(("text", "image", "image_url", "audio", "input_audio", "video"))
KEYS = frozenset(("role", "content", "tool_calls", "tool_call_id", "name", *THOUGHT_KEYS))
"""The keys of a message that chat templates read."""
_CONVERSATIONS = frozenset((*SIDES, "prompt"))
_OPTIONAL = (str, type(None))


def well_shaped(row: Any) -> bool:
    """Return whether a row is what the JSON Schema says."""
    if type(row) is not dict or not _messages(row.get("chosen")) or not _messages(row.get("rejected")):
        return False
    if "prompt" in row and type(row["prompt"]) is not str and not _messages(row["prompt"]):
        return False
    for name in TEXT_COLUMNS:
        if name in row and type(row[name]) is not str:
            return False
    for name in NUMBER_COLUMNS:  # a generator would take twice as long
        if name in row and type(row[name]) not in (int, float) and row[name] is not None:
            return False
    return True


def plain(value: Any, depth: int = 0) -> bool:
    """Return False if a text or number in the value may be one that the rules over values find."""
    kind = type(value)
    if kind is str:
        return value.isprintable() or ("\0" not in value and not lone_surrogate(value))
    if kind is dict:
        return depth < MAX_DEPTH and all(plain(item, depth + 1) for item in value.values()) and all(map(plain, value))
    if kind is list:
        return depth < MAX_DEPTH and all(plain(item, depth + 1) for item in value)
    return kind in (int, bool) or value is None or (kind is float and math.isfinite(value))


def plain_beside(row: Mapping[str, Any]) -> bool:
    """Return what `plain` says of a row apart from its messages."""
    for name, value in row.items():
        if name in _CONVERSATIONS:
            if type(value) is str and not plain(value):
                return False
        elif not (type(value) is str and value.isprintable()) and not plain(value, 1):
            return False
    return True


def _messages(value: Any) -> bool:
    if type(value) is not list or not value:
        return False
    for message in value:
        if type(message) is not dict or type(message.get("content")) is not str or len(message) != 2:
            if not _documented(message):
                return False
        else:
            role = message.get("role")
            if type(role) is not str or role not in CHAT_ROLES:
                return False
    return True


def _documented(message: Any) -> bool:
    """Return whether it is a message with typed parts, tool calls, reasoning or keys that no template reads."""
    if type(message) is not dict:
        return False
    role, content, calls = message.get("role"), message.get("content"), message.get("tool_calls")
    if type(role) is not str or role not in CHAT_ROLES:
        return False
    if calls and not (role == "assistant" and type(calls) is list and all(map(_call, calls))):
        return False
    if not calls and calls is not None and type(calls) is not list:
        return False
    if any(type(message.get(name)) not in _OPTIONAL for name in ("tool_call_id", "name", *THOUGHT_KEYS)):
        return False
    if type(content) is list:
        return bool(content) and all(map(_part, content))
    return type(content) is str or (content is None and bool(calls))


def _part(part: Any) -> bool:
    if type(part) is not dict or type(kind := part.get("type")) is not str or kind not in _PARTS:
        return False
    return kind != "text" or type(part.get("text")) is str


def _call(call: Any) -> bool:
    if type(call) is not dict or type(function := call.get("function")) is not dict:
        return False
    known = type(call.get("id")) in _OPTIONAL and call.get("type") in (None, "function")
    return known and type(function.get("name")) is str and type(function.get("arguments")) in (dict, str)


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
    """The sides differ in the assistant's last turn alone."""
    visible: bool
    """The texts hold nothing but what can be seen, and spaces; False where a closer look is needed."""
    annotated: bool
    """A message holds more than a role and a text."""

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Sides:
        """Return the sides of a row of the implicit or the explicit shape (a `prompt` list beside completions)."""
        prompt, chosen, rejected = row.get("prompt"), row["chosen"], row["rejected"]
        if type(prompt) is list:
            chosen, rejected = prompt + chosen, prompt + rejected
        else:
            prompt = []
        annotated = sum(map(len, chosen)) + sum(map(len, rejected)) != 2 * (len(chosen) + len(rejected))
        if annotated:
            chosen, rejected = _plain(chosen), _plain(rejected)
        try:
            shared, text = _overlap(chosen, rejected)
        except (TypeError, KeyError):
            annotated, chosen, rejected = True, _plain(chosen), _plain(rejected)
            shared, text = _overlap(chosen, rejected)
        regular = shared == len(chosen) - 1 == len(rejected) - 1
        regular = regular and chosen[shared]["role"] == "assistant" == rejected[shared]["role"]
        return cls(row, prompt, chosen, rejected, shared, text, regular, _visible(text), annotated)

    @property
    def messages(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield every message as it stands in the row, with its JSON pointer; those that both sides share once."""
        for name in ("prompt", "chosen", "rejected"):
            side = self.row.get(name) if name != "prompt" or self.prompt else None
            start = max(0, self.shared - len(self.prompt)) if name == "rejected" else 0
            yield from ((f"/{name}/{at}", message) for at, message in enumerate(side or ()) if at >= start)

    @property
    def question(self) -> str:
        """Return the texts of the user's turns before the answers, one below the other."""
        return "\n".join(turn["content"] for turn in self.context if turn["role"] == "user")

    @property
    def context(self) -> Sequence[Message]:
        """Return the messages before the first turn that differs."""
        return self.chosen[: self.shared]

    def pointer(self, side: str, index: int) -> str:
        """Return the JSON pointer to a message of a side, given its place in the whole conversation."""
        ahead = len(self.prompt)
        return f"/prompt/{index}" if index < ahead else f"/{side}/{index - ahead}"

    def both(self) -> tuple[tuple[str, Sequence[Message]], ...]:
        """Return the names of the sides with their conversations."""
        return (("chosen", self.chosen), ("rejected", self.rejected))

    def said(self) -> tuple[str, str]:
        """Return what the assistant says on each side, chosen first, in its turns after the common context."""
        one, other = (
            "\n\n".join(turn["content"] for turn in turns[self.shared :] if turn["role"] == "assistant")
            for _, turns in self.both()
        )
        return one, other

    def turns(self) -> Iterator[tuple[str, int, str, str]]:
        """Yield side, place, role and text of every message, shared ones once."""
        for side, turns, start in (("chosen", self.chosen, 0), ("rejected", self.rejected, self.shared)):
            for index in range(start, len(turns)):
                turn = turns[index]
                yield side, index, turn["role"], turn["content"]

    def answers(self) -> Iterator[tuple[str, int, str]]:
        """Yield side, place and text of the last turn of each side that ends with the assistant's."""
        for side, turns in self.both():
            if turns[-1]["role"] == "assistant":
                yield side, len(turns) - 1, turns[-1]["content"]


def _overlap(chosen: Sequence[Message], rejected: Sequence[Message]) -> tuple[int, str]:
    """Return with how many messages both begin, and all texts, shared ones once.

    Raises TypeError or KeyError for others.
    """
    shared = common_prefix(chosen, rejected)
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
    if _IDEOGRAPHIC.search(text):
        return False
    for char in _UNSEEN:  # noqa: SIM110 (a generator would take twice as long)
        if char in text:
            return False
    return True


_CONTROLS = bytes(map(ord, characters(CONTROL)))
_IDEOGRAPHIC = re.compile(f"[{IDEOGRAPHIC}]")
_SPACES = "\t\r\u3000\xa0\u2009\u202f\u2028"
"""Those that `isprintable` says no to, though they are in many texts."""
_UNSEEN = "".join(filter(str.isprintable, characters(CONTROL + JOINERS + BIDI + FILLERS + TAGS))) + "\ufffd"
"""Those that it says yes to, though they are drawn as nothing, or mark a lost byte."""


def _plain(turns: Sequence[Mapping[str, Any]]) -> list[Message]:
    return [Message(role=turn["role"], content=_written(turn)) for turn in turns]


def _written(turn: Mapping[str, Any]) -> str:
    """Return the text of a message behind its reasoning, with what it holds beside a text written as JSON."""
    content, calls = turn.get("content"), turn.get("tool_calls")
    if isinstance(content, list):
        parts = (part["text"] if part["type"] == "text" else json.dumps(part, default=str) for part in content)
        content = "\n".join(parts)
    thought = next((turn[name] for name in THOUGHT_KEYS if turn.get(name)), "")
    thought = f"<think>\n{thought}\n</think>\n\n" if thought else ""
    return thought + (content or "") + (json.dumps(calls, default=str) if calls else "")
