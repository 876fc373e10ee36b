"""Only what needs no decision is fixed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import pair

from pairforge.checks.fixes import DROPS, EDGES, fix_row, without_edges, without_tokens

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
