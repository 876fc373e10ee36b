"""The page of rows: what checks find in them, all that is known of one, and the rows that are written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from support import pair, read_jsonl

from pairforge import InputError
from pairforge.page.browsing import PairBrowser, ViewSource
from pairforge.page.server import MissingError

ROWS = [pair(f"Number {n} is good, as I think.", f"Number {n} is bad.", f"Question {n}?") for n in range(40)]
ROWS[3] = pair("", "An answer.", "An empty one?")


def opened(*sources: Sequence[Any], save: Path | None = None) -> PairBrowser:
    browser = PairBrowser([ViewSource(f"run {number}", rows) for number, rows in enumerate(sources)], save)
    browser.thread.start()
    browser.thread.join()
    assert browser.state == "ready", browser.failure
    return browser


def test_findings_and_shortcuts_are_those_of_the_commands_and_lead_to_rows() -> None:
    browser = opened(ROWS)
    source = browser.source({}, {})
    codes = {one["code"]: one for one in source["findings"]}
    assert source["rows"] == 40 and source["shortcuts"][0]["verdict"] in ("high", "critical")
    assert any(code.startswith("PF3") for code in codes) and all(
        one["title"] and one["level"] for one in codes.values()
    )
    for code, one in codes.items():
        listed = browser.index.page({"finding": code})
        assert listed["total"] <= one["count"] and all(code in row["findings"] for row in listed["rows"])
    empty = next(code for code in codes if 3 in [row["row"] for row in browser.index.page({"finding": code})["rows"]])
    assert browser.row({"row": "3"}, {})["findings"][0]["code"] == empty
    browser.close()


def test_a_row_has_its_difference_and_the_rows_of_other_runs() -> None:
    browser = opened(ROWS[:5], [pair("Another answer.", "Number 1 is bad.", "Question 1?")])
    row = browser.row({"row": "1"}, {})
    assert ["".join(text for side, text in row["diff"] if side != other) for other in ("rejected", "chosen")] == [
        row["chosen"],
        row["rejected"],
    ]
    assert [(one["source"], one["chosen"]) for one in row["others"]] == [(1, "Another answer.")]
    for missing in ("6", "99999999999999999999"):
        with pytest.raises(MissingError):
            browser.row({"row": missing}, {})
    browser.close()


def test_marked_rows_are_left_out_of_what_is_written_or_alone_in_it(tmp_path: Path) -> None:
    browser = opened(ROWS[:5], [ROWS[9]], save=tmp_path / "out.jsonl")
    browser.mark({}, {"row": 1, "mark": "drop"})
    assert browser.write({}, {})["rows"] == 4
    assert read_jsonl(tmp_path / "out.jsonl") == [row for n, row in enumerate(ROWS[:5]) if n != 1]
    browser.mark({}, {"row": 2, "mark": "keep"})
    assert browser.write({}, {})["rows"] == 1 and read_jsonl(tmp_path / "out.jsonl") == [ROWS[2]]
    for wrong in ({"row": "1", "mark": "drop"}, {"row": 1, "mark": "gone"}, {"row": True, "mark": None}, {}):
        with pytest.raises(InputError):
            browser.mark({}, wrong)
    with pytest.raises(MissingError):
        browser.mark({}, {"row": 1 << 70, "mark": "drop"})
    browser.close()


def test_what_came_to_be_under_the_name_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    browser = opened(ROWS[:2], save=tmp_path / "out.jsonl")
    (tmp_path / "out.jsonl").symlink_to(tmp_path / "nothing")
    with pytest.raises(InputError, match="exists now"):
        browser.write({}, {})
    (tmp_path / "out.jsonl").unlink()
    assert browser.write({}, {})["rows"] == browser.write({}, {})["rows"] == 2
    browser.close()


def test_columns_of_any_kind_make_a_pair_no_skip() -> None:
    odd: list[dict[str, Any]] = [
        {"judge": {"a": 1}, "prompt_id": ["x"]},
        {"chosen_score": 10**400, "rejected_score": 1},
    ]
    odd += [
        {"chosen_score": "much"},
        {"chosen_score": float("nan"), "rejected_score": 0.0},
        {"chosen_score": 10**30, "rejected_score": 0},
    ]
    browser = opened([{**row, **more} for row, more in zip(ROWS, odd, strict=False)])
    listed, wrong = browser.index.page({})["rows"], browser.index.page({"finding": "PF014"})["rows"]
    assert browser.source({}, {})["rows"] == 5 and [row["row"] for row in wrong] == [2], "as validate finds"
    assert [row["margin"] for row in listed] == [None, None, None, None, 1e30]
    browser.close()


def test_without_a_file_nothing_is_written() -> None:
    browser = opened(ROWS[:2])
    with pytest.raises(InputError, match="--save"):
        browser.write({}, {})
    browser.close()


def test_what_ends_the_reading_is_said() -> None:
    def rows() -> Any:
        yield ROWS[0]
        raise InputError("line 2 is damaged")

    browser = PairBrowser([ViewSource("x", rows())])
    browser.thread.start()
    browser.thread.join()
    source = browser.source({}, {})
    assert (source["state"], source["failure"]) == ("failed", "line 2 is damaged")
    browser.close()
