"""Single turns and whole conversations, in the shapes that people write them in, to messages.

What a message can't hold is added to `lost`; None means that it is no turn, or holds what is no text (an image, a tool
call), which must not be dropped in silence.

Conversations, however they are written down, as turns; and what of them is asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, TypeAlias

from .errors import InputError
from .text import one_line
from .types import Message

_ROLES = {
    "human": "user", "user": "user", "prompter": "user",
    "gpt": "assistant", "assistant": "assistant", "chatgpt": "assistant", "bard": "assistant", "bing": "assistant",
    "model": "assistant", "bot": "assistant", "system": "system", "tool": "tool", "observation": "tool",
    "function_response": "tool",
}  # fmt: skip
_CALLS = ("tool_calls", "function_call")
_MARK = re.compile(r"(?:\A\s*|\n\n)(Human|Assistant):[ ]?")


def as_message(role: str, text: str) -> Message:
    return Message(role=role, content=text)


def message(turn: Any, lost: set[str]) -> Message | None:
    """A turn of {role, content} or ShareGPT's {from, value}, its content a text or a list of typed parts."""
    if not isinstance(turn, Mapping):
        return None
    names = ("role", "content") if "role" in turn else ("from", "value")
    role, content = turn.get(names[0]), text_of(turn.get(names[1]))
    if not isinstance(role, str) or role not in _ROLES or content is None or any(turn.get(name) for name in _CALLS):
        return None
    if len(turn) > 2:
        lost.update(f"{name} of a message" for name, value in turn.items() if name not in names and value is not None)
    return Message(role=_ROLES[role], content=content)


def messages(turns: Any, lost: set[str]) -> list[Message] | None:
    """A conversation: a list of turns, whichever way each is written."""
    if not isinstance(turns, (list, tuple)):
        return None
    made = []
    for turn in turns:
        if (one := message(turn, lost)) is None:
            return None
        made.append(one)
    return made


def text_of(content: Any) -> str | None:
    """A text, or the texts of typed parts ({"type": "text", "text": ...}) put together."""
    if isinstance(content, str):
        return content
    if not isinstance(content, (list, tuple)) or not content:
        return None
    parts = [_part(part) for part in content]
    return None if None in parts else "".join(part for part in parts if part is not None)


def _part(part: Any) -> str | None:
    if not isinstance(part, Mapping) or part.get("type") != "text":
        return None
    return next((text for key in ("text", "value", "content") if isinstance(text := part.get(key), str)), None)


def transcript(text: Any) -> list[Message] | None:
    """The turns of a text such as `\\n\\nHuman: ...\\n\\nAssistant: ...`; None where it doesn't begin with a turn."""
    if not isinstance(text, str) or not is_transcript(text):
        return None
    _, *parts = _MARK.split(text)
    return [
        as_message("user" if who == "Human" else "assistant", part)
        for who, part in zip(parts[::2], parts[1::2], strict=True)
    ]


def is_transcript(text: str) -> bool:
    """Whether the text begins with a turn of such a transcript."""
    return text.lstrip()[:10].startswith(("Human:", "Assistant:"))


History: TypeAlias = Literal["last", "full"]
Turn: TypeAlias = tuple[str, Any]
"""Who speaks (user, assistant, system where that can be told), and what, as it was found."""

ROLES = {
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("user", "human", "prompter"), "user"),
    **dict.fromkeys(("assistant", "gpt", "model", "bot", "chatgpt"), "assistant"),
}
_ROLE_KEYS, _CONTENT_KEYS = ("role", "from", "speaker"), ("content", "value", "text", "parts")
_TEXT_PARTS = (None, "text", "input_text", "output_text")
_TRANSCRIPTS = (
    (re.compile(r"\s*Human:.*\n\nAssistant:", re.DOTALL), re.compile(r"(?:\A\s*|\n\n)(Human|Assistant):")),
    (re.compile(r"\s*### Human:"), re.compile(r"### (Human|Assistant):")),
)


