"""PF0xx: is this a row, and has it the shape of a pair?

The contract is schemas/pair.schema.json. `well_shaped` says the same much faster; the schema is asked only where it
says no.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..types import Finding, Skip
from .contract import said, token, validator
from .rules import Seen, family, rule

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

MAX_DEPTH = 64
ROLES = frozenset(("system", "user", "assistant", "tool"))
_TEXTS = ("id", "prompt_id", "method", "model", "judge")
_NUMBERS = ("chosen_score", "rejected_score")


@rule("PF001")
def not_json(row: Any) -> Iterator[Seen]:
    """The line is no whole JSON value: mostly a file that was cut off while it was written or fetched.

    `load_dataset` then fails on the whole file, with an error that names no line.
    """
    if isinstance(row, Skip) and row.reason == "json":
        yield row.detail, ""


@rule("PF002")
def not_utf8(row: Any) -> Iterator[Seen]:
    """The bytes are not UTF-8. Decoding them with replacement would train the model on replacement characters."""
    if isinstance(row, Skip) and row.reason == "encoding":
        yield row.detail, ""


@rule("PF003")
def repeated_key(row: Any) -> Iterator[Seen]:
    """A key stands twice in one object. Readers disagree: one keeps the last value, one the first, one crashes."""
    if isinstance(row, Skip) and row.reason == "repeated_key":
        yield row.detail, ""


@rule("PF004")
def over_limits(row: Any) -> Iterator[Seen]:
    """The row is larger, deeper or has longer numbers than readers take: over 16 MB, 64 levels or 4300 digits.

    Such a row exhausts memory or the stack of whatever reads it next.
    """
    if isinstance(row, Skip):
        if row.reason == "limit":
            yield row.detail, ""
    else:
        yield from (
            (f"nested more than {MAX_DEPTH} levels deep", path) for path, value in _leaves(row) if value is _TOO_DEEP
        )


@rule("PF005")
def surrogate(row: Any) -> Iterator[Seen]:
    """A text holds half of a surrogate pair (such as `\\ud800`), which no UTF-8 file and no Arrow table can hold.

    Writing the set fails in the middle of the run.
    """
    for path, value in _leaves(row):
        if isinstance(value, str) and not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value):
            yield "half of a surrogate pair", path


@rule("PF006")
def not_finite(row: Any) -> Iterator[Seen]:
    """A number is NaN or infinite. JSON has no such numbers, and sorting by NaN lies: no comparison with it is true."""
    for path, value in _leaves(row):
        if isinstance(value, float) and not math.isfinite(value):
            yield f"{value} is not a finite number", path


@rule("PF007")
def nul(row: Any) -> Iterator[Seen]:
    """A text holds a NUL character: left by a broken decoder, and cut off there by whatever is written in C."""
    for path, value in _leaves(row):
        if isinstance(value, str) and "\0" in value:
            yield "a NUL character in a text", path


@rule("PF010")
def not_a_pair(error: ValidationError) -> Iterator[Seen]:
    """The row is no object with `chosen` and `rejected`: nothing to prefer over anything."""
    if not error.absolute_path:
        yield said(error)


@rule("PF011")
def not_messages(error: ValidationError) -> Iterator[Seen]:
    """A side is no list of messages, or an empty one: the trainer would see plain text without roles, or nothing."""
    if len(error.absolute_path) == 1 and error.absolute_path[0] in ("chosen", "rejected", "prompt"):
        yield said(error)


@rule("PF012")
def not_a_message(error: ValidationError) -> Iterator[Seen]:
    """A message is not exactly {"role", "content"} with a text as content.

    A chat template renders null as "None", a list as its Python repr, and drops other keys without a word.
    """
    if len(error.absolute_path) > 1 and error.validator != "enum":
        yield said(error)


@rule("PF013")
def unknown_role(error: ValidationError) -> Iterator[Seen]:
    """A role is none of system, user, assistant, tool.

    Many chat templates print it as it is: a turn of a kind that the model never saw.
    """
    if len(error.absolute_path) > 1 and error.validator == "enum":
        yield said(error)


@rule("PF014")
def column_type(error: ValidationError) -> Iterator[Seen]:
    """A known column is of another type than the schema says.

    Arrow holds one type a column: loading fails at the first row that differs.
    """
    if len(error.absolute_path) == 1 and error.absolute_path[0] not in ("chosen", "rejected", "prompt"):
        yield said(error)


def values(index: int, row: Any) -> Iterator[Finding]:
    """Findings on a row that could not be read, and on single texts and numbers wherever they stand in one."""
    if isinstance(row, Skip) or not _plain(row):
        for one in family("PF00"):
            yield from one.findings(index, row)


def shape(index: int, row: Any) -> Iterator[Finding]:
    """Findings on the shape; none means that `Sides.of` can take the row."""
    if well_shaped(row):
        return
    said = set()
    for error in validator().iter_errors(row):
        for one in family("PF01"):
            for finding in one.findings(index, error):
                if (seen := (finding.path, finding.message)) not in said:
                    said.add(seen)
                    yield finding


def well_shaped(row: Any) -> bool:
    """What the JSON Schema says, about fifty times as fast."""
    if type(row) is not dict or not _messages(row.get("chosen")) or not _messages(row.get("rejected")):
        return False
    if "prompt" in row and type(row["prompt"]) is not str and not _messages(row["prompt"]):
        return False
    for name in _TEXTS:
        if name in row and type(row[name]) is not str:
            return False
    return all(type(row[name]) in (int, float) for name in _NUMBERS if name in row)


_TOO_DEEP = object()


def _messages(value: Any) -> bool:
    if type(value) is not list or not value:
        return False
    for message in value:
        if type(message) is not dict or len(message) != 2 or type(message.get("content")) is not str:
            return False
        role = message.get("role")
        if type(role) is not str or role not in ROLES:
            return False
    return True


def _plain(value: Any, depth: int = 0) -> bool:
    """No text or number in the value is one that the PF004-PF007 rules would look at."""
    kind = type(value)
    if kind is str:
        return "\0" not in value and (value.isascii() or _encodes(value))
    if kind is dict:
        return depth < MAX_DEPTH and all(_plain(item, depth + 1) for item in value.values()) and all(map(_plain, value))
    if kind is list:
        return depth < MAX_DEPTH and all(_plain(item, depth + 1) for item in value)
    return kind in (int, bool) or value is None or (kind is float and math.isfinite(value))


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _leaves(row: Any) -> Iterator[tuple[str, Any]]:
    """Every text and number of a row, and its keys, with a JSON pointer; `_TOO_DEEP` for what lies too deep."""
    stack: list[tuple[str, Any, int]] = [("", row, 0)]
    while stack:
        path, value, depth = stack.pop()
        if not isinstance(value, (Mapping, list, tuple)):
            yield path, value
        elif depth >= MAX_DEPTH:
            yield path[:200], _TOO_DEEP
        else:
            items = list(value.items() if isinstance(value, Mapping) else enumerate(value))
            yield from ((path, key) for key, _ in items if isinstance(key, str))
            stack += [(f"{path}/{token(key)}", item, depth + 1) for key, item in reversed(items)]
