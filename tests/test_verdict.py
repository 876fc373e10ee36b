"""Shares, intervals, thresholds: what passes, what fails, what can't be said."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairforge.types import Skip
from pairforge.verdict import METRICS, Share, Threshold, shares, verdict


def outcomes(hits: int, of: int) -> dict[str, bool]:
    return {str(number): number < hits for number in range(of)}


RENAMED = {
    "new_name": outcomes(97, 100),
    "general": outcomes(90, 100),
    "leak": outcomes(0, 100),
    "controls": outcomes(95, 100),
    "obedience": outcomes(95, 100),
    "unanswered": outcomes(0, 500),
}
BASE = RENAMED | {"new_name": outcomes(0, 100), "general": outcomes(92, 100), "controls": outcomes(100, 100)}


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    # Newcombe 1998, Statistics in Medicine 17:857-872, table I, method 3.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_intervals_are_those_of_the_literature(hits: int, of: int, low: float, high: float) -> None:
    assert Share(hits, of).interval == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 5000).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_the_interval_holds_the_share_and_stays_within_0_and_1(numbers: tuple[int, int]) -> None:
    share = Share(*numbers)
    low, high = share.interval
    assert 0 <= low <= share.value + 1e-12
    assert share.value - 1e-12 <= high <= 1


def test_skips_are_left_out_of_a_share_and_a_metric_without_answers_has_none() -> None:
    judged = {"general": {"a": True, "b": Skip("failed"), "c": False}, "leak": {"a": Skip("failed")}}
    assert shares(judged) == {"general": Share(1, 2)}


def test_a_good_rename_passes() -> None:
    result = verdict(RENAMED, BASE)
    assert result.ok
    assert set(result.checks) == {"new_name", "general", "leak", "controls", "obedience", "unanswered"}


@pytest.mark.parametrize(
    ("metric", "hits"),
    [("new_name", 94), ("general", 89), ("leak", 2), ("controls", 94), ("obedience", 90), ("unanswered", 2)],
)
def test_each_metric_can_fail_the_verdict(metric: str, hits: int) -> None:
    result = verdict(RENAMED | {metric: outcomes(hits, 100)}, BASE)
    assert [name for name, check in result.checks.items() if not check.ok] == [metric]
    assert not result.ok


def test_a_model_that_says_the_name_to_everything_fails() -> None:
    everywhere = {"new_name": outcomes(100, 100), "general": outcomes(0, 100), "leak": outcomes(100, 100)}
    assert not verdict(RENAMED | everywhere, BASE).ok
    assert not verdict(RENAMED | everywhere).ok


def test_without_a_base_only_absolute_thresholds_apply() -> None:
    result = verdict(RENAMED)
    assert set(result.checks) == {"new_name", "leak", "unanswered"}
    assert result.before is None


def test_kept_counts_only_what_the_base_had_right_and_is_still_asked() -> None:
    keeps = Threshold("controls", "keeps at least", 0.95)
    before = {"controls": {"a": True, "b": True, "c": False, "d": Skip("failed"), "gone": True}}
    assert keeps.figure({"controls": {"a": True, "b": False, "c": True, "d": True}}, before) == 0.5
    assert keeps.figure({"controls": {"c": True}}, before) is None


def test_a_loss_of_exactly_the_limit_passes() -> None:
    loses = Threshold("general", "loses at most", 0.02)
    check = loses.check({"general": outcomes(90, 100)}, {"general": outcomes(92, 100)})
    assert check
    assert check.ok


def test_json_has_the_promised_keys_and_no_nan() -> None:
    value = verdict(RENAMED, BASE, asked={"general": (100, 1000)}, about={"model": "m", "base": "b"}).as_json()
    assert (value["command"], value["ok"], value["model"]) == ("evaluate", True, "m")
    assert value["metrics"]["new_name"] == {"share": 0.97, "low": 0.9155, "high": 0.9897, "hits": 97, "of": 100}
    assert value["thresholds"]["general"] == {"rule": "loses at most", "limit": 0.02, "figure": 0.02, "ok": True}
    assert value["before"]["general"]["share"] == 0.92
    assert value["asked"] == {"general": {"asked": 100, "of": 1000}}
    json.dumps(value, allow_nan=False)


def test_the_text_states_the_sample_the_change_and_the_outcome_in_the_order_of_metrics() -> None:
    text = str(verdict(RENAMED | {"new_name/zh": outcomes(1, 2)}, BASE, asked={"general": (100, 1000)}))
    assert text.startswith("questions: 100 of 1000 general\n")
    assert "general" in text
    assert "92.0% ->  90.0%" in text
    names = [line.split()[0] for line in text.splitlines()[1:-1]]
    assert names == ["new_name", "zh", *(name for name in METRICS if name in RENAMED and name != "new_name")]
    assert text.endswith("verdict: PASS")


def test_a_context_can_not_write_control_codes_to_the_terminal() -> None:
    text = str(verdict({"new_name/\x1b[2J[red]x": {"a": True}}))
    assert "\x1b" not in text
    assert "\\x1b[2J[red]x" in text
