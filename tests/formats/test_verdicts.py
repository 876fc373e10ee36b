"""Two answers and a verdict, in every way in which verdicts are written."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from pairforge import formats
from pairforge.types import Skip

A, B, TIE = "first", "second", "tie"
AB = {"response_a": "A text", "response_b": "B text"}
N0 = {"response_0": "A text", "response_1": "B text"}
N1 = {"response_1": "A text", "response_2": "B text"}


def better(rows: list[dict[str, Any]]) -> list[str]:
    shape, stream = formats.recognise({"prompt": "q", **row} for row in rows)
    assert shape.name == "verdict"
    names = {"A text": A, "B text": B}
    return [
        one.reason if isinstance(one, Skip) else names[one["chosen"][-1]["content"]]
        for one in formats.as_pairs(stream, shape, Counter())
    ]


@pytest.mark.parametrize(
    ("answers", "column", "values", "wanted"),
    [
        (AB, "winner", ["A", "b", "tie", "[[A]]", "[[C]]"], [A, B, TIE, A, TIE]),
        (AB, "winner", ["model_a", "model_b", "tie (bothbad)", "both_bad"], [A, B, TIE, TIE]),
        (AB, "preference", ["response_a", "Response B", "equal"], [A, B, TIE]),
        (AB, "label", ["A>B", "B>A", "A=B", "A>>B"], [A, B, TIE, A]),
        (AB, "label", [0, 1, 2], [A, B, TIE]),
        (AB, "label", [2, 2], [TIE, TIE]),
        (AB, "preference", [1, 2, 3], [A, B, TIE]),
        (AB, "winner", ["0", "1", "0.5"], [A, B, TIE]),
        (AB, "a_is_better", [True, False], [A, B]),
        (N0, "better_response_id", [0, 1], [A, B]),
        (N0, "label", ["1", "0"], [B, A]),
        (N1, "overall_preference", [-3, 2, 0], [A, B, TIE]),
        (N1, "preference_strength", [1, 3], [B, B]),
        (N1, "preference", [1, 2, 0], [A, B, TIE]),
        (N1, "better_response", ["response_2", "1"], [B, A]),
        (N1, "label", [0, 1, 2], [A, B, TIE]),
        (N1, "score_1", [3, 1], [A, TIE]),
    ],
)
def test_each_way_to_say_it(answers: dict[str, str], column: str, values: list[Any], wanted: list[str]) -> None:
    other = {"score_2": 1} if column == "score_1" else {}
    assert better([{**answers, **other, column: value} for value in values]) == wanted


def test_the_name_of_a_model_says_it() -> None:
    assert better([{**AB, "model_a": "gpt", "model_b": "llama", "winner": name} for name in ("llama", "gpt")]) == [B, A]


def test_a_column_for_each_and_a_column_for_the_tie() -> None:
    said = [(1, 0, 0), (0, 1, 0), (0, 0, 1)]
    names = ("winner_model_a", "winner_model_b", "winner_tie")
    assert better([{**AB, **dict(zip(names, one, strict=True))} for one in said]) == [A, B, TIE]


def test_of_several_annotators_the_majority_counts() -> None:
    votes = ["aab", "bba", "ab", "bbb"]
    assert better([{**AB, **{f"annotator_{n}": vote for n, vote in enumerate(row)}} for row in votes]) == [A, B, TIE, B]
    assert better([{**AB, "annotations": [*row]} for row in votes]) == [A, B, TIE, B]
    scored = [[{"score": -2, "reasoning": "x"}, {"score": 1}, {"score": -1}]]
    assert better([{**N1, "individual_preference": row} for row in scored]) == [A]


def test_the_scale_of_a_number_shows_in_all_first_rows() -> None:
    assert better([{**AB, "preference": value} for value in (1, 1, 0)]) == [B, B, A]
    assert better([{**AB, "preference": value} for value in (1, 1, 2)]) == [A, A, B]
    assert better([{**AB, "preference": value} for value in (1, -1, 0)]) == [B, A, TIE]


def test_a_row_without_a_verdict_is_a_skip_that_says_so() -> None:
    rows = [{"prompt": "q", **AB, "winner": value} for value in ("a", None, "who knows")]
    shape, stream = formats.recognise(rows)
    _, *skips = formats.as_pairs(stream, shape, Counter())
    assert [skip.detail for skip in skips if isinstance(skip, Skip)] == [
        "row 1: `winner` does not say which answer is better",
        "row 2: `winner` does not say which answer is better",
    ]
