"""The table that rows become, learned from one part of the rows after the other: its columns, in order, with types."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from typing import TYPE_CHECKING, Any, get_type_hints

from ..errors import InputError
from ..text import one_line
from ..types import Pair

if TYPE_CHECKING:
    import pyarrow

_PLAIN = {name: kind for name, kind in get_type_hints(Pair).items() if kind in (str, float)}
_OF_MESSAGES = ("prompt", "messages", "chosen", "rejected", "tools")


def pair_schema() -> pyarrow.Schema:
    """Return the columns that every `Pair` has, in order."""
    import pyarrow

    text = pyarrow.string()
    message = pyarrow.struct({"role": text, "content": text})
    flat = {str: text, float: pyarrow.float64()}
    types = get_type_hints(Pair)
    return pyarrow.schema(
        {one.name: flat.get(types[one.name], pyarrow.list_(message)) for one in fields(Pair) if one.default is MISSING}
    )


@dataclass
class _Turns:
    """How a column of messages or tools is made one of one type: the same keys in all, texts among parts as parts.

    Definitions of tools become JSON, as trainers read them too.
    """

    as_json: bool = False
    parts: bool = False
    keys: dict[str, None] = field(default_factory=dict)
    calls: dict[str, None] = field(default_factory=dict)

    def learn(self, values: Iterable[Any]) -> None:
        turns: list[Any] = [turn for value in values for turn in _mappings(value)]
        self.as_json |= any("function" in one or "parameters" in one for one in turns)
        self.parts |= any(isinstance(turn.get("content"), list) for turn in turns)
        self.keys |= dict.fromkeys(key for turn in turns for key in turn)
        self.calls |= dict.fromkeys(key for turn in turns for call in _mappings(turn.get("tool_calls")) for key in call)

    @property
    def state(self) -> tuple[object, ...]:
        return self.as_json, self.parts, *self.keys, None, *self.calls

    def of_one_type(self, value: Any) -> Any:
        if self.as_json:
            return None if value is None else json.dumps(value, ensure_ascii=False, default=as_text)
        if not isinstance(value, list):
            return value
        return [self._turn(turn) if isinstance(turn, Mapping) else turn for turn in value]

    def _turn(self, turn: Mapping[str, Any]) -> dict[str, Any]:
        made = {key: turn.get(key) for key in self.keys}
        if self.parts and isinstance(made.get("content"), str):
            made["content"] = [{"type": "text", "text": made["content"]}]
        if called := made.get("tool_calls"):
            made["tool_calls"] = [_call({key: call.get(key) for key in self.calls}) for call in called]
        return made


class TableSchema:
    """The columns of rows that come in parts: those of `Pair` in its order and types, then others as they appear.

    A column that is missing from some rows is null there; one that no row has is left out.
    """

    def __init__(self) -> None:
        self._known = {one.name: one.type for one in pair_schema()}
        self._types: dict[str, Any] = {}
        self._turns: dict[str, _Turns] = {}
        self.as_is = True
        """Whether all rows are as the table has them: of the columns of `Pair` alone, and no value is converted."""

    def learn(self, rows: Sequence[Mapping[str, Any]]) -> bool:
        """Take in more rows, and return whether the schema is another one now.

        It may be another one still when rows are learned that were learned before, as messages of all rows get the same
        keys. Raises InputError where a column mixes types.
        """
        before = self._state
        for name in dict.fromkeys(name for row in rows for name in row):
            values = [row.get(name) for row in rows]
            if name in _OF_MESSAGES and (name in self._turns or not all(map(_is_plain, values))):
                turns = self._turns.setdefault(name, _Turns())
                state = turns.state
                turns.learn(values)
                if turns.state != state:
                    self._types[name] = None
                values = [*map(turns.of_one_type, values)]
            elif name in self._known:
                self._types[name] = self._known[name]
                kind = _PLAIN.get(name)
                self.as_is &= kind is None or all(type(value) is kind or value is None for value in values)
                continue
            self.as_is = False
            self._types[name] = _unified(name, self._types.get(name), values)
        return self._state != before

    @property
    def _state(self) -> tuple[object, ...]:
        return {**self._types}, {name: turns.state for name, turns in self._turns.items()}

    @property
    def schema(self) -> pyarrow.Schema:
        """The columns; one without a value is of texts, and there are those of `Pair` where no row was learned."""
        import pyarrow

        types = self._types or self._known
        order = [*types] if "chosen" not in types else {name: None for name in self._known if name in types} | types
        null = pyarrow.null()
        return pyarrow.schema({name: pyarrow.string() if types[name] == null else types[name] for name in order})

    def batch_of_json(self, lines: Sequence[bytes]) -> pyarrow.RecordBatch:
        """Return rows that are JSON texts as a part of the table; only where they are `as_is`."""
        from pyarrow import BufferReader, json

        data = b"\n".join(lines)
        read = json.ReadOptions(use_threads=False, block_size=len(data) + 1)
        parse = json.ParseOptions(explicit_schema=self.schema, unexpected_field_behavior="error")
        return json.read_json(BufferReader(data), read, parse).combine_chunks().to_batches()[0]

    def batch(self, rows: Sequence[Mapping[str, Any]]) -> pyarrow.RecordBatch:
        """Return rows that were learned as a part of the table. Raises InputError for a value of another type."""
        import pyarrow

        schema, arrays = self.schema, []
        for one in schema:
            values: list[Any] = [row.get(one.name) for row in rows]
            if one.name in self._turns:
                values = [*map(self._turns[one.name].of_one_type, values)]
            try:
                arrays.append(pyarrow.array(values, one.type))
            except (pyarrow.ArrowException, TypeError, ValueError, OverflowError) as error:
                what = f"column {one.name!r:.80} is of another type: {one_line(error, 200)}"
                raise InputError(what, fix="pairforge validate") from error
        return pyarrow.RecordBatch.from_arrays(arrays, schema=schema)


def _unified(name: str, known: Any, values: list[Any]) -> Any:
    """Return the type of a column of these values and of those of the known type."""
    import pyarrow

    try:
        found = pyarrow.array(values).type
        if known is None or found == known:
            return found
        parts = [pyarrow.schema({name: one}) for one in (known, found)]
        return pyarrow.unify_schemas(parts, promote_options="permissive").field(0).type
    except (pyarrow.ArrowException, OverflowError, UnicodeEncodeError) as error:
        what = f"column {name!r:.80} mixes types or holds what Arrow can't: {one_line(error, 200)}"
        raise InputError(what, fix="pairforge validate") from error


def _is_plain(value: Any) -> bool:
    """Return whether a value of a column of messages holds texts only: a list of {role, content}."""
    return value is None or (
        type(value) is list
        and all(
            type(turn) is dict and len(turn) == 2 and type(turn.get("content")) is type(turn.get("role")) is str
            for turn in value
        )
    )


def _mappings(values: Any) -> list[Any]:
    return [one for one in values if isinstance(one, Mapping)] if isinstance(values, list) else []


def _call(call: dict[str, Any]) -> dict[str, Any]:
    """Return a call of a tool with its arguments as JSON."""
    function = call.get("function")
    if not isinstance(function, Mapping) or isinstance(function.get("arguments"), str):
        return call
    arguments = json.dumps(function.get("arguments"), ensure_ascii=False, default=as_text)
    return {**call, "function": {**function, "arguments": arguments}}


def as_text(value: Any) -> str:
    """Return dates, times and decimals, which JSON lacks, as texts. Raises TypeError for bytes."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        raise TypeError("bytes")
    return str(value)
