"""PF0xx: can the row be read, and is it of the shape of a pair? The contract is schemas/pair.schema.json."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..conversation import ROLES
from ..formats.source_formats import NO_PAIR, Misfit, refusal, shape_of
from ..resources import validator
from ..text import MAX_DEPTH, kind_of, lone_surrogate
from ..types import SIDES, TEXT_COLUMNS, Finding, Skip
from .row import KEYS, Sides, well_shaped
from .rule import FIX, RULES, Seen, any_fatal, clip, rule, rules_over

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError


def said(error: ValidationError) -> Seen:
    """Return one line for an error of the schema, without the value where that may be long."""
    row: Any = error.instance
    rule: Any = error.validator_value
    path = "".join(f"/{token(part)}" for part in error.absolute_path)
    last = error.absolute_path[-1] if path else None
    name = "the row" if last is None else f"message {last}" if isinstance(last, int) else f"`{last}`"
    found = clip(row) if type(row) in (int, float) else kind_of(row)
    match error.validator:
        case "required":
            missing = ", ".join(f"`{key}`" for key in rule if key not in row)
            return f"{missing} missing: found {keys(row)}{_hint(row)}", path
        case "type":
            return f"{name} is {found}, not {_wanted(rule, error)}{'' if path else _hint(row)}", path
        case "enum":
            return f"{name.strip('`')} {clip(row)} is not one of {', '.join(filter(None, rule))}", path
        case "const":
            return f"{name.strip('`')} is {clip(row)}, where only {rule} may be", path
        case "minItems":
            return f"{name} is an empty list", path
    return f"{name}: {clip(error.message, 120)}", path


def _wanted(wanted: str | list[str], error: ValidationError) -> str:
    part = "parts" if error.absolute_path and error.absolute_path[-1] == "content" else "messages"
    names = {"object": "an object", "array": f"a list of {part}", "string": "a text", "number": "a number"}
    return " or ".join(names.get(kind, str(kind)) for kind in ([wanted] if isinstance(wanted, str) else wanted))


def _hint(row: Any) -> str:
    shape = foreign(row)
    return f" ({shape}; `chosen` and `rejected` are read as lists of messages)" if shape else ""


def foreign(row: Any) -> str | None:
    """Return what a row holds in place of message lists, where that is another well-known shape."""
    if not isinstance(row, Mapping):
        return None
    shape = shape_of([row])
    sides = [row.get(name) for name in SIDES]
    unread = not shape.known and (None in sides or any(isinstance(side, list) for side in sides))
    return None if shape.native or unread else shape.what


def keys(row: Mapping[Any, Any]) -> str:
    """Return the first keys of a row, for a reader, and which of them hold null."""
    return ", ".join(clip(key, 30) + " (null)" * (row[key] is None) for key in list(row)[:8]) or "no key"


def token(key: object) -> str:
    """Return one part of a JSON pointer, escaped."""
    return str(key)[:80].replace("~", "~0").replace("/", "~1")


_TOO_DEEP = object()


def _by_line(row: Skip) -> str:
    """Return why a row could not be read: lines count from 1, which is said because rows count from 0."""
    return re.sub(r":(\d+): ", r", line \1: ", row.detail, count=1)


@rule("PF001", over="value", fatal=True, fix=FIX)
def not_json(row: Any) -> Iterator[Seen]:
    """The line is not a whole JSON value: mostly a file that was cut off while it was written or fetched.

    `load_dataset` then fails on the whole file, with an error that names no line.
    """
    if isinstance(row, Skip) and row.reason not in ("encoding", "repeated_key", "limit", *NO_PAIR):
        yield _by_line(row), ""


@rule("PF002", over="value", fatal=True)
def not_utf8(row: Any) -> Iterator[Seen]:
    """The bytes are not UTF-8. Decoding them with replacement would train the model on replacement characters."""
    if isinstance(row, Skip) and row.reason == "encoding":
        fix = getattr(row, "fix", None)
        yield f"{_by_line(row)}{f': {fix}' if fix else ''}", ""


@rule("PF003", over="value", fatal=True, fix=FIX)
def repeated_key(row: Any) -> Iterator[Seen]:
    """A key occurs twice in one object. Readers disagree: one keeps the last value, one the first, one crashes."""
    if isinstance(row, Skip) and row.reason == "repeated_key":
        yield _by_line(row), ""


@rule("PF004", over="value", fatal=True, fix=FIX)
def over_limits(row: Any) -> Iterator[Seen]:
    """The row is larger, deeper or has longer numbers than readers take: over 16 MB, 64 levels or 4300 digits.

    Such a row exhausts memory or the stack of whatever reads it next.
    """
    if isinstance(row, Skip) and row.reason == "limit":
        yield _by_line(row), ""
    for path, value in leaves(row):
        if value is _TOO_DEEP:
            yield f"nested more than {MAX_DEPTH} levels deep", path


@rule("PF005", over="value")
def surrogate(row: Any) -> Iterator[Seen]:
    """A text holds half of a surrogate pair (such as `\\ud800`), which no UTF-8 file and no Arrow table can hold.

    Writing the set fails in the middle of the run.
    """
    for path, value in leaves(row):
        if isinstance(value, str) and lone_surrogate(value):
            yield "half of a surrogate pair", path


@rule("PF006", over="value")
def not_finite(row: Any) -> Iterator[Seen]:
    """A number is NaN or infinite. JSON has no such numbers, and sorting by NaN lies: no comparison with it is true."""
    for path, value in leaves(row):
        if isinstance(value, float) and not math.isfinite(value):
            yield f"{value} is not a finite number", path


@rule("PF007", over="value")
def nul(row: Any) -> Iterator[Seen]:
    """A text holds a NUL character: left by a broken decoder, and cut off there by whatever is written in C."""
    for path, value in leaves(row):
        if isinstance(value, str) and "\0" in value:
            yield "a NUL character in a text", path


@rule("PF010", over="schema", fatal=True)
def not_a_pair(error: ValidationError) -> Iterator[Seen]:
    """The row is not an object with `chosen` and `rejected`, under these or other names: see docs/formats.md.

    Columns of any names can be read: --columns prompt=COLUMN chosen=COLUMN rejected=COLUMN.
    """
    if not error.absolute_path:
        yield said(error)


@rule("PF011", over="schema", fatal=True, fix=FIX)
def not_messages(error: ValidationError) -> Iterator[Seen]:
    """A side is not a list of messages, or an empty one: the trainer would see plain text without roles, or nothing."""
    if len(error.absolute_path) == 1 and error.absolute_path[0] in (*SIDES, "prompt"):
        yield said(error)


@rule("PF012", over="schema", fatal=True)
def not_a_message(error: ValidationError) -> Iterator[Seen]:
    """A message is not {"role", "content"} with a text as content, nor one with documented parts or tool calls.

    A chat template renders null as "None", and an object as its Python repr.
    """
    if len(error.absolute_path) > 1 and error.absolute_path[-1] != "role":
        yield said(error)


@rule("PF013", over="schema", fatal=True)
def unknown_role(error: ValidationError) -> Iterator[Seen]:
    """A role is not one of system, developer, user, assistant, tool, or its turn holds what only another role may.

    Many chat templates print it as it is: a turn of a kind that the model never saw.
    """
    if len(error.absolute_path) > 1 and error.absolute_path[-1] == "role":
        message, path = said(error)
        known = ROLES.get(str(error.instance).strip().lower()) if error.validator == "enum" else None
        yield (f"{message}; pairforge convert IN OUT writes it as {known!r}" if known else message), path


@rule("PF014", over="schema")
def column_type(error: ValidationError) -> Iterator[Seen]:
    """A known column is of another type than the schema says.

    Arrow holds one type a column: loading fails at the first row that differs.
    """
    if len(error.absolute_path) == 1 and error.absolute_path[0] not in (*SIDES, "prompt"):
        yield said(error)


@rule("PF015", "warning", prefilter=lambda sides: sides.annotated)
def other_keys(sides: Sides) -> Iterator[Seen]:
    """A message has keys that chat templates don't read: what they hold never reaches the model.

    Read are role, content, tool_calls, tool_call_id, name, and the reasoning (`reasoning_content`, `thinking`).
    """
    for path, message in sides.messages:
        if others := {key: value for key, value in message.items() if key not in KEYS and value not in (None, "", [])}:
            yield f"a message has keys that chat templates leave out: {keys(others)}", path
            return


_PARTS = {"row": "PF010", "side": "PF011", "message": "PF012", "role": "PF013"}
"""The rule for each part of a row that does not fit the shape of its set."""


def values(index: int, row: Any) -> Iterator[Finding]:
    """Return findings on a row that could not be read, and on single texts and numbers anywhere in one."""
    if isinstance(row, Misfit):  # a row that does not fit the shape of its set
        path = f"/{token(row.path)}" if row.path else ""
        yield RULES[_PARTS[row.part]].finding(row.detail.partition(": ")[2], index, path)
        return
    for one in rules_over("value"):
        yield from one.findings(index, row)


def shape(index: int, row: Any) -> Iterator[Finding]:
    """Return findings on the shape; if none is fatal, `Sides.of` can take the row."""
    if isinstance(row, Mapping) and not ("prompt_id" in row and "method" in row):
        # Without columns that only share a name with pairforge's own: elsewhere an `id` may be a number.
        row = {name: value for name, value in row.items() if name not in TEXT_COLUMNS or isinstance(value, str)}
    if well_shaped(row):
        return
    reported = set()
    # Where a side is null, a text on the other side is not what is wrong.
    empty = [side for side in SIDES if isinstance(row, Mapping) and side in row and row[side] is None]
    for error in validator("pair").iter_errors(row):
        if empty and len(error.absolute_path) == 1 and error.absolute_path[0] in {*SIDES} - {*empty}:
            continue
        for one in rules_over("schema"):
            for finding in one.findings(index, error):
                if (place := (finding.code, finding.path)) not in reported:
                    reported.add(place)
                    yield finding


def is_pair(row: Any) -> bool:
    """Return whether `Sides.of` can take the row."""
    return well_shaped(row) or not any_fatal(shape(0, row))


def unknown_shape(start: list[Any]) -> Finding | None:
    """Return the one finding on rows of an unknown shape; None where rows have the sides of a pair, or can't be read.

    Those are looked at one by one.
    """
    rows = [row for row in start if isinstance(row, Mapping)]
    if not rows or len(rows) < len(start):
        return None
    found = shape_of(rows)
    if any("chosen" in row and "rejected" in row for row in rows) and "without a prompt" not in found.what:
        return None
    return RULES["PF010"].finding(str(refusal(found, rows)), 0)


def leaves(row: Any) -> Iterator[tuple[str, Any]]:
    """Yield every text and number of a row, and its keys, with a JSON pointer; `_TOO_DEEP` for what is too deep."""
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