class UnusableError(Exception):
    """This row holds no prompt; becomes its Skip."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def said(text: str) -> list[Turn]:
    """A text as the user's turn, or, where it is a transcript ("Human: ... Assistant: ..."), as all turns of that."""
    for whole, marker in _TRANSCRIPTS:
        if whole.match(text):
            _, *parts = marker.split(text)
            return [(ROLES[role.lower()], words.strip()) for role, words in zip(parts[::2], parts[1::2], strict=True)]
    return [("user", text)]


def talk(value: Any, where: str) -> list[Turn]:
    """A list of turns, or of the typed parts of one; also a struct of lists, as some tables store it."""
    if isinstance(value, Mapping):
        columns = [[(name, cell) for cell in cells] for name, cells in value.items() if isinstance(cells, list)]
        value = [dict(cells) for cells in zip(*columns, strict=False)]
    if value and all(isinstance(part, Mapping) and "type" in part and _who(part) is None for part in value):
        return [("user", value)]
    return [turn(item, where) for item in value]


def turn(item: Any, where: str) -> Turn:
    """One turn of a conversation. Raises InputError where it isn't written as any known."""
    if isinstance(item, Mapping) and (role := _who(item)) is not None:
        content = [item[key] for key in _CONTENT_KEYS if key in item]
        if content or role == "assistant":  # a call of a tool may come without words
            return role, content[0] if content else None
    found = one_line(f"{item!r}", 80)
    raise InputError(f"{where}: a turn without role/content or from/value: {found}", fix="write each turn with both")


def lone(row: Mapping[str, Any]) -> bool:
    """Whether a row is itself one turn."""
    return _who(row) in ROLES.values() and any(key in row for key in _CONTENT_KEYS)


def kept(turns: Sequence[Turn], history: History) -> tuple[Message, ...]:
    """The last user turn, or all up to it, under the system message if there is one."""
    asked = [number for number, (role, _) in enumerate(turns) if role == "user"]
    last = next((number for number in reversed(asked) if _text(turns[number][1]).strip()), None)
    if last is None:
        raise UnusableError("empty", "no user turn")
    start = int(turns[0][0] == "system")
    system = [("system", text) for _, content in turns[:start] if (text := _text(content)).strip()]
    before = _answered(turns[start:last]) if history == "full" else ()
    messages = [*system, *before, ("user", _text(turns[last][1]))]
    return tuple(Message(role=role, content=text) for role, text in messages)


def _answered(turns: Sequence[Turn]) -> Iterator[tuple[str, str]]:
    """The turns before the last question, which must be questions with their answers."""
    for number, (role, content) in enumerate([*turns, ("user", None)]):
        due = ("user", "assistant")[number % 2]
        if role != due:
            raise UnusableError("turns", f"turn {number} is the {one_line(role, 40)}'s, not the {due}'s")
        if number < len(turns):
            text = _text(content)
            if not text.strip():
                raise UnusableError("turns", f"turn {number}, the {due}'s, is empty")
            yield role, text


def _who(item: Mapping[str, Any]) -> str | None:
    role = next((item[key] for key in _ROLE_KEYS if key in item), None)
    return ROLES.get(role.strip().lower(), role) if isinstance(role, str) else None


def _text(content: Any) -> str:
    """The words of a turn; typed parts run on. Raises UnusableError for a picture, a sound, a call ..."""
    if content is None or isinstance(content, str):
        return content or ""
    if isinstance(content, int | float):
        return str(content)
    parts: Iterable[Any] = content if isinstance(content, list) else [content]
    return "".join(map(_words, parts))


def _words(part: Any) -> str:
    kind: Any = type(part).__name__
    if isinstance(part, str):
        return part
    if isinstance(part, Mapping):
        kind = part.get("type")
        words = part.get("text", part.get("value"))
        if kind in _TEXT_PARTS and isinstance(words, str):
            return words
    raise UnusableError("not_text", f"a part of type {one_line(kind, 40)}")
