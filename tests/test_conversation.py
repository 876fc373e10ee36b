"""Turns are read alike for prompts and for pairs, however they are written."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pairforge import formats
from pairforge.chat_text import transcript
from pairforge.conversation import ROLES, NotTextError, Turn, messages, text_of
from pairforge.prompts import read_prompts
from pairforge.types import Prompt, Skip

GOOD, BAD = {"from": "gpt", "value": "good"}, {"from": "gpt", "value": "bad"}


def as_prompt(folder: Path, row: Any, **how: Any) -> list[tuple[str, str]] | str:
    """The messages of the prompt in a row, or the reason why there is none."""
    (folder / "row.json").write_text(json.dumps([row]))
    [prompt] = read_prompts(folder / "row.json", **how)
    if isinstance(prompt, Skip):
        return prompt.reason
    assert isinstance(prompt, Prompt)
    return [(turn["role"], turn["content"]) for turn in prompt.messages]


def as_pair(row: Any) -> list[tuple[str, str]] | str:
    """The messages of chosen before the answer, or the reason why the row is not a pair."""
    shape = formats.shape_of([row])
    [pair] = formats.as_pairs([row], shape, Counter())
    return pair.reason if isinstance(pair, Skip) else [(turn["role"], turn["content"]) for turn in pair["chosen"][:-1]]


@pytest.mark.parametrize(
    ("turns", "wanted"),
    [
        ([{"from": "developer", "value": "s"}, {"from": "human", "value": "q"}], [("system", "s"), ("user", "q")]),
        ([{"speaker": "Human", "text": "q"}], [("user", "q")]),
        ([{"role": " USER ", "content": "q"}], [("user", "q")]),
        ([{"role": "user", "parts": [{"text": "q"}]}], [("user", "q")]),
        ([{"role": "user", "content": [{"type": "input_text", "text": "q"}]}], [("user", "q")]),
        ([{"role": "user", "content": [{"type": "text", "content": "q"}, "r"]}], [("user", "qr")]),
        ([{"role": "user", "content": 7}], "not text"),
        ([{"role": "user", "content": [{"type": "file", "text": "q"}]}], "not text"),
    ],
)
def test_a_turn_is_read_alike_in_a_prompt_and_in_a_pair(tmp_path: Path, turns: list[Any], wanted: Any) -> None:
    row = {"conversations": turns, "chosen": GOOD, "rejected": BAD}
    prompt, pair = as_prompt(tmp_path, row), as_pair(row)
    assert (prompt, pair) == (("not_text", "shape") if wanted == "not text" else (wanted, wanted))


def test_a_tool_call_and_an_image_are_dropped_in_neither(tmp_path: Path) -> None:
    image = [{"type": "image", "image": "a.png"}, {"type": "text", "text": "q"}]
    row = {"conversations": [{"role": "user", "content": image}], "chosen": GOOD, "rejected": BAD}
    assert (as_prompt(tmp_path, row), as_pair(row)) == ("not_text", [("user", image)])
    call = {"role": "assistant", "content": "Wait.", "tool_calls": [{"name": "f"}]}
    turns = [{"role": "user", "content": "q"}, call, {"role": "user", "content": "r"}]
    row = {"conversations": turns, "chosen": GOOD, "rejected": BAD}
    assert as_prompt(tmp_path, row, history="full") == "not_text"
    assert as_prompt(tmp_path, row) == [("user", "r")], "only what is asked must be text"
    assert as_pair(row) == [("user", "q"), ("assistant", "Wait."), ("user", "r")]
    [pair] = formats.as_pairs([row], formats.shape_of([row]), Counter())
    assert isinstance(pair, dict)
    assert pair["chosen"][1]["tool_calls"] == [{"type": "function", "function": {"name": "f", "arguments": {}}}]


@pytest.mark.parametrize("role", ["bing", "bard", "chatgpt", "model", "bot"])
def test_an_assistant_of_any_name_is_one_in_both(tmp_path: Path, role: str) -> None:
    said = [{"role": "user", "content": "q"}, {"role": role, "content": "a"}, {"role": "user", "content": "r"}]
    row = {"conversations": said, "chosen": GOOD, "rejected": BAD}
    wanted = [("user", "q"), ("assistant", "a"), ("user", "r")]
    assert as_prompt(tmp_path, row, history="full") == as_pair(row) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("\n\nHuman: q\n\nAssistant: a\n\nHuman: r\n\nAssistant:", [("user", "q"), ("assistant", "a"), ("user", "r")]),
        ("### Human: q### Assistant: a\n### Human: r", [("user", "q"), ("assistant", "a"), ("user", "r")]),
        ("Human: are apes human?", [("user", "Human: are apes human?")]),
    ],
)
def test_a_transcript_is_read_alike_in_a_prompt_and_in_a_pair(tmp_path: Path, text: str, wanted: Any) -> None:
    row = {"prompt": text, "chosen": "good", "rejected": "bad"}
    assert as_prompt(tmp_path, row, history="full") == as_pair(row) == wanted


def test_sides_may_be_transcripts_of_either_form(tmp_path: Path) -> None:
    row = {"chosen": "### Human: q### Assistant: good", "rejected": "### Human: q### Assistant: bad"}
    assert formats.shape_of([row]).name == "hh"
    assert as_prompt(tmp_path, row) == as_pair(row) == [("user", "q")]


def test_the_texts_of_a_transcript_are_whole() -> None:
    text = "Assistant: Hi. \n\nHuman:  q\n\nAssistant: a\n"
    assert [turn["content"] for turn in transcript(text) or ()] == ["Hi. ", " q", "a\n"]
    assert transcript("Assistant: of whom?") is None
    assert transcript("To the\n\nHuman: x\n\nAssistant: y") is None


def test_what_a_message_can_t_hold_is_named() -> None:
    lost = set[str]()
    turns = [{"role": "user", "content": "q", "weight": 1, "name": None}]
    assert messages(turns, lost) == [{"role": "user", "content": "q"}]
    assert lost == {"weight of a message"}
    for wrong in (
        ["q"],
        [{"role": "narrator", "content": "q"}],
        [{"role": "user"}],
        [{"role": "user", "content": []}],
        3,
    ):
        assert messages(wrong, lost) is None


def test_a_struct_of_lists_is_a_list_of_turns() -> None:
    struct = {"role": ["user", "assistant"], "content": ["q", "a"]}
    assert messages(struct, set()) == [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]


def test_a_call_without_words_is_a_turn_but_not_text() -> None:
    turn = Turn.of({"role": "assistant", "tool_calls": [1]})
    with pytest.raises(NotTextError, match="tool call"):
        turn.text()
    assert text_of(None) is None and text_of([]) is None and text_of("") == ""
    assert set(ROLES.values()) == {"system", "user", "assistant", "tool"}


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "text",
    [
        " \n" * 200_000 + "### Response:",
        "### Instruction:" + "\n" * 200_000 + "x",
        "### Human: a" + " " * 200_000 + "b",
        " " * 200_000 + "<x",
        "[INST] <<SYS>>" + " " * 200_000 + "x",
    ],
)
def test_white_space_without_end_is_read_in_linear_time(text: str) -> None:
    turns = transcript(text)
    assert turns is None or "".join(turn["content"].strip() for turn in turns)


def test_blank_lines_before_the_preamble_of_alpaca_change_nothing() -> None:
    text = "Below is a task.\n\n### Instruction:\nAdd.\n\n### Input:\n1 1\n\n### Response:\n2"
    turns = transcript(text)
    assert turns and [turn["role"] for turn in turns] == ["system", "user", "assistant"]
    assert transcript(f"\n\n{text}") == turns
