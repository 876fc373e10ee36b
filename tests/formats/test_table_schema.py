"""The table of rows that come in parts: its columns, what is made of one type, and plain rows read from JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import pair

from pairforge.errors import InputError
from pairforge.formats.table_schema import TableSchema, pair_schema


def table(*parts: list[dict[str, Any]]) -> TableSchema:
    made = TableSchema()
    changed = True
    while changed:
        changed = sum(made.learn(part) for part in parts) > 0
    return made


def call(**arguments: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "f", "arguments": arguments}}]}


def test_pairs_have_their_columns_in_order() -> None:
    row = dict(reversed(pair("a", "b", model="m").items()))
    made = table([row])
    assert made.schema.names == [name for name in pair_schema().names if name in row]
    assert made.batch([row]).to_pylist() == [row]
    assert TableSchema().schema == pair_schema()


def test_a_late_column_and_a_wider_type_change_the_table() -> None:
    made = TableSchema()
    assert made.learn([pair("a", "b", more=1)])
    assert not made.learn([pair("a", "b", more=2)])
    assert made.learn([pair("a", "b", more=0.5)])
    assert made.learn([pair("a", "b", late="x")])
    assert [row["late"] for row in made.batch([pair("a", "b"), pair("a", "b", late="x")]).to_pylist()] == [None, "x"]


def test_keys_of_messages_that_come_late_are_in_all_rows() -> None:
    plain, named = pair("a", "b"), pair("a", "b")
    named["chosen"] = [*named["chosen"][:-1], call(x=1)]
    named["rejected"] = [*named["rejected"][:-1], {"role": "assistant", "content": "b", "name": "n"}]
    made = table([plain], [named])
    assert not made.as_is
    first, second = made.batch([plain, named]).to_pylist()
    assert first["chosen"][0] == plain["chosen"][0] | {"tool_calls": None}
    assert json.loads(second["chosen"][-1]["tool_calls"][0]["function"]["arguments"]) == {"x": 1}


def test_a_column_that_mixes_types_is_named() -> None:
    with pytest.raises(InputError, match="column 'more'"):
        table([pair("a", "b", more=1)], [pair("a", "b", more="x")])
    made = table([pair("a", "b", model="m")])
    with pytest.raises(InputError, match="column 'model'"):
        made.batch([pair("a", "b", model=3)])


@given(st.lists(st.tuples(st.text(), st.none() | st.floats(allow_nan=False, allow_infinity=False)), min_size=1))
def test_plain_rows_are_the_same_from_json(values: list[tuple[str, float | None]]) -> None:
    rows = [pair(text, text + "x", model=text, chosen_score=score) for text, score in values]
    made = table(rows)
    assert made.as_is
    lines = [json.dumps(row, ensure_ascii=False).encode("utf-8") for row in rows]
    assert made.batch_of_json(lines).equals(made.batch(rows))


def test_rows_that_are_converted_are_not_plain() -> None:
    assert not table([pair("a", "b", chosen_score=1)]).as_is
    assert not table([pair("a", "b", more="x")]).as_is
