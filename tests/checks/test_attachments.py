"""Tools, calls and media: what is broken is found, and TRL's documented forms are clean."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pairforge.api.validate import validate

TOOLS = [{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {}}}}]
SAID = {"role": "assistant", "content": "It is sunny."}


def call(name: str = "get_weather", arguments: Any = None, **more: Any) -> dict[str, Any]:
    function = {"name": name, "arguments": {"city": "Oslo"} if arguments is None else arguments}
    return {"role": "assistant", "tool_calls": [{"type": "function", "function": function}], **more}


def codes(chosen: Any, rejected: Any = SAID, **columns: Any) -> set[str]:
    row = {"prompt": [{"role": "user", "content": "Weather in Oslo?"}], "chosen": [chosen], "rejected": [rejected]}
    return {one.code for one in validate([row | columns], quiet=True)}


@pytest.mark.parametrize(
    "more", [{}, {"content": None}, {"content": ""}, {"content": "Let me see.", "thinking": "Hm."}]
)
@pytest.mark.parametrize("tools", [TOOLS, json.dumps(TOOLS), [TOOLS[0]["function"]], None])
def test_documented_calls_are_clean(more: dict[str, Any], tools: Any) -> None:
    assert codes(call(**more), tools=tools) == set()
    assert codes(call(arguments='{"city": "Oslo"}', **more), tools=tools) == set()


@pytest.mark.parametrize("arguments", ['{"city": "Oslo"', "Oslo", "[1]", "{'city': 'Oslo'}", "3"])
def test_arguments_that_are_no_object(arguments: str) -> None:
    assert codes(call(arguments=arguments, content=""), tools=TOOLS) == {"PF121"}
    assert codes(SAID, call(arguments=arguments, content=""), tools=TOOLS) == {"PF121"}


def test_a_tool_that_is_not_there_counts_in_what_is_learned() -> None:
    assert codes(call("get_wether", content=""), tools=TOOLS) == {"PF122"}
    assert codes(call(content=""), call("get_wether", content=""), tools=TOOLS) == set()
    assert codes(call("anything", content=""), tools=[]) == codes(call("anything", content="")) == set()
    assert codes(call("anything", content=""), tools=[{"nameless": 1}]) == set()
    assert codes(call(content=""), tools="[{'name': 'get_weather'}]") == {"PF121"}


@pytest.mark.parametrize("kind", ["image", "video", "audio"])
def test_files_and_their_marks(kind: str) -> None:
    def found(text: Any, **columns: Any) -> set[str]:
        turns = [{"role": "user", "content": text}]
        sides = {
            side: [*turns, {"role": "assistant", "content": f"The {side} one."}] for side in ("chosen", "rejected")
        }
        return {one.code for one in validate([sides | columns], quiet=True)}

    mark, files = f"<{kind}>", f"{kind}s"
    assert found(f"{mark}Which is older?", **{files: ["a", "b"]}) == {"PF123"}
    assert found(f"{mark}{mark}Which is older?", **{files: ["a", "b"]}) == set()
    assert found("Which is older?", **{files: ["a", "b"]}) == set()
    assert found(f"{mark}What is it?", **{kind: "a"}) == set()
    assert found(f"{mark}What is it?", **{files: None}) == {"PF123"}
    assert found(f"{mark}What is it?") == {"PF124"}
    assert found(f"What does {mark} mean in this file?") == set()
    parts = [{"type": kind}, {"type": kind}, {"type": "text", "text": "Which is older?"}]
    assert found(parts, **{files: ["a", "b"]}) == set()
    assert found(parts, **{files: ["a"]}) == {"PF123"}
    assert found([{"type": kind, kind: "a.bin"}, parts[-1]], **{files: []}) == set()
