"""The index of rows answers what a page asks: filters, orders, places, and other rows of the same prompt."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support import pair

from pairforge import Finding, InputError, Skip
from pairforge.page.row_index import RowIndex, difference

ROWS: list[Any] = [
    pair("a long answer", "short", "First question?", chosen_score=0.9, rejected_score=0.1, judge="length"),
    pair("ÄPFEL and pears", "plums", "Second?", chosen_score=0.3, rejected_score=0.2, judge="llm:x"),
    Skip("json", "line 3 is not JSON"),
    pair("x", "yyyyyyyyyyyyyyyyyyyy", "Third?"),
]


@pytest.fixture
def index() -> Iterator[RowIndex]:
    made = RowIndex()
    made.add(0, ROWS)
    made.add(0, [{"prompt_id": "p9", "reason": "tie", "detail": "all scored 1", "prompt": []}])
    made.add(1, [pair("another", "short", "First question?")])
    yield made
    made.close()


def rows(index: RowIndex, **wanted: str) -> list[int]:
    found = index.page({**wanted})
    assert found["total"] == len(found["rows"])
    return [row["row"] for row in found["rows"]]


def test_rows_are_filtered(index: RowIndex) -> None:
    assert rows(index) == [0, 1, 2, 3, 4, 5]
    assert rows(index, kind="pairs") == [0, 1, 3, 5] and rows(index, kind="skips") == [2, 4]
    assert rows(index, skip="tie") == [4] and rows(index, judge="llm:x") == [1] and rows(index, source="1") == [5]
    assert rows(index, min_margin="0.5") == [0] and rows(index, min_gap="8", kind="pairs") == [0, 1, 3]
    assert rows(index, q="äpfel") == [1] and rows(index, q="QUESTION") == [0, 5] and rows(index, q="' OR 1=1 --") == []


def test_rows_are_sorted_and_those_without_a_value_come_last(index: RowIndex) -> None:
    assert rows(index, sort="margin", order="desc")[:2] == [0, 1]
    assert rows(index, sort="margin", order="asc")[:2] == [1, 0]
    assert rows(index, sort="length_gap", order="desc", kind="pairs")[0] == 3
    assert rows(index, order="desc") == [5, 4, 3, 2, 1, 0]
    index.sort()
    assert rows(index, sort="margin", order="desc")[:2] == [0, 1]


def test_pages_and_places(index: RowIndex) -> None:
    page = index.page({"kind": "pairs", "offset": "1", "limit": "2", "at": "3"})
    assert page["total"] == 4 and [row["row"] for row in page["rows"]] == [1, 3] and page["index"] == 2
    assert index.page({"kind": "pairs", "at": "2"})["index"] is None
    assert index.page({"offset": "99999"})["rows"] == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"offset": "-1"}, {"limit": "x"}, {"sort": "row; DROP TABLE rows"}, {"order": "up"}, {"kind": "all pairs"},
        {"min_margin": "much"}, {"min_gap": "nan"}, {"mark": "gone"}, {"offset": "9" * 40}, {"source": "١"},
    ],
    ids=str,
)  # fmt: skip
def test_a_query_that_is_wrong_is_refused(index: RowIndex, wrong: dict[str, str]) -> None:
    with pytest.raises(InputError):
        index.page(wrong)


def test_findings_filter_sort_and_are_counted(index: RowIndex) -> None:
    found = [Finding("PF101", "error", "bad", 1), Finding("PF102", "info", "odd", 1), Finding("PF101", "error", "", 3)]
    index.add_findings([*found, Finding("PF201", "warning", "of all")])
    assert rows(index, finding="PF101") == [1, 3] and rows(index, sort="finding", order="desc")[:2] == [1, 3]
    assert index.page({"finding": "PF102"})["rows"][0]["findings"] == ["PF101", "PF102"]
    assert index.counts()["codes"] == [("PF101", 2, "bad"), ("PF102", 1, "odd"), ("PF201", 1, "of all")]
    row = index.row(1)
    assert row and row["findings"] == [{"code": "PF101", "message": "bad"}, {"code": "PF102", "message": "odd"}]


def test_marks_are_kept_and_filter(index: RowIndex) -> None:
    assert index.mark(1, "drop") == {"dropped": 1, "kept": 0} and index.mark(3, "keep") == {"dropped": 1, "kept": 1}
    assert rows(index, mark="drop") == [1]
    assert index.mark(1, None) == {"dropped": 0, "kept": 1} and rows(index, mark="drop") == []


def test_a_row_has_both_answers_and_the_rows_of_the_same_prompt(index: RowIndex) -> None:
    row = index.row(0)
    assert row and (row["chosen"], row["rejected"], row["reason"]) == ("a long answer", "short", None)
    assert row["context"] == [{"role": "user", "content": "First question?"}] and row["columns"]["judge"] == "length"
    assert [(other["source"], other["row"], other["chosen"]) for other in row["others"]] == [(1, 5, "another")]
    skip = index.row(2)
    assert skip and (skip["kind"], skip["reason"], skip["detail"]) == ("skip", "json", "line 3 is not JSON")
    assert index.row(6) is None and index.row(-1) is None


def test_any_value_is_a_row() -> None:
    made = RowIndex()
    strange: list[Any] = [None, 3, [], "text", {"chosen": 3}, {"chosen": [], "rejected": []}, {"label": True}]
    made.add(0, [*strange, pair("\ud800", "b"), pair("a", "b", at=object()), pair("a", "b", chosen_score="x")])
    assert [row["kind"] for row in made.page({})["rows"]] == ["skip"] * 7 + ["pair"] * 3
    assert all(made.row(number) for number in range(10))
    made.close()


def test_the_difference_of_two_answers_gives_both_back() -> None:
    one, other = "The quick brown fox, jumped.", "The slow brown fox  jumped!"
    parts = difference(one, other)
    assert "".join(text for side, text in parts if side != "rejected") == one
    assert "".join(text for side, text in parts if side != "chosen") == other
    assert ("chosen", "quick") in parts and ("rejected", "slow") in parts
