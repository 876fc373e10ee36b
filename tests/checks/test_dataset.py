"""Rules on the whole set say which rows, whatever the order in which parts of it were gathered."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import pair

from pairforge.checks import Against, RowChecker, check


def seen(rows: list[dict[str, Any]], code: str) -> dict[int | None, str]:
    return {one.row: one.message for one in check(rows) if one.code == code}


def test_duplicates_name_the_first_row() -> None:
    explicit = {"prompt": [{"role": "user", "content": "Q?"}]}
    explicit |= {side: [{"role": "assistant", "content": text}] for side, text in (("chosen", "a"), ("rejected", "b"))}
    rows = [pair("a", "b"), pair("c", "d"), pair("a", "b", id="x"), explicit, pair("a", "b", "R?")]
    assert seen(rows, "PF202") == {2: "the same pair as row 0", 3: "the same pair as row 0"}


def test_ranked_answers_are_no_contradiction() -> None:
    ranked = [pair(one, other) for one, other in ("ab", "bc", "ac", "cd", "ad", "bd")]
    assert not seen(ranked, "PF205") and not seen(ranked, "PF203")


def test_circles_of_any_length() -> None:
    for names in ("abc", "abcd", "abcdefghij"):
        rows = [pair(one, other) for one, other in zip(names, names[1:] + names[0], strict=True)]
        rows.insert(1, pair("x", "a"))
        found = seen(rows, "PF205")
        assert list(found) == [len(names)]
        assert found[len(names)].startswith("contradicts rows 0, 2")


def test_a_swap_is_told_as_a_swap() -> None:
    rows = [pair("a", "b"), pair("b", "a"), pair("b", "a", "R?")]
    assert seen(rows, "PF203") == {1: "the same pair as row 0, with chosen and rejected swapped"}
    assert not seen(rows, "PF205")


def test_long_chains_end() -> None:
    rows = [pair(str(number), str(number + 1)) for number in range(3000)]
    assert not seen(rows, "PF205")


def test_a_column_has_one_type() -> None:
    rows = [
        pair("a", "b", n=None),
        pair("a", "c", n=1),
        pair("a", "d", n=0.5),
        pair("a", "e", n="1"),
        pair("a", "f", n=True),
    ]
    assert set(seen(rows, "PF210")) == {3, 4}


def test_the_same_question_of_another_set() -> None:
    question = "I have read about the history of France lately; which of its many cities is the capital today?"
    against = Against([[{"role": "user", "content": f" {question.upper()}"}]], "eval.jsonl")
    rows = [pair("Paris", "Lyon", question), pair("a", "b"), pair("Rome", "Milan", f"{question}!")]
    assert [(one.row, one.code) for one in check(rows, ["PF209", "PF211"], against)] == [(0, "PF209"), (2, "PF211")]
    assert list(check(rows, ["PF209", "PF211"])) == []


TEXT = st.sampled_from(["a", "b", "c", "A longer answer, as long as it takes to be compared with others."])
ROWS = st.lists(
    st.builds(pair, TEXT, TEXT, st.sampled_from(["Q?", "R?"]), n=st.none() | st.integers(0, 1) | TEXT), max_size=30
)


@settings(max_examples=150)
@given(ROWS, st.lists(st.integers(0, 30), max_size=3))
def test_parts_make_the_whole(rows: list[dict[str, Any]], cuts: list[int]) -> None:
    whole = RowChecker()
    for index, row in enumerate(rows):
        whole.see(index, row)
    joined = RowChecker()
    edges = [0, *sorted(cuts), len(rows)]
    for start, end in pairwise(edges):
        part = RowChecker()
        for index, row in enumerate(rows[start:end], start):
            part.see(index, row)
        joined.state.join(part.state)
    assert list(joined.findings()) == list(whole.findings())


@pytest.mark.parametrize("codes", [[], ["PF201"], ["PF206"], ["PF210"], ["PF204", "PF205"]])
def test_only_what_is_asked_for(codes: list[str]) -> None:
    rows = [pair("a", "b", n=1), pair("a", "b", n="x"), pair("b", "a"), {"chosen": 1}]
    assert {one.code for one in check(rows, codes)} <= set(codes)
