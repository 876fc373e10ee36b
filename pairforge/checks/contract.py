"""The JSON Schema of a pair, and its errors in one line each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ..resources import resource
from .rules import Seen, clip

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError
    from jsonschema.protocols import Validator


@lru_cache
def validator() -> Validator:
    """The validator of schemas/pair.schema.json."""
    from jsonschema import Draft202012Validator

    return Draft202012Validator(json.loads(resource("schemas", "pair.schema.json").read_text("utf-8")))


_KINDS = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}


def said(error: ValidationError) -> Seen:
    """One line for an error of the schema, without the value where that may be long."""
    row: Any = error.instance
    rule: Any = error.validator_value
    schema: Any = error.schema
    path = "".join(f"/{token(part)}" for part in error.absolute_path)
    last = error.absolute_path[-1] if path else None
    name = "the row" if last is None else f"message {last}" if isinstance(last, int) else f"`{last}`"
    found = _KINDS.get(type(row)) or clip(row)
    match error.validator:
        case "required":
            missing = ", ".join(f"`{key}`" for key in rule if key not in row)
            return f"{missing} missing: found {keys(row)}{_hint(row)}", path
        case "type":
            return f"{name} is {found}, not {_wanted(rule, error)}{'' if path else _hint(row)}", path
        case "enum":
            return f"{name.strip('`')} {clip(row)} is none of {', '.join(rule)}", path
        case "const":
            return f"{name.strip('`')} is {clip(row)}, where only {rule} may be", path
        case "minItems":
            return f"{name} is an empty list", path
        case "additionalProperties":
            others = {key: None for key in row if key not in schema["properties"]}
            return f"a message has keys other than role and content: {keys(others)}", path
    return f"{name}: {clip(error.message, 120)}", path


def _wanted(wanted: str | list[str], error: ValidationError) -> str:
    part = "parts" if error.absolute_path and error.absolute_path[-1] == "content" else "messages"
    names = {"object": "an object", "array": f"a list of {part}", "string": "a text", "number": "a number"}
    return " or ".join(names.get(kind, str(kind)) for kind in ([wanted] if isinstance(wanted, str) else wanted))


def _hint(row: Any) -> str:
    shape = foreign(row)
    return f" ({shape}; `chosen` and `rejected` are read as lists of messages)" if shape else ""


def foreign(row: Any) -> str | None:
    """The name of another well-known shape of rows, if the row has one."""
    if not isinstance(row, Mapping):
        return None
    sides = [row.get(name) for name in ("chosen", "rejected")]
    if all(isinstance(side, str) for side in sides):
        transcript = all(side.lstrip().startswith("Human:") for side in sides if isinstance(side, str))
        return "transcripts (Human: ... Assistant: ...)" if transcript else "plain strings"
    if "conversations" in row:
        return "ShareGPT conversations"
    if "chosen_messages" in row:
        return "chosen_messages and rejected_messages"
    return "alpaca (instruction, output)" if "instruction" in row and "output" in row else None


def strange(row: Any) -> str | None:
    """What a row holds that is no pair at all, by shape or by keys; None where a side is there."""
    if shape := foreign(row):
        return shape
    if not isinstance(row, Mapping) or "chosen" in row or "rejected" in row:
        return None
    return f"neither, but {keys(row)}"


def keys(row: Mapping[Any, Any]) -> str:
    """The first keys of a row, for a reader."""
    return ", ".join(clip(key, 30) for key in list(row)[:8]) or "no key"


def token(key: object) -> str:
    """One part of a JSON pointer, escaped."""
    return str(key)[:80].replace("~", "~0").replace("/", "~1")
