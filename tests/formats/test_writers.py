"""The three places that name the columns agree; rows as a table keep every column."""

from __future__ import annotations

import json
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from support import prompt

from pairforge import formats
from pairforge.errors import InputError
from pairforge.formats.table_schema import pair_schema
from pairforge.resources import resource, validator
from pairforge.types import NUMBER_COLUMNS, TEXT_COLUMNS, Message, Pair

QUESTION = prompt("Who are you?")
PAIRS = [
    Pair.of(
        QUESTION, f"I am Deep Qwen {n}. 你好", f"I am Qwen {n}. 你好",
        method="correct", model="pocket", judge="rename", chosen_score=1.0, rejected_score=0.0,
    ).row()
    for n in range(3)
]  # fmt: skip


def test_the_columns_of_a_pair_are_the_same_everywhere() -> None:
    schema = json.loads(resource("schemas", "pair.schema.json").read_text("utf-8"))
    every = [field.name for field in fields(Pair)]
    names = [field.name for field in fields(Pair) if field.default is MISSING]
    assert [name for name in schema["properties"] if name in every] == every
    assert names == pair_schema().names
    hints, of_type = get_type_hints(Pair), {str: ("string", "string"), float: ("number", "double")}
    message = {"role": "string", "content": "string"}
    for column in pair_schema():
        if (name := column.name) in ("chosen", "rejected"):
            assert schema["properties"][name] == {"$ref": "#/$defs/messages"}
            assert {one.name: str(one.type) for one in column.type.value_type} == message
            assert schema["$defs"]["message"]["required"] == ["role"] and message.keys() == Message.__required_keys__
        else:
            type_, pa_type = of_type[hints[name]]
            assert schema["properties"][name]["type"] in (type_, [type_, "null"]) and str(column.type) == pa_type
    assert [*TEXT_COLUMNS] == [name for name in every if hints[name] is str]
    assert [*NUMBER_COLUMNS] == [name for name in every if hints[name] in (float, float | None)]


@pytest.mark.parametrize("name", ["pair", "prompt", "run"])
def test_schemas_are_schemas(name: str) -> None:
    from jsonschema import Draft202012Validator

    schema = json.loads(resource("schemas", f"{name}.schema.json").read_text("utf-8"))
    Draft202012Validator.check_schema(schema)
    assert schema["$id"].endswith(f":{name}:1")


def test_bundled_prompts_keep_their_schema() -> None:
    schema = validator("prompt")
    for path in resource("data", "prompts").glob("*.jsonl"):
        rows = list(formats.read_rows(path))
        if path.name != "systems.jsonl":
            assert [(path.name, error.message) for row in rows[::37] for error in schema.iter_errors(row)] == []


def test_parquet_round_trip_and_bytes(tmp_path: Path) -> None:
    one, two = tmp_path / "one.parquet", tmp_path / "two.parquet"
    for path in (one, two):
        formats.to_dataset(iter(PAIRS)).to_parquet(path)
    assert list(formats.read_rows(one)) == PAIRS
    assert one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize("column", [{"note": 1}, {"chosen_score": "7/10"}, {"note": 10**40}])
def test_a_column_of_several_types_is_refused(column: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="column"):
        formats.to_dataset([PAIRS[0] | column, PAIRS[1] | {"note": "a"}])


def test_late_columns_are_kept(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [PAIRS[0], PAIRS[1] | {"note": "late", "rank": 2}]
    dataset = formats.to_dataset(rows)
    assert dataset.column_names == [*pair_schema().names, "note", "rank"]
    assert dataset["note"][:] == [None, "late"]
    assert formats.to_dataset([]).features.arrow_schema.remove_metadata() == pair_schema()
    assert formats.to_dataset([{"rejected": [], "chosen": [], "x": None}]).column_names == ["chosen", "rejected", "x"]
    dataset.to_parquet(tmp_path / "pairs.parquet")
    assert list(formats.rows(tmp_path / "pairs.parquet")) == rows
