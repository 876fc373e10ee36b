"""The fast path says what the JSON Schema says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

import pairforge
from pairforge.checks import check
from pairforge.checks.row import Sides, well_shaped
from pairforge.resources import resource, validator
from pairforge.types import TEXT_COLUMNS

SCALAR = st.none() | st.booleans() | st.integers(-3, 3) | st.floats(allow_nan=False) | st.text(max_size=3)


JSON = st.recursive(
    SCALAR,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=5,
)


ROLE = st.sampled_from(["system", "developer", "user", "assistant", "tool"])


def mostly(good: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.integers(0, 19).flatmap(lambda n: good if n else JSON)


TEXT, NUMBER = mostly(st.text(max_size=5)), mostly(st.integers() | st.floats())


MESSAGE = st.fixed_dictionaries({"role": mostly(ROLE), "content": mostly(st.text(max_size=5))}, optional={"name": JSON})


NULL_OR_TEXT = mostly(st.none() | st.text(max_size=3))


CALL = st.fixed_dictionaries(
    {"function": mostly(st.fixed_dictionaries({"name": TEXT, "arguments": mostly(TEXT | st.just({}))}))},
    optional={"id": NULL_OR_TEXT, "type": mostly(st.just("function"))},
)


PART = st.fixed_dictionaries(
    {"type": mostly(st.sampled_from(["text", "image", "video", "audio", "image_url", "input_audio"]))},
    optional={"text": TEXT, "image": JSON},
)


PARTS = st.lists(mostly(PART), max_size=2)


DOCUMENTED = st.fixed_dictionaries(
    {"role": mostly(ROLE)},
    optional={
        "content": mostly(TEXT | PARTS | st.none()),
        "tool_calls": mostly(st.none() | st.lists(mostly(CALL), max_size=2)),
        "tool_call_id": NULL_OR_TEXT,
        "name": NULL_OR_TEXT,
        "reasoning_content": NULL_OR_TEXT,
        "thinking": NULL_OR_TEXT,
        "weight": JSON,
    },
)


PLAIN = st.fixed_dictionaries({"role": mostly(ROLE), "content": mostly(st.text(max_size=5))})


MESSAGES = st.lists(mostly(PLAIN | PLAIN | PLAIN | DOCUMENTED | MESSAGE), max_size=3)


ROW = st.fixed_dictionaries(
    {"chosen": mostly(MESSAGES), "rejected": mostly(MESSAGES)},
    optional={
        "prompt": MESSAGES | TEXT, "id": TEXT, "prompt_id": TEXT, "method": TEXT, "model": TEXT, "judge": TEXT,
        "chosen_score": NUMBER, "rejected_score": NUMBER, "confidence": NUMBER, "other": JSON,
    },
)  # fmt: skip


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(ROW | JSON)
def test_fast_path_and_schema_agree(row: Any) -> None:
    assert well_shaped(row) == validator("pair").is_valid(row)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(st.lists(ROW | JSON, max_size=4))
def test_no_row_breaks_the_check(rows: list[Any]) -> None:
    findings = list(check(rows))
    assert all(finding.message and "\n" not in finding.message for finding in findings)
    json.dumps([finding.as_json() for finding in findings])
    shapeless = {index for index, row in enumerate(rows) if not well_shaped(row) and not _numbered(row)}
    assert shapeless <= {finding.row for finding in findings}


def _numbered(row: Any) -> bool:
    """Columns of somebody else's, which only share a name with pairforge's own."""
    return isinstance(row, dict) and any(not isinstance(row.get(name, ""), str) for name in TEXT_COLUMNS)


def test_messages_name_what_was_found() -> None:
    messages = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    rows: list[Any] = [
        {"chosen": "a", "rejected": "b", "prompt": "c"},
        {"conversations": [], "chosen": {}, "rejected": {}},
        {"chosen": [{"role": "human", "content": "x" * 10_000}], "rejected": messages},
        {"a/b": 1},
    ]
    said = {(finding.row, finding.path): finding.message for finding in check(rows)}
    assert "is a text, not a list of messages" in said[0, "/chosen"]
    assert "is an object" in said[1, "/rejected"]
    usual = "pairforge convert IN OUT writes it as 'user'"
    assert said[2, "/chosen/0/role"] == f"role 'human' is not one of system, developer, user, assistant, tool; {usual}"
    assert said[3, ""].startswith("`chosen`, `rejected` missing: found 'a/b'")


@settings(max_examples=300)
@given(DOCUMENTED)
def test_documented_messages_are_read_as_texts(message: Any) -> None:
    row = {"chosen": [message], "rejected": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
    assert well_shaped(row) == validator("pair").is_valid(row)
    if well_shaped(row):
        assert all(type(turn["content"]) is str and len(turn) == 2 for turn in Sides.of(row).chosen)


@pytest.mark.parametrize(
    "content",
    [[], ["Paris"], [{"type": "text"}], [{"type": "text", "value": "Paris"}], [{"type": "words"}], 7, {}, None],
)
def test_contents_that_are_no_text(content: Any) -> None:
    row = {"chosen": [{"role": "user", "content": "a"}, {"role": "assistant", "content": content}]}
    row["rejected"] = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    assert {(finding.code, finding.row) for finding in check([row])} == {("PF012", 0)}


def test_another_ones_columns_may_be_of_any_type() -> None:
    turns = [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "I am."}]
    row = {"chosen": turns, "rejected": [turns[0], {"role": "assistant", "content": "Bob."}], "id": 7, "model": None}
    assert list(check([row])) == []
    own = row | {"prompt_id": "a", "method": "b"}
    assert {(finding.code, finding.path) for finding in check([own])} == {("PF014", "/id"), ("PF014", "/model")}


def test_deep_values_in_memory_are_findings() -> None:
    deep: Any = "end"
    for _ in range(100_000):
        deep = [deep]
    assert [finding.code for finding in check([{"chosen": deep, "rejected": []}])] == ["PF004"]


NAMES = sorted(path.name.removesuffix(".schema.json") for path in resource("schemas").glob("*.schema.json"))


def schema(name: str) -> Any:
    return json.loads(resource("schemas", f"{name}.schema.json").read_text("utf-8"))


def references(value: Any) -> set[str]:
    inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    own = {value["$ref"]} if isinstance(value, dict) and "$ref" in value else set()
    return own.union(*map(references, inner))


def test_all_are_there() -> None:
    assert {"findings", "pair", "prompt", "run"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_schemas_are_schemas(name: str) -> None:
    Draft202012Validator.check_schema(schema(name))
    assert schema(name)["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema(name)["$id"] == f"urn:pairforge:schema:{name}:1"
    assert all(reference.startswith("#/$defs/") for reference in references(schema(name)))


def test_a_row_of_no_shape_with_many_broken_texts_is_no_pair() -> None:
    row = {"chosen": ["\ud800"] * 30, "rejected": "no list"}
    assert {one.code for one in check([row])} == {"PF005"}


def test_a_role_of_another_name_names_the_command_that_writes_the_usual_one(tmp_path: Path) -> None:
    turns = [{"role": "human", "content": "Hi"}]
    row = {side: [*turns, {"role": "assistant", "content": side}] for side in ("chosen", "rejected")}
    found = {one.path: one.message for one in check([row]) if one.code == "PF013"}
    assert set(found) == {"/chosen/0/role", "/rejected/0/role"}
    assert all(message.endswith("pairforge convert IN OUT writes it as 'user'") for message in found.values())
    file, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    file.write_text(json.dumps(row) + "\n", "utf-8")
    pairforge.convert(str(file), str(out), quiet=True)
    assert not pairforge.validate(str(out), quiet=True).counts.get("PF013")
