"""The schemas are JSON Schemas that stand alone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from pairforge.resources import resource

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
