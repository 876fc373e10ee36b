"""Rows of JSON Lines, JSON arrays, JSON documents and lines of text, one at a time."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from ..errors import InputError
from ..text import one_line
from ..types import Skip
from .stream import EncodingError, PlacedRow, Unreadable, Wanted, lines_of, read_rest, size, too_long, utf8

_FIX = "correct or remove that line"
_PYTHON = "write it with json.dumps: that is Python's way of writing, not JSON"
_space = json.decoder.WHITESPACE.match  # type: ignore[attr-defined]


def unreadable(error: Exception, where: str, line: int = 1) -> Unreadable:
    """Return what is wrong with the row there; `line` is the one it starts in, of the text that was decoded."""
    if isinstance(error, EncodingError):
        return Unreadable("encoding", error.message, error.fix)
    if isinstance(error, InputError):  # the file is cut off or damaged there
        what = error.message.removeprefix(where.rpartition(":")[0]).strip()
        return Unreadable("json", f"{where}: {what}", error.fix)
    if isinstance(error, csv.Error):
        reason = "limit" if "limit" in str(error) else "json"
        return Unreadable(reason, f"{where}: not valid CSV from here on: {error}", _FIX)
    if not isinstance(error, json.JSONDecodeError):
        what = "nested too deeply" if isinstance(error, RecursionError) else "a number of too many digits"
        return Unreadable("limit", f"{where}: {what}", _FIX)
    cut = error.pos >= len(error.doc.rstrip()) or error.msg.startswith("Unterminated string")
    python = error.msg.startswith("Expecting property name") and error.doc.startswith("'", error.pos)
    at = f"at line {error.lineno} column {error.colno}" if error.lineno > line else f"at column {error.colno}"
    if cut and error.lineno > line and "\n" not in error.doc.rstrip():  # behind the line break
        at = "at the end of the line"
    what = f"{'incomplete' if cut else 'not valid'} JSON: {error.msg.removesuffix(' at')} {at}"
    if not cut and error.msg == "Expecting value" and not error.doc[: error.pos].strip():
        what += f", which begins with '{one_line(error.doc, 40)}'"
    return Unreadable("json", f"{where}: {what}", _PYTHON if python else _FIX)


def _too_long(where: str, limit: int) -> Skip:
    return Skip("limit", f"{where}: a row of more than {size(limit)}")


def lines(
    stream: io.BufferedReader,
    name: str,
    row: Callable[[bytes, str, int], Any],
    wanted: Wanted,
    document: bool | None = None,
) -> Iterator[PlacedRow]:
    """Yield what `row` makes of each line that is not blank: `text_row`, or the `row` of a `Decoder`.

    `document`: whether objects over many lines, or several on one, are read, too; None where lines are not JSON.
    """
    first, number, limit = True, 0, wanted.limit
    try:
        for number, offset, data in lines_of(stream, limit):
            if data.isspace():
                wanted.noted.add("blank lines")
                continue
            if data.endswith(b"\r\n"):
                wanted.noted.add("line ends of Windows (CRLF)")
            where = f"{name}:{number}"
            found = _too_long(where, limit) if too_long(data, limit) else row(data, where, offset)
            if first and document and isinstance(found, Unreadable):
                yield from values(data + read_rest(stream, name), name, wanted, number, offset)
                return
            if first and document is False and data.strip() == b"{":
                raise InputError(f"{name} holds one JSON object over many lines", fix="write each row in one line")
            if first and document is False and isinstance(found, Unreadable) and found.fix == _PYTHON:
                raise InputError(f"{where}: Python's way of writing, not JSON", fix=_PYTHON)
            first = False
            if isinstance(found, Unreadable):
                found = replace(found, line=data.decode(errors="backslashreplace").rstrip("\r\n"))
            yield where, found
    except InputError as error:
        if first:
            raise
        where = f"{name}:{number + 1}"
        yield where, unreadable(error, where)


def text_row(data: bytes, where: str, offset: int) -> Any:
    """Return the text of a line, or that of the JSON string which it is."""
    try:
        text = utf8(data, where, offset).strip()
        return str(json.loads(text)) if text.startswith('"') else text
    except EncodingError as error:
        return unreadable(error, where)
    except ValueError:
        return text


class Decoder:
    """A JSON decoder that notices repeated keys in an object, at little cost.

    `json` would keep the last, other readers the first, others crash.
    """

    def __init__(self) -> None:
        self.decode = json.JSONDecoder(object_pairs_hook=self._object).raw_decode
        self.repeated: str | None = None

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(pairs)
        if len(value) != len(pairs):
            names = [name for name, _ in pairs]
            self.repeated = next(name for name in value if names.count(name) > 1)
        return value

    def row(self, data: bytes, where: str, offset: int) -> Any:
        """Return the one value in a line."""
        try:
            text = data.decode()
            value, end = self.decode(text, 0 if text[0] == "{" else _space(text, 0).end())
            if end != len(text) and text[end:].strip(" \t\r\n"):
                raise json.JSONDecodeError("Extra data", text, end)
        except (ValueError, RecursionError) as error:
            self.repeated = None
            try:
                utf8(data, where, offset)
            except EncodingError as encoding:
                return unreadable(encoding, where)
            return unreadable(error, where)
        return value if self.repeated is None else self.checked(value, where)

    def checked(self, value: Any, where: str) -> Any:
        """Return the value just decoded, or an Unreadable where a key was repeated in it."""
        repeated, self.repeated = self.repeated, None
        what = f"{where}: the key {repeated!r:.80} is repeated in one object"
        return value if repeated is None else Unreadable("repeated_key", what, "keep one of them")


def values(data: bytes, name: str, wanted: Wanted, line: int = 1, offset: int = 0) -> Iterator[PlacedRow]:
    """Yield JSON values one after another, or the elements of an array, from that line of the file on.

    Each is named by the line that it starts in. Reading ends at what is not valid JSON.
    """
    decoder = Decoder()
    where = f"{name}:{line}"
    try:
        text = "\n" * (line - 1) + utf8(data, name, offset).removeprefix("\ufeff")
        at = _space(text, 0).end()
        if is_array := text.startswith("[", at):
            at = _space(text, at + 1).end()
        line = 1 + text.count("\n", 0, at)
        while text[at : at + 1] != "]" if is_array else at < len(text):
            where = f"{name}:{line}"
            value, end = decoder.decode(text, at)
            over = end - at > wanted.limit
            yield where, _too_long(where, wanted.limit) if over else decoder.checked(value, where)
            start, at = at, _space(text, end).end()
            if is_array and text.startswith(",", at):
                at = _space(text, at + 1).end()
            elif is_array and not text.startswith("]", at):
                raise json.JSONDecodeError("Expecting ',' delimiter", text, at)
            line += text.count("\n", start, at)
        if is_array and text[at + 1 :].strip():
            line += text.count("\n", at, _space(text, at + 1).end())
            where = f"{name}:{line}"
            yield where, Unreadable("json", f"{where}: not valid JSON: something follows the end of the array", _FIX)
    except (EncodingError, ValueError, RecursionError) as error:
        yield where, unreadable(error, where, line)
