"""A row is dropped where, and only where, its preference is part of a circle."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import pair

from pairforge.checks import duplicates
from pairforge.checks.duplicates import Digests, contradictions
from pairforge.checks.row import Sides
from pairforge.checks.runner import check


def digests(pairs: list[tuple[str, str]]) -> Digests:
    """Pairs by their answers; what stands before a colon is the prompt."""
    found = Digests()
    for number, answers in enumerate(pairs):
        question = answers[0].rpartition(":")[0]
        found.add(number, Sides.of(pair(*(text.rpartition(":")[2] for text in answers), question)))
    return found


def test_swapped_and_in_a_circle() -> None:
    pairs = [("a", "b"), ("b", "c"), ("c", "a"), ("a", "d"), ("x", "y"), ("y", "x"), ("x", "y"), ("other:b", "other:a")]
    assert contradictions(digests(pairs)) == {
        0: "contradicts rows 1, 2",
        1: "contradicts rows 0, 2",
        2: "contradicts rows 0, 1",
        4: "contradicts rows 5, 6",
        5: "contradicts rows 4, 6",
        6: "contradicts rows 4, 5",
    }


def test_between_two_circles_nothing_is_wrong() -> None:
    pairs = [("a", "b"), ("b", "a"), ("b", "c"), ("c", "d"), ("d", "c")]
    assert sorted(contradictions(digests(pairs))) == [0, 1, 3, 4]
    assert contradictions(digests([])) == {}
    assert contradictions(digests([("a", "b"), ("a", "b"), ("b", "c")])) == {}


ANSWER = st.sampled_from("abcdef")


@given(st.lists(st.tuples(ANSWER, ANSWER), max_size=14))
def test_what_is_left_is_an_order(pairs: list[tuple[str, str]]) -> None:
    leads = {(one, other) for one, other in pairs if one != other}
    while more := {(a, d) for a, b in leads for c, d in leads if b == c} - leads:
        leads |= more
    wanted = {n for n, (one, other) in enumerate(pairs) if one != other and (other, one) in leads}
    assert set(contradictions(digests(pairs))) == wanted


LONG = st.sampled_from(["This is an answer of a model.", "Here is another one.", "It says no.", "Yes, it does."])


@given(st.lists(st.tuples(LONG, LONG, st.integers(0, 12)), min_size=20, max_size=60))
def test_what_is_on_disk_is_found_like_what_is_in_memory(made: list[tuple[str, str, int]]) -> None:
    rows = [pair(chosen, rejected, f"Which question is number {asked}?") for chosen, rejected, asked in made]
    found = [*check(rows)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duplicates, "_IN_MEMORY", 7)
        assert [*check(rows)] == found
