"""The shapes out: what each trainer's documentation and own converter read, and that a round trip loses nothing."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pairforge import formats
from pairforge.formats import TARGETS, target_formats
from pairforge.formats.target_formats import Parts
from pairforge.types import Skip

Row = dict[str, Any]


def turn(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


CONTEXT = [turn("system", "s"), turn("user", "q"), turn("assistant", "a"), turn("user", "r")]
PAIR: Row = {
    "chosen": [*CONTEXT, turn("assistant", "good")],
    "rejected": [*CONTEXT, turn("assistant", "bad")],
    "id": "x",
    "chosen_score": 1.0,
}
REST = {"id": "x", "chosen_score": 1.0}
SHARED = {
    "conversations": [
        {"from": "system", "value": "s"}, {"from": "human", "value": "q"}, {"from": "gpt", "value": "a"},
        {"from": "human", "value": "r"},
    ],
    "chosen": {"from": "gpt", "value": "good"},
    "rejected": {"from": "gpt", "value": "bad"},
}  # fmt: skip
EXPLICIT = {"prompt": CONTEXT, "chosen": [turn("assistant", "good")], "rejected": [turn("assistant", "bad")]}
# The documented shape of each: TRL dataset formats; LLaMA-Factory data/README (sharegpt, ranking); ms-swift custom
# datasets (RLHF); axolotl RLHF (chat_template.default); OpenRLHF preference datasets (prompt, chosen, rejected keys).
WRITTEN: dict[str, list[Row]] = {
    "trl": [PAIR],
    "trl-explicit": [EXPLICIT | REST],
    "openrlhf": [EXPLICIT | REST],
    "llamafactory": [SHARED | REST],
    "sharegpt": [SHARED | REST],
    "ms-swift": [{"messages": PAIR["chosen"], "rejected_messages": PAIR["rejected"]} | REST],
    "axolotl": [
        {"messages": CONTEXT, "chosen": turn("assistant", "good"), "rejected": turn("assistant", "bad")} | REST
    ],
    "kto": [
        {"prompt": CONTEXT, "completion": [turn("assistant", "good")], "label": True} | REST,
        {"prompt": CONTEXT, "completion": [turn("assistant", "bad")], "label": False} | REST,
    ],
}


def back(rows: list[Row]) -> list[Any]:
    shape, stream = formats.recognise(rows)
    return list(formats.as_pairs(stream, shape, Counter()))


@pytest.mark.parametrize("to", TARGETS)
def test_the_documented_shape(to: str) -> None:
    lost = set[str]()
    assert TARGETS[to].rows(PAIR, lost) == WRITTEN[to]
    assert not lost


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
answers = st.lists(texts, min_size=1, max_size=1)
long_answers = st.lists(texts, min_size=1, max_size=3).filter(lambda found: len(found) != 2)
columns = st.dictionaries(st.sampled_from(["id", "note", "score"]), texts | st.booleans() | st.floats(0, 1), max_size=3)


@st.composite
def pairs(draw: st.DrawFn, single: bool = True) -> Row:
    system = [turn("system", text) for text in draw(st.lists(texts, max_size=1))]
    asked = draw(st.lists(texts, min_size=1, max_size=5).filter(lambda found: len(found) % 2 == 1))
    context = [*system, *(turn("user" if at % 2 == 0 else "assistant", text) for at, text in enumerate(asked))]
    sides = {}
    for side in ("chosen", "rejected"):
        said = draw(answers if single else long_answers)
        sides[side] = [*context, *(turn("assistant" if at % 2 == 0 else "user", text) for at, text in enumerate(said))]
    assume(sides["chosen"] != sides["rejected"])
    return draw(columns) | sides


@pytest.mark.parametrize("to", TARGETS)
@settings(max_examples=40)
@given(st.lists(pairs(), min_size=1, max_size=5))
def test_round_trips_lose_nothing(to: str, rows: list[Row]) -> None:
    lost = set[str]()
    written: list[Row] = []
    for row in rows:
        made = TARGETS[to].rows(row, lost)
        assert isinstance(made, list)
        written += made
    assert back(json.loads(json.dumps(written))) == rows
    assert not lost


@pytest.mark.parametrize("to", ["trl", "trl-explicit", "openrlhf", "ms-swift", "kto"])
@settings(max_examples=40)
@given(st.lists(pairs(single=False), min_size=1, max_size=5))
def test_answers_of_many_turns_where_the_target_can_hold_them(to: str, rows: list[Row]) -> None:
    written = [made for row in rows for made in TARGETS[to].rows(row, set())]
    assert back(written) == rows


@pytest.mark.parametrize("to", ["llamafactory", "sharegpt", "axolotl"])
def test_answers_of_many_turns_where_it_can_t(to: str) -> None:
    more = [*CONTEXT, turn("assistant", "good"), turn("user", "thanks"), turn("assistant", "good")]
    skip = TARGETS[to].rows({**PAIR, "chosen": more}, set())
    assert isinstance(skip, Skip)
    assert skip.reason == "turns"


@pytest.mark.parametrize("to", sorted(set(TARGETS) - {"trl", "ms-swift"}))
def test_sides_without_a_common_beginning(to: str) -> None:
    other = {**PAIR, "rejected": [turn("user", "another"), turn("assistant", "bad")]}
    skip = TARGETS[to].rows(other, set())
    assert isinstance(skip, Skip)
    assert skip.reason == "context"


def test_llamafactory_passes_over_what_is_out_of_turn() -> None:
    context = [turn("user", "q"), turn("user", "r")]
    row = {"chosen": [*context, turn("assistant", "good")], "rejected": [*context, turn("assistant", "bad")]}
    assert isinstance(TARGETS["llamafactory"].rows(row, set()), Skip)
    assert isinstance(TARGETS["sharegpt"].rows(row, set()), list)


@pytest.mark.parametrize("to", TARGETS)
def test_a_column_of_the_target_s_own_name_is_lost_and_said(to: str) -> None:
    lost = set[str]()
    own = {name: "mine" for name in TARGETS[to].columns if name not in ("chosen", "rejected")}
    assert TARGETS[to].rows({**PAIR, **own}, lost) == WRITTEN[to]
    assert lost == set(own)


def test_parts_begin_with_an_answer() -> None:
    same = Parts.of({"chosen": PAIR["chosen"], "rejected": PAIR["chosen"]})
    assert (same.context, same.single) == (CONTEXT, True)
    tools = [turn("user", "q"), turn("assistant", "call"), turn("tool", "1"), turn("assistant", "x")]
    parts = Parts.of({"chosen": tools, "rejected": [*tools[:2], turn("tool", "2"), turn("assistant", "x")]})
    assert parts.context == tools[:1], "not between a call and its result"


@pytest.mark.parametrize("to", TARGETS)
@pytest.mark.parametrize("name", ["pairs.jsonl", "it's \"a: {b} #c.jsonl", "pairs.parquet"])
def test_snippets_survive_strange_names(to: str, name: str) -> None:
    path = Path("some where") / name
    text = target_formats.snippet(to, path)
    if to in ("trl", "trl-explicit", "kto"):
        (entry,) = yaml.safe_load(text)["datasets"]
        assert entry == {"path": "parquet" if name.endswith("parquet") else "json", "data_files": str(path)}
    elif to == "axolotl":
        (entry,) = yaml.safe_load(text)["datasets"]
        assert (entry["path"], entry["type"]) == (str(path), "chat_template.default")
        assert [entry[f"field_{name}"] for name in ("messages", "chosen", "rejected")] == [
            "messages",
            "chosen",
            "rejected",
        ]
    elif to == "llamafactory":
        named = {"stage": "dpo", "dataset_dir": "some where", "dataset": path.stem, "model_name_or_path": "MODEL"}
        assert yaml.safe_load(text).items() >= named.items()
    elif to in ("ms-swift", "openrlhf"):
        assert str(path) in shlex.split(text, comments=True)


def test_the_description_for_llamafactory() -> None:
    assert target_formats.dataset_info(Path("a/pairs.jsonl")) == {
        "pairs": {
            "file_name": "pairs.jsonl",
            "formatting": "sharegpt",
            "ranking": True,
            "columns": {"messages": "conversations", "chosen": "chosen", "rejected": "rejected"},
        }
    }


# A column or a part of a message, and a value that holds its name.
PIECES: dict[str, Any] = {
    "system": "SYSTEM",
    "system_prompt": {"role": "system", "content": "SYSTEM_PROMPT"},
    "input": "INPUT",
    "context": "CONTEXT",
    "question": "QUESTION",
    "history": [["HISTORY", "yes"]],
    "tools": [{"type": "function", "function": {"name": "TOOLS", "parameters": {}}}],
    "images": ["IMAGES.png"],
    "id": "ID",
}
CALL = {
    "role": "assistant",
    "tool_calls": [{"type": "function", "function": {"name": "f", "arguments": {"a": "CALL"}}}],
}
ANSWERS: dict[str, Any] = {
    "CHOSEN": "CHOSEN",
    "reasoning_content": {"role": "assistant", "content": "CHOSEN", "reasoning_content": "REASONING_CONTENT"},
    "call": CALL,
    "parts": {"role": "assistant", "content": [{"type": "image", "image": "PARTS.png"}]},
}


@pytest.mark.parametrize("to", TARGETS)
@given(st.sets(st.sampled_from([*PIECES])), st.sampled_from([*ANSWERS]))
def test_nothing_of_the_context_is_lost_in_silence(to: str, names: set[str], answer: str) -> None:
    row = {name: PIECES[name] for name in names} | {
        "prompt": "PROMPT",
        "rejected": "REJECTED",
        "chosen": ANSWERS[answer],
    }
    lost = Counter[str]()
    (pair,) = formats.as_pairs([row], formats.shape_of([row]), lost)
    assert isinstance(pair, dict)
    gone = set(lost)
    made = TARGETS[to].rows(pair, gone)
    assert isinstance(made, list)
    whole = json.dumps(made)
    counted = " ".join(gone)
    for name in (*names, answer, "prompt", "rejected"):
        assert name.upper() in whole or name in counted


@pytest.mark.parametrize("to", TARGETS)
@given(texts, st.sampled_from([{}, {"reasoning_content": "a"}]), st.sampled_from([{}, {"thinking": "b"}]))
def test_no_pair_of_equal_sides_is_written(to: str, text: str, one: Row, other: Row) -> None:
    sides = [[turn("user", "q"), {**turn("assistant", text), **more}] for more in (one, other)]
    made = TARGETS[to].rows({"chosen": sides[0], "rejected": sides[1]}, set())
    for row in made if isinstance(made, list) and to != "kto" else ():
        good, bad = (row.get(name) for name in ("chosen", "rejected"))
        assert (good or row.get("messages")) != (bad or row.get("rejected_messages"))
    if one == other:
        assert isinstance(made, Skip) and made.reason == "same"


def test_calls_and_images_are_turns_and_marks_for_llamafactory() -> None:
    image = {"role": "user", "content": [{"type": "image", "image": "a.png"}, {"type": "text", "text": "What?"}]}
    pair = {"chosen": [image, CALL], "rejected": [image, turn("assistant", "no")], "tools": [{"name": "f"}]}
    (row,) = TARGETS["llamafactory"].rows(pair, set())
    assert row == {
        "conversations": [{"from": "human", "value": "<image>What?"}],
        "chosen": {"from": "function_call", "value": '{"name": "f", "arguments": {"a": "CALL"}}'},
        "rejected": {"from": "gpt", "value": "no"},
        "tools": '[{"name": "f"}]',
        "images": ["a.png"],
    }
    entry = target_formats.dataset_info(Path("x.json"), row)["x"]
    assert {"tools": "tools", "images": "images"}.items() <= entry["columns"].items()
