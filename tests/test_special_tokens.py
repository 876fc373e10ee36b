"""One list of control tokens and of tags of thought: what one check knows, the others know too."""

from __future__ import annotations

from typing import Any

import pytest

from pairforge.api.validate import validate
from pairforge.checks.fixes import without_tokens
from pairforge.checks.shortcuts.style import STYLE
from pairforge.correction.reasoning import split_reasoning


def row(text: str) -> dict[str, Any]:
    sides = {"chosen": text, "rejected": "It is a lamp, I think."}
    user = {"role": "user", "content": "What is it?"}
    return {side: [user, {"role": "assistant", "content": said}] for side, said in sides.items()}


@pytest.mark.parametrize(
    "token", ["<|im_end|>", "<｜end▁of▁sentence｜>", "<end_of_turn>", "[/INST]", "<</SYS>>", "<eop>", "[gMASK]", "</s>"]
)
def test_a_control_token(token: str) -> None:
    assert "PF108" in validate([row(f"It is a lamp.{token}")]).counts
    assert without_tokens((f"It is a lamp.{token}", "It is.")) == ("It is a lamp.", "It is.")
    assert STYLE["template tokens"](f"It is a lamp.{token}") == 1
    assert ("PF106" in validate([row(token)]).counts) == token.startswith("<")


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("<think>", "</think>"),
        ("<Analysis>", "</Analysis>"),
        ("<seed:think>", "</seed:think>"),
        ("[THINK]", "[/THINK]"),
        ("<|begin_of_thought|>", "<|end_of_thought|>"),
        ("<|START_THINKING|>", "<|END_THINKING|>"),
        ("◁think▷", "◁/think▷"),
    ],
)
def test_a_block_of_thought(start: str, end: str) -> None:
    whole = f"{start}A lamp?{end}It is a lamp."
    assert split_reasoning(whole) == (f"{start}A lamp?{end}", "It is a lamp.")
    assert split_reasoning(f"{start}A lamp?") is None
    assert not {"PF108", "PF110"} & set(validate([row(whole)]).counts)
    assert "PF110" in validate([row(f"{start}A lamp?")]).counts
    assert without_tokens((f"{start}A lamp?", "It is.")) == (f"{start}A lamp?", "It is.")
