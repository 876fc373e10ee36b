"""Single turns and whole conversations, in the shapes that people write them in, to messages.

What a message can't hold is added to `lost`; None means that it is no turn, or holds what is no text (an image, a tool
call), which must not be dropped in silence.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..types import Message

_ROLES = {
    "human": "user", "user": "user", "prompter": "user",
    "gpt": "assistant", "assistant": "assistant", "chatgpt": "assistant", "bard": "assistant", "bing": "assistant",
    "model": "assistant", "bot": "assistant", "system": "system", "tool": "tool", "observation": "tool",
    "function_response": "tool",
}  # fmt: skip
_CALLS = ("tool_calls", "function_call")
_MARK = re.compile(r"(?:\A\s*|\n\n)(Human|Assistant):[ ]?")


def said(role: str, text: str) -> Message:
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
        said("user" if who == "Human" else "assistant", part) for who, part in zip(parts[::2], parts[1::2], strict=True)
    ]


def is_transcript(text: str) -> bool:
    """Whether the text begins with a turn of such a transcript."""
    return text.lstrip()[:10].startswith(("Human:", "Assistant:"))
