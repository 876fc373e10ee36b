"""Several answers: which pairs each pick makes, and that a tie is never one."""

from __future__ import annotations

from collections import Counter
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairforge import formats
from pairforge.formats.candidates import number, picked
from pairforge.options.pairs import Pick
from pairforge.types import Skip

scores = st.lists(st.none() | st.integers(0, 3).map(float), max_size=6)


@given(scores, st.sampled_from(get_args(Pick)))
def test_the_first_of_a_pair_is_better(values: list[float | None], pick: Pick) -> None:
    pairs = picked(values, pick)
    for one, other in pairs:
        better, worse = values[one], values[other]
        assert better is not None and worse is not None and better > worse
    assert len(set(pairs)) == len(pairs)
    assert bool(pairs) == (len({value for value in values if value is not None}) > 1)


def test_what_each_pick_makes() -> None:
    values = [2.0, 9.0, 5.0, None, 5.0]
    assert picked(values, "best-worst") == [(1, 0)]
    assert picked(values, "adjacent") == [(1, 2), (4, 0)]
    assert picked(values, "all-pairs") == [(1, 2), (1, 4), (1, 0), (2, 0), (4, 0)]


def pairs(row: dict[str, Any], pick: str = "all-pairs") -> list[Any]:
    made = formats.as_pairs([row], formats.shape_of([row]), Counter(), pick)
    return [
        pair if isinstance(pair, Skip) else tuple(pair[side][-1]["content"] for side in pair if side in SIDES)
        for pair in made
    ]


SIDES = ("chosen", "rejected")


def test_the_order_of_outputs_is_their_rank() -> None:
    row = {"instruction": "q", "output": ["a", "b", "c"]}
    assert pairs(row) == [("a", "b"), ("a", "c"), ("b", "c")]
    assert pairs(row, "adjacent") == [("a", "b"), ("b", "c")]
    assert pairs(row, "best-worst") == [("a", "c")]


@pytest.mark.parametrize(
    ("row", "made"),
    [
        ({"generations": ["13", "12", "11"], "ratings": [5, 1, 5]}, [("13", "12"), ("11", "12")]),
        ({"answers": [{"answer": "9", "rank": 3.0}, {"answer": "7", "rank": 1.0}]}, [("7", "9")]),
        (
            {"completions": [{"response": "x", "overall_score": "2"}, {"response": "y", "overall_score": "7.5"}]},
            [("y", "x")],
        ),
        ({"responses": ["x", "y", "z"], "scores": [1, None, 2]}, [("z", "x")]),
        ({"responses": ["x", "x", "z"], "scores": [1, 2, 0]}, [("x", "z"), ("x", "z")]),
    ],
)
def test_scores_and_ranks_within_and_beside(row: dict[str, Any], made: list[Any]) -> None:
    assert pairs({"prompt": "q", **row}) == made


def test_scores_models_and_other_columns_are_kept() -> None:
    row = {"prompt": "q", "id": 7, "generations": ["a", "b"], "ratings": [1, 2], "generation_models": ["m", "n"]}
    (pair,) = formats.as_pairs([row], formats.shape_of([row]), Counter())
    assert isinstance(pair, dict)
    rest = {name: value for name, value in pair.items() if name not in SIDES}
    scores, models = {"chosen_score": 2.0, "rejected_score": 1.0}, {"chosen_model": "n", "rejected_model": "m"}
    assert rest == {"id": 7, **scores, **models}


@pytest.mark.parametrize(
    "row", [{"responses": ["a", "b"], "scores": [1, 1]}, {"responses": ["a", "a"], "scores": [1, 2]}]
)
def test_a_tie_is_counted_and_never_a_pair(row: dict[str, Any]) -> None:
    (skip,) = pairs({"prompt": "q", **row})
    assert (skip.reason, skip.detail) == ("tie", "row 0: no answer is better than another")
    other = {"prompt": "q", "responses": ["a", "b"], "scores": [1, 2]}
    assert len(list(formats.pairs_of([{"prompt": "q", **row}, other]))) == 1


def test_a_row_of_several_answers_is_shown_to_a_check_as_one_pair() -> None:
    row = {"prompt": "q", "responses": ["a", "b", "c"], "scores": [1, 2, 3]}
    (seen,) = formats.presented([row])
    assert (seen["chosen"][-1]["content"], seen["rejected"][-1]["content"]) == ("c", "a")
    assert len(list(formats.pairs_of([row]))) == 3


def test_numbers_are_read_from_texts_and_objects() -> None:
    assert [number(one) for one in ("4.5", "8/10", "7,5", True, {"Rating": "3"}, "N/A", "1 or 2", None, [1])] == [
        4.5, 8.0, 7.5, 1.0, 3.0, None, None, None, None,
    ]  # fmt: skip
