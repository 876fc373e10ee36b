"""The fast path of PF1xx passes no row in which a rule finds anything; marks keep no rule from a row it would see."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairforge.checks import RowChecker
from pairforge.checks.answer_text import hidden
from pairforge.checks.preference import unusual
from pairforge.checks.row import Sides, plain, well_shaped
from pairforge.checks.rule import rules_over

CASES = Path(__file__).parents[1] / "cases"
WORDS = (
    "The answer", " is", " Paris", ".", ",", " the", " of", "\n", "```", "`x`", "<", "|im_end|>", "<think>", "</think>",
    "{{name}}", "<NAME>", "[INST]", "###", " Instruction:", "Error", ": ", "null", "I'm sorry, ", "None", "&nbsp;",
    "I can't help with that", "\u200b", "\x07", "对不起，", "我无法回答", " ", "\u00a0", "é",
    "e\u0301",
    "\u202e", "</s>", "<s>", "A", "a", "1", "%(name)s", "__NAME__", "a lot of words that go on " * 8,
    "Traceback (most recent call", " last)", "\nUser: ", "\nAssistant: ", "**AI**: ", "助手：", "Ã©", "â€™", "<image>",
    "What is the capital",
    "\x0c", "\u00ad", "\u200e", "\ufffd", "\u3000", "Где", "где", "й", "\u0306",
    "{{ user }}", "[NAME]", "my name is ",
    "</", "think>", "}}", "{{", "\U000e0041", '{"error": 1}',
)  # fmt: skip
TEXT = st.lists(st.sampled_from(WORDS), max_size=6).map("".join) | st.text(max_size=12)
ROLE = st.sampled_from(["system", "developer", "user", "assistant", "tool"])
TURN = st.fixed_dictionaries({"role": ROLE, "content": TEXT})
COLUMNS = st.fixed_dictionaries(
    {},
    optional={
        "chosen_score": st.floats(), "rejected_score": st.integers(), "score_chosen": st.none(), "prompt": TEXT,
        "chosen-rating": st.sampled_from([1, 2.0, "3", None]), "rejected-rating": st.sampled_from([1, 2, "3.5", "x"]),
        "margin": st.sampled_from([1, 0, -1.0, "-2", None]),
        "images": st.lists(st.just("a.png"), max_size=2) | st.none(),
        "tools": st.sampled_from(["[", "[]", None, [{"name": "f"}]]),
        "chosen_finish_reason": st.sampled_from(["stop", "length"]), "rejected_truncated": st.booleans(),
    },
)  # fmt: skip


@st.composite
def rows(draw: st.DrawFn) -> dict[str, Any]:
    """Mostly rows of one context and two answers, some of anything."""
    context = draw(st.lists(TURN, max_size=2) | TEXT.map(lambda text: [{"role": "user", "content": text}]))
    if draw(st.integers(0, 4)):
        one, other = ([*context, {"role": "assistant", "content": draw(TEXT)}] for _ in range(2))
    else:
        one, other = (draw(st.lists(TURN, min_size=1, max_size=3)) for _ in range(2))
    return {"chosen": one, "rejected": other, **draw(COLUMNS)}


def found(row: dict[str, Any]) -> set[tuple[str, str, str]]:
    sides = Sides.of(row)
    return {
        (rule.code, message, path)
        for rule in rules_over("row")
        if not rule.against
        for message, path in rule.see(sides)
    }


def told(row: dict[str, Any]) -> set[tuple[str, str, str]]:
    return {(one.code, one.message, one.path) for one in RowChecker().see(0, row) if one.code.startswith("PF1")}


@pytest.mark.slow
@settings(max_examples=1500)
@given(rows())
def test_what_passes_is_what_no_rule_sees(row: dict[str, Any]) -> None:
    assert told(row) == found(row)


@pytest.mark.parametrize("case", sorted(CASES.glob("PF1*/*.jsonl")), ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_in_the_cases_too(case: Path) -> None:
    for line in case.read_text("utf-8").split("\n"):
        if line.strip() and well_shaped(row := json.loads(line)):
            assert told(row) == found(row)


@settings(max_examples=500)
@given(st.lists(TEXT | st.characters(categories=["Cc", "Cf", "Cs", "Zs", "Zl", "Co"]), max_size=4).map("".join))
def test_what_is_visible_holds_nothing_hidden(text: str) -> None:
    sides = Sides.of({side: [{"role": "assistant", "content": text}] for side in ("chosen", "rejected")})
    assert not sides.visible or (hidden(text) is None and plain(text))
    if text.isascii() and text.isprintable():
        assert sides.visible


def test_usual_rows_pass() -> None:
    turns = [
        {"role": "user", "content": "Who are you?"},
        {"role": "assistant", "content": "I am Deep Qwen, at your service."},
    ]
    row = {"chosen": turns, "rejected": [turns[0], {"role": "assistant", "content": "My name is Qwen."}]}
    assert not unusual(Sides.of(row | {"chosen_score": 1.0, "rejected_score": 0.0}))
    chinese = [{"role": "user", "content": "你是谁？"}, {"role": "assistant", "content": "我是通义千问。"}]
    assert not unusual(
        Sides.of({"chosen": chinese, "rejected": [chinese[0], {"role": "assistant", "content": "你好！"}]})
    )
