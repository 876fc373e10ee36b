"""A verdict as HTML, made of JSON that anybody may have written."""

from __future__ import annotations

from typing import Any

import pytest

from pairforge.evaluation.verdict import verdict
from pairforge.evaluation.verdict_html import answers_html, failing_html, measures, verdict_html

EVIL = "<script>alert(1)</script>"


def said() -> dict[str, Any]:
    after = {"new_name": {str(n): n > 3 for n in range(120)}, "new_name/zh": {"1": True}, EVIL: {"1": False}}
    before = {"new_name": {str(n): False for n in range(120)}}
    return verdict(after, before, about={"answers": [{"question": EVIL, "before": "a", "now": "b"}]}).as_json()


def test_measures_are_those_of_the_json() -> None:
    first, part, _ = measures(said())
    assert (first.name, first.of, first.limit, first.ok) == ("new_name", 120, "at least 95%", True)
    assert first.change and first.before and first.now.value - first.before.value == pytest.approx(first.change.value)
    assert first.brief == "says the new name" and part.brief == "says the new name"
    assert first.row()["now_low"] == first.now.low and part.row()["change"] is None


def test_a_verdict_is_a_table_with_its_outcome() -> None:
    made = verdict_html(said())
    assert "PASS" in made and "96.7% [" in made and "+96.7 [" in made and "at least 95%" in made
    assert "<script" not in made + answers_html(said()) and "&lt;script&gt;" in made
    assert "<script" not in failing_html([{"metric": EVIL, "question": EVIL, "answer": EVIL}])


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"metrics": []},
        {"metrics": {"x": {"share": "1"}, "y": 3}, "thresholds": {"x": 1}, "before": 2},
        {"ok": False, "why": {"a": 1}, "answers": [1, None]},
    ],
)
def test_what_is_no_verdict_breaks_nothing(value: dict[str, Any]) -> None:
    assert "verdict" in verdict_html(value) or "FAIL" in verdict_html(value)
    assert not [*measures(value)] and "<td" not in answers_html({}) + failing_html([])
