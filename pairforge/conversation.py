"""Conversations as messages, whichever way their turns are written: what pairs and prompts are read with alike."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from .text import json_value, one_line
from .thoughts import THOUGHT_KEYS
from .types import Message

ROLES = {
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("user", "human", "prompter", "customer", "person", "用户"), "user"),
    **dict.fromkeys(
        ("assistant", "gpt", "model", "bot", "chatgpt", "bard", "bing", "ai", "chatbot", "llm", "agent", "助手"),
        "assistant",
    ),
    **dict.fromkeys(
        ("tool", "observation", "function_response", "tool_response", "tool_result", "function", "ipython"), "tool"
    ),
}
"""The role of a message for each name that speakers have, in small letters."""
CALLERS = ("function_call", "tool_call")
"""The names of a speaker whose text is the JSON of a call: an assistant that calls a tool."""
MESSAGE_ROLES = frozenset(ROLES.values())
CHAT_ROLES = MESSAGE_ROLES | {"developer"}
"""The roles that a message of a pair may have; newer models call the system's the developer's."""
_KEPT_KEYS = {"assistant": THOUGHT_KEYS, "tool": ("name", "tool_call_id")}
"""Keys that a message of a role keeps, beside its content and its calls."""
_ROLE_KEYS = ("role", "from", "speaker")
CONTENT_KEYS = ("content", "value", "text", "parts", "message", "utterance")


class ConversationError(Exception):
    """A value that can't be read as a conversation of texts."""


class NotTurnError(ConversationError):
    """A value that is not written as a turn."""


class NotTextError(ConversationError):
    """A turn with an image, a sound, a tool call or whatever else is not text: it must not be dropped in silence."""


@dataclass(slots=True)
class Turn:
    """One turn, its content as it was found.

    `role` is one of the values of `ROLES`, or an unknown name as it was found. `calls` are the calls of tools, `more`
    holds what else a message may have: thoughts, and the name and id of the call that a tool answers.
    """

    role: str
    content: Any
    calls: Sequence[Any] = ()
    more: Mapping[str, Any] = field(default_factory=dict)
    other: tuple[str, ...] = field(default=(), compare=False)
    """Keys with a value that a message can't hold."""

    @classmethod
    def of(cls, item: Any) -> Turn:
        """Read a turn such as {role, content} or ShareGPT's {from, value}. Raises NotTurnError where it is none."""
        role = role_of(item)
        if role and len(item) == 2 and "content" in item and role not in CALLERS:  # nearly all turns
            return cls(role, item["content"])
        key = next((key for key in CONTENT_KEYS if key in item), None) if role else None
        if role is None or (key is None and role != "assistant"):  # a call of a tool may come without words
            raise NotTurnError(one_line(f"{item!r}", 80))
        content, calls = item.get(key), item.get("tool_calls") or item.get("function_call") or ()
        if role in CALLERS:
            role, calls = "assistant", called(content)
            if not calls and str(content).lstrip()[:1] in ("{", "["):
                raise NotTurnError(one_line(f"the call is not valid JSON: {content}", 100))
            content = None if calls else content
        more = {name: item[name] for name in _KEPT_KEYS.get(role, ()) if isinstance(item.get(name), str)}
        own = {next(name for name in _ROLE_KEYS if name in item), key, "tool_calls", "function_call", *more}
        other = tuple(str(name) for name, value in item.items() if name not in own and value is not None)
        return cls(role, content, [calls] if isinstance(calls, Mapping) else calls, more, other)

    def text(self) -> str | None:
        """Return the text of the turn, None where it has no content. Raises NotTextError for what is not text."""
        if self.calls:
            raise NotTextError("a tool call")
        return text_of(self.content)

    def message(self) -> dict[str, Any]:
        """Return the turn as a message: a text, or typed parts where some are not texts; calls; thoughts.

        Raises NotTurnError where its role is not known or it is empty, NotTextError for parts of an unknown kind.
        """
        if self.role not in MESSAGE_ROLES:
            raise NotTurnError(f"the role {one_line(f'{self.role!r}', 40)} is not known")
        content, more = _parted(self.content)
        calls = [*map(_call, (*self.calls, *more.pop("tool_calls", ())))]
        if content is None and not calls and not (more or self.more):
            raise NotTurnError("the content is null" if self.content is None else "the content is empty")
        made = {"role": self.role, **({} if content is None else {"content": content}), **more, **self.more}
        return {**made, "tool_calls": calls} if calls else made


def called(text: Any) -> list[Any]:
    """Return the calls that a text holds as JSON, an object or a list of them with a `name` each; none for others."""
    found = json_value(text) if isinstance(text, str) else text
    calls = found if isinstance(found, list) else [found]
    return calls if all(isinstance(one, Mapping) and ("name" in one or "function" in one) for one in calls) else []


def _call(call: Any) -> Any:
    """Return a call as {"type": "function", "function": {name, arguments}}; of another form it stays as it is."""
    if not isinstance(call, Mapping) or "function" in call or not isinstance(call.get("name"), str):
        if not isinstance(call, Mapping) or not isinstance(call.get("function"), Mapping):
            raise NotTextError("a tool call without a name")
        return call
    function = {"name": call["name"], "arguments": call.get("arguments", call.get("parameters", {}))}
    return {key: call[key] for key in ("id",) if key in call} | {"type": "function", "function": function}


