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
from pairforge.formats.writers import NUMBERS
from pairforge.resources import resource
from pairforge.types import Message, Pair

QUESTION = prompt("Who are you?")
PAIRS = [
    Pair.of(
        QUESTION, f"I am Deep Qwen {n}. 你好", f"I am Qwen {n}. 你好",
        method="correct", model="pocket", judge="rename", chosen_score=1.0, rejected_score=0.0,
    ).row()
    for n in range(3)
]  # fmt: skip


def test_pair_schema_and_features_agree() -> None:
    schema = json.loads(resource("schemas", "pair.schema.json").read_text("utf-8"))
    every = [field.name for field in fields(Pair)]
    names = [field.name for field in fields(Pair) if field.default is MISSING]
    assert [name for name in schema["properties"] if name in every] == every
    assert names == list(formats.features())
    hints, of_type = get_type_hints(Pair), {str: ("string", "string"), float: ("number", "double")}
    message = {"role": "string", "content": "string"}
    for name, feature in formats.features().items():
        if name in ("chosen", "rejected"):
            assert schema["properties"][name] == {"$ref": "#/$defs/messages"}
            assert {key: value.dtype for key, value in feature.feature.items()} == message
            assert schema["$defs"]["message"]["required"] == ["role"] and message.keys() == Message.__required_keys__
        else:
            type_, pa_type = of_type[hints[name]]
            assert schema["properties"][name]["type"] in (type_, [type_, "null"]) and feature.pa_type == pa_type
    assert list(NUMBERS) == [name for name in names if hints[name] is float]


@pytest.mark.parametrize("name", ["pair", "prompt", "run"])
def test_schemas_are_schemas(name: str) -> None:
    from jsonschema import Draft202012Validator

    schema = json.loads(resource("schemas", f"{name}.schema.json").read_text("utf-8"))
    Draft202012Validator.check_schema(schema)
    assert schema["$id"].endswith(f":{name}:1")


def test_bundled_prompts_keep_their_schema() -> None:
    from jsonschema import Draft202012Validator

    schema = Draft202012Validator(json.loads(resource("schemas", "prompt.schema.json").read_text("utf-8")))
    for path in resource("data", "prompts").glob("*.jsonl"):
        rows = list(formats.read_rows(path))
        if path.name != "systems.jsonl":
            assert [(path.name, error.message) for row in rows[::37] for error in schema.iter_errors(row)] == []


def test_parquet_round_trip_and_bytes(tmp_path: Path) -> None:
    one, two = tmp_path / "one.parquet", tmp_path / "two.parquet"
    for path in (one, two):
        formats.write_parquet(iter(PAIRS), path)
    assert list(formats.read_rows(one)) == PAIRS
    assert one.read_bytes() == two.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.parquet", "two.parquet"]


@pytest.mark.parametrize("column", [{"note": 1}, {"chosen_score": "7/10"}, {"note": 10**40}])
def test_a_failing_write_leaves_nothing(tmp_path: Path, column: dict[str, Any]) -> None:
    path = tmp_path / "pairs.parquet"
    formats.write_parquet(PAIRS, path)
    before = path.read_bytes()
    with pytest.raises(InputError, match="column"):
        formats.write_parquet([PAIRS[0] | column, PAIRS[1] | {"note": "a"}], path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["pairs.parquet"]


def test_late_columns_are_kept(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [PAIRS[0], PAIRS[1] | {"note": "late", "rank": 2}]
    dataset = formats.to_dataset(rows)
    assert dataset.column_names == [*formats.features(), "note", "rank"]
    assert dataset["note"][:] == [None, "late"]
    assert formats.to_dataset([]).features == formats.features()
    assert formats.to_dataset([{"rejected": [], "chosen": [], "x": None}]).column_names == ["chosen", "rejected", "x"]
    formats.write_parquet(rows, tmp_path / "pairs.parquet")
    assert list(formats.read(tmp_path / "pairs.parquet")) == rows
