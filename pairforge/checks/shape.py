"""The fast path: what schemas/pair.schema.json says of a row, and whether its texts and numbers are sound.

Proven equal to the schema by a property test, and more than twenty times as fast. The slow path is asked only where
this one says no.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

MAX_DEPTH = 64
ROLES = frozenset(("system", "user", "assistant", "tool"))
TEXTS = ("id", "prompt_id", "method", "model", "judge")
NUMBERS = ("chosen_score", "rejected_score")
_PARTS = frozenset(("text", "image", "image_url", "audio", "input_audio", "video"))
_KEYS = frozenset(("role", "content", "tool_calls", "tool_call_id", "name"))
_SIDES = frozenset(("chosen", "rejected", "prompt"))


def well_shaped(row: Any) -> bool:
    """What the JSON Schema says."""
    if type(row) is not dict or not _messages(row.get("chosen")) or not _messages(row.get("rejected")):
        return False
    if "prompt" in row and type(row["prompt"]) is not str and not _messages(row["prompt"]):
        return False
    for name in TEXTS:
        if name in row and type(row[name]) is not str:
            return False
    return all(type(row[name]) in (int, float) for name in NUMBERS if name in row)


def plain(value: Any, depth: int = 0) -> bool:
    """No text or number in the value is one that the PF004-PF007 rules would look at."""
    kind = type(value)
    if kind is str:
        return "\0" not in value and (value.isascii() or _encodes(value))
    if kind is dict:
        return depth < MAX_DEPTH and all(plain(item, depth + 1) for item in value.values()) and all(map(plain, value))
    if kind is list:
        return depth < MAX_DEPTH and all(plain(item, depth + 1) for item in value)
    return kind in (int, bool) or value is None or (kind is float and math.isfinite(value))


def plain_beside(row: Mapping[str, Any]) -> bool:
    """`plain` of a row apart from its messages."""
    for name, value in row.items():
        if name not in _SIDES and not plain(value, 1):
            return False
    return type(row.get("prompt")) is not str or plain(row["prompt"])


def _messages(value: Any) -> bool:
    if type(value) is not list or not value:
        return False
    for message in value:
        if type(message) is not dict or type(message.get("content")) is not str or len(message) != 2:
            if not _documented(message):
                return False
        else:
            role = message.get("role")
            if type(role) is not str or role not in ROLES:
                return False
    return True


def _documented(message: Any) -> bool:
    """A message with typed parts or tool calls."""
    if type(message) is not dict or not {"role", "content"} <= message.keys() <= _KEYS:
        return False
    role, content, calls = message["role"], message["content"], message.get("tool_calls")
    if type(role) is not str or role not in ROLES:
        return False
    if calls is not None and (
        role != "assistant" or type(calls) is not list or not calls or not all(map(_call, calls))
    ):
        return False
    if any(type(message.get(key)) not in ((str, type(None)) if role == "tool" else (type(None),)) for key in _OF_TOOLS):
        return False
    if type(content) is list:
        return bool(content) and all(map(_part, content))
    return type(content) is str or (content is None and calls is not None)


_OF_TOOLS = ("tool_call_id", "name")


def _part(part: Any) -> bool:
    if type(part) is not dict or type(kind := part.get("type")) is not str or kind not in _PARTS:
        return False
    return kind != "text" or type(part.get("text")) is str


def _call(call: Any) -> bool:
    if (
        type(call) is not dict
        or type(call.get("id")) not in (str, type(None))
        or call.get("type", "function") != "function"
    ):
        return False
    function = call.get("function")
    return (
        type(function) is dict and type(function.get("name")) is str and type(function.get("arguments")) in (dict, str)
    )


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