_MEDIA_PARTS = ("image", "image_url", "audio", "input_audio", "video")


def _parted(content: Any) -> tuple[Any, dict[str, Any]]:
    """Return a text, or the typed parts where some are images or sounds; and the calls and thoughts among the parts."""
    if not isinstance(content, (list, tuple)) or not any(_kind(part) not in _TEXT_PARTS for part in content):
        return text_of(content), {}
    parts, more = list[Any](), dict[str, Any]()
    for part in content:
        kind = _kind(part)
        if kind in _MEDIA_PARTS:
            parts.append(dict(part))
        elif kind == "reasoning":
            more["reasoning_content"] = str(part.get("value") or part.get("text") or "")
        elif kind in ("tool_call", "tool_calls"):
            more.setdefault("tool_calls", []).extend(called(part.get("value")))
        else:
            parts.append({"type": "text", "text": _part_text(part)})
    if parts and all(part["type"] == "text" for part in parts):
        return "".join(part["text"] for part in parts), more
    return parts or None, more


def _kind(part: Any) -> Any:
    return part.get("type") if isinstance(part, Mapping) else None


def role_of(item: Any) -> str | None:
    """Return the role that a turn names, as one of the values of `ROLES` if it is known; None where it names none."""
    if not isinstance(item, Mapping):
        return None
    for key in _ROLE_KEYS:
        if key in item:
            role = item[key]
            if not isinstance(role, str):
                return None
            plain = role.strip().lower()
            return plain if plain in CALLERS else ROLES.get(plain, role)
    return None


def text_of(content: Any) -> str | None:
    """Return a text, or the texts of typed parts ({"type": "text", "text": ...}) joined; None where there is nothing.

    Raises NotTextError for a part of another type.
    """
    if content is None or isinstance(content, str):
        return content
    parts = content if isinstance(content, (list, tuple)) else [content]
    return "".join(map(_part_text, parts)) if parts else None


_TEXT_PARTS = (None, "text", "input_text", "output_text")


def _part_text(part: Any) -> str:
    kind: Any = type(part).__name__
    if isinstance(part, str):
        return part
    if isinstance(part, Mapping):
        kind = part.get("type")
        texts = [part[key] for key in ("text", "value", "content") if isinstance(part.get(key), str)]
        if texts and kind in _TEXT_PARTS:
            return str(texts[0])
    raise NotTextError(f"a part of type {one_line(kind, 40)}")


def objects_in(struct: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the objects of a struct of lists, as Arrow may store a list of objects; what is no list is left out."""
    lists = {name: cells for name, cells in struct.items() if isinstance(cells, list)}
    return [dict(zip(lists, cells, strict=True)) for cells in zip(*lists.values(), strict=False)]


def turns_of(value: Any) -> list[Turn]:
    """Read a list of turns, or a struct of lists, as some tables store it. Raises NotTurnError for anything else."""
    if isinstance(value, Mapping):
        value = objects_in(value)
    if not isinstance(value, (list, tuple)):
        raise NotTurnError(one_line(f"{value!r}", 80))
    return [Turn.of(item) for item in value]


def messages(value: Any, lost: set[str]) -> list[Message] | None:
    """Return what `conversation` does; None where the value can't be read as one."""
    try:
        return conversation(value, lost)
    except ConversationError:
        return None


def conversation(value: Any, lost: set[str]) -> list[Message]:
    """Return the messages of a list of turns. The keys of turns that a message can't hold are added to `lost`.

    Raises ConversationError, which says why and where, for a turn that can't be read.
    """
    made = []
    for index, turn in enumerate(turns_of(value)):
        if type(turn.content) is str and not turn.calls and not turn.more and turn.role in MESSAGE_ROLES:
            made.append(Message(role=turn.role, content=turn.content))
        else:
            try:
                made.append(cast("Message", turn.message()))
            except ConversationError as error:
                raise type(error)(f"message {index}: {error}") from error
        if turn.other:
            lost.update(f"{name} of a message" for name in turn.other)
    return made


def written(message: Mapping[str, Any]) -> str:
    """Return a message as one text for a reader: its thoughts, its text with a mark for each image, and its calls."""
    thoughts = (f"<think>{message[key]}</think>" for key in THOUGHT_KEYS if message.get(key))
    content = message.get("content")
    parts = content if isinstance(content, list) else [content or ""]
    texts = (part if isinstance(part, str) else part.get("text") or f"<{part.get('type')}>" for part in parts)
    calls = (json.dumps(call.get("function", call), ensure_ascii=False) for call in message.get("tool_calls") or ())
    return "\n".join(filter(None, (*thoughts, "".join(map(str, texts)), *calls)))


def context_of(row: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the messages of a pair before its answers: a `prompt` list, and of `chosen` all but the last."""
    prompt = row.get("prompt")
    return [*(prompt if isinstance(prompt, list) else []), *row["chosen"][:-1]]
