"""The last step of a pair: its thoughts, and that nothing is stored that the trainer refuses."""

from __future__ import annotations

from typing import Any

import pytest
from support import Scripted, prompt

from pairforge.api.finishing import PairFinisher
from pairforge.types import Pair, Skip, ThoughtForm


def pair(chosen: str, rejected: str, thoughts: tuple[str, str] = ("", "")) -> Pair:
    columns: dict[str, Any] = {
        "method": "correct",
        "model": "m",
        "judge": "j",
        "chosen_score": 1.0,
        "rejected_score": 0.0,
    }
    return Pair.of(prompt("Who are you?"), chosen, rejected, thoughts, **columns)


def finisher(form: ThoughtForm, monkeypatch: pytest.MonkeyPatch) -> PairFinisher:
    sampler = Scripted(lambda *_: "")
    monkeypatch.setattr(sampler, "thought_form", lambda: form, raising=False)
    return PairFinisher(sampler, lambda text: "Qwen" not in text)


@pytest.mark.parametrize(
    ("form", "thought", "stored", "counted"),
    [
        (ThoughtForm("thinking"), "Hm.", "Hm.", {"pairs": 1, "kept": 1}),
        (ThoughtForm("thinking"), "I am Qwen.", None, {"pairs": 1, "left_out": 1}),
        (ThoughtForm("thinking", empty="<think>"), "Qwen", None, {"pairs": 1, "left_out": 1, "empty": "<think>"}),
        (ThoughtForm(""), "Hm.", None, {"pairs": 1, "unwritten": 1}),
        (ThoughtForm("thinking"), "", None, {}),
    ],
)
def test_thoughts_are_stored_where_they_may_be_trained_on(
    form: ThoughtForm, thought: str, stored: str | None, counted: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    finish = finisher(form, monkeypatch)
    made = finish(pair("I am Deep Qwen.", "I am Qwen.", (thought, thought)))
    assert isinstance(made, Pair) and finish.thoughts == counted
    assert {side[-1].get("thinking") for side in (made.chosen, made.rejected)} == {stored}
    assert made.chosen[-1]["content"] == "I am Deep Qwen."


def test_a_pair_with_an_error_is_a_skip(monkeypatch: pytest.MonkeyPatch) -> None:
    made = finisher(ThoughtForm(), monkeypatch)(pair("I am Deep Qwen, made by {{author}}.", "I am Qwen."))
    assert isinstance(made, Skip) and made.reason == "invalid" and made.detail.startswith("PF113 /chosen/1/content")
