"""Only what needs no decision is fixed, and all of it is counted."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import pair

from pairforge.checks.fixes import DROPS, EDGES, Fixes, fix_row, without_edges, without_tokens
from pairforge.types import Skip


def test_each_fix_is_counted_and_no_row_is_changed_in_place() -> None:
    deep: Any = 1
    for _ in range(100):
        deep = [deep]
    rows: list[Any] = [
        pair("a", "b"),
        Skip("json", "f:2: not JSON"),
        pair("a", "b", id="again"),
        pair("a", "a"),
        pair("Paris", " Paris"),
        pair("c", "d", prompt="Q?"),
        pair("e", "f", prompt="Something else?"),
        pair("e", "g", extra=deep),
        {"chosen": "text", "rejected": "other"},
        "no row",
        pair("b", "a"),
    ]
    before = copy.deepcopy(rows)
    fixes = Fixes()
    kept = [row for row in map(fixes.apply, rows) if row is not None]
    assert rows == before
    assert kept == [rows[0], pair("c", "d"), rows[6], rows[8], rows[10]]
    assert fixes.kept == 5
    assert fixes.dropped == {
        "not readable": 2,
        "there before": 1,
        "the same on both sides": 2,
        "nested too deeply": 1,
    }
    assert fixes.changed == {"a text as prompt taken out": 1}
    assert fixes.kept + sum(fixes.dropped.values()) == len(rows)


def test_sound_rows_stay() -> None:
    rows = [pair("a", "b"), pair("b", "c"), pair("a", "b", "R?")]
    fixes = Fixes()
    assert list(map(fixes.apply, rows)) == rows
    assert not fixes.dropped and not fixes.changed


ALL = {*EDGES, *DROPS}


LONG = "This is a sentence that goes on for a while, as answers do, so that it is long enough to be looked at, " * 2


def row(chosen: str, rejected: str) -> dict[str, Any]:
    return pair(chosen, rejected, "Why?", id="x")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (("Yes.", " No."), ("Yes.", "No.")),
        (("Yes.\n", "No."), ("Yes.", "No.")),
        ((" Yes.", " No."), (" Yes.", " No.")),
        ((" Yes. ", " No."), (" Yes.", " No.")),
        (("Yes.\n", "No.\n"), ("Yes.\n", "No.\n")),
    ],
)
def test_white_space_at_the_edges_goes_where_it_differs(before: tuple[str, str], after: tuple[str, str]) -> None:
    assert without_edges(before) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (("Yes.<|im_end|>", "No."), ("Yes.", "No.")),
        (("Yes.", "[INST] No. </s> <|im_end|>\n"), ("Yes.", "No.")),
        (("Yes.</s>", "No.</s>"), ("Yes.</s>", "No.</s>")),
        (("Yes.</s>", "No.<|im_end|>"), ("Yes.", "No.")),
        (("<|im_end|> ends a turn.", "No."), ("ends a turn.", "No.")),
        (("It is `<|im_end|>`.", "No."), ("It is `<|im_end|>`.", "No.")),
        (("<|begin_of_thought|>So.<|end_of_thought|>", "No."), ("<|begin_of_thought|>So.<|end_of_thought|>", "No.")),
        (("<think>So.</think>", "<noinput>"), ("<think>So.</think>", "")),
    ],
)
def test_template_tokens_at_the_edges_go_where_they_differ(before: tuple[str, str], after: tuple[str, str]) -> None:
    assert without_tokens(before) == after


@pytest.mark.parametrize(
    ("sides", "remedy"),
    [
        (("Yes.", "Yes."), "same"),
        (("Yes.", " Yes. "), "same"),
        (("Yes.", " yes. "), None),
        (("Yes.", "None"), None),
        (("Yes.", LONG + "```\nthe rest."), None),
        (("Yes.", LONG + "Well.\n\nBest regards,"), None),
        (("Yes.", LONG + "祝你愉快，"), None),
        (("Yes.", "Yes.<|im_end|>"), "same"),
        (("", "No."), "empty"),
        (("Yes.", "\n</s>"), "empty"),
        (("Yes.", "Error: failed to generate response."), "error"),
        (("Yes.", LONG + "and of the"), "cut"),
        ((LONG + "and of the", LONG + "or in a"), None),
        (("Yes.", "No."), None),
    ],
)
def test_why_a_row_is_left_out(sides: tuple[str, str], remedy: str | None) -> None:
    given = row(*sides)
    found = fix_row(given, ALL)
    assert (found.dropped and found.dropped[0]) == remedy
    assert given == row(*sides)
    if remedy:
        assert found.dropped and found.dropped[1]
        assert fix_row(given, ALL - {remedy, "tokens", "spaces"}).dropped is None


def test_only_what_is_asked_for_and_only_the_last_answer() -> None:
    assert fix_row(row("Yes.", " No."), set()).row == row("Yes.", " No.")
    assert fix_row(row("Yes.", " No."), {"spaces"}).changes[0][0] == "spaces"
    turns = row("Yes.", " No.")
    turns["rejected"].insert(1, {"role": "assistant", "content": " Well."})
    turns["rejected"].insert(2, {"role": "user", "content": "Well?"})
    assert fix_row(turns, {"spaces"}).row == turns
    parts = row("Yes.", " No.")
    parts["rejected"][-1]["content"] = [{"type": "text", "text": " No."}]
    assert fix_row(parts, {"spaces"}).row == parts


PIECES = st.sampled_from(["Yes", ".", " ", "\n", "</s>", "<|im_end|>", "<s>", "[INST]", "我", "\u00a0"])


TEXT = st.lists(PIECES, max_size=8).map("".join)


@given(TEXT, TEXT)
def test_what_is_fixed_stays_as_it_is(chosen: str, rejected: str) -> None:
    once = fix_row(row(chosen, rejected), EDGES)
    again = fix_row(once.row, EDGES)
    assert again.row == once.row and not again.changes
