"""Thresholds: read from words, held against figures, the first that can be applied for each metric."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairforge import InputError
from pairforge.evaluation.metrics import Judged, Measured
from pairforge.evaluation.thresholds import Threshold
from pairforge.evaluation.verdict import verdict
from pairforge.statistics import Wins
from pairforge.types import Skip


def outcomes(hits: int, of: int) -> dict[str, bool]:
    return {str(number): number < hits for number in range(of)}


def figure(text: str, after: Judged, before: Judged | None = None, wins: Wins | None = None) -> float | None:
    check = Threshold.read(text).check(Measured(after, before, wins))
    return check.figure if check else None


@pytest.mark.parametrize(
    ("text", "metric", "rule", "limit"),
    [
        ("new_name at least 98%", "new_name", "at least", 0.98),
        ("new_name@t1/zh at least 0.9", "new_name@t1/zh", "at least", 0.9),
        ("general loses at most .01", "general", "loses at most", 0.01),
        ("repetition rises at most 1 %", "repetition", "rises at most", 0.01),
        ("win_rate surely above 0.5", "win_rate", "surely above", 0.5),
        ("  leak  at most  0 ", "leak", "at most", 0),
        ("new_name/You are at most a model. at least 1", "new_name/You are at most a model.", "at least", 1),
    ],
)
def test_a_threshold_is_read_from_words(text: str, metric: str, rule: str, limit: float) -> None:
    found = Threshold.read(text)
    assert (found.metric, found.rule) == (metric, rule)
    assert found.limit == pytest.approx(limit)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "new_name",
        "at least 98%",
        "new_name at least",
        "new_name >= 0.98",
        "leak at most 2",
        "leak at most 1",
        "x at most nan",
    ],
)
def test_what_is_no_threshold_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="--threshold"):
        Threshold.read(text)


@given(st.sampled_from(["at least", "at most", "keeps at least", "surely above"]), st.integers(0, 1000))
def test_what_it_says_reads_back(rule: str, thousandths: int) -> None:
    text = f"new_name {rule} {thousandths / 1000}"
    again = Threshold.read(f"new_name {Threshold.read(text)}")
    assert again.limit == pytest.approx(thousandths / 1000)
    assert again.rule == rule


def test_changes_are_held_question_by_question() -> None:
    before = {"general": {"a": True, "b": True, "c": False, "d": Skip("failed"), "gone": False}}
    after = {"general": {"a": True, "b": False, "c": False, "d": True, "new": True}}
    assert figure("general loses at most 0", after, before) == pytest.approx(1 / 3)
    assert figure("general rises at most 0", after, before) == pytest.approx(-1 / 3)
    assert figure("general loses at most 0", after) is None


def test_kept_counts_only_what_the_base_had_right_and_is_still_asked() -> None:
    before = {"controls": {"a": True, "b": True, "c": False, "d": Skip("failed"), "gone": True}}
    after = {"controls": {"a": True, "b": False, "c": True, "d": True}}
    assert figure("controls keeps at least 0.95", after, before) == 0.5
    assert figure("controls keeps at least 0.95", {"controls": {"c": True}}, before) is None


def test_a_loss_of_exactly_the_limit_passes() -> None:
    measured = Measured({"general": outcomes(90, 100)}, {"general": outcomes(92, 100)})
    check = Threshold("general", "loses at most", 0.02).check(measured)
    assert check
    assert check.ok


def test_a_win_rate_of_one_half_is_not_surely_above() -> None:
    won = [Wins(won, lost, 200) for won, lost in ((50, 50), (55, 45), (80, 20))]
    checks = [Threshold.read("win_rate surely above 0.5").check(Measured({}, {}, wins)) for wins in won]
    assert [check.ok for check in checks if check] == [False, False, True]


def test_of_two_for_a_metric_the_first_that_can_be_applied_counts() -> None:
    both = (Threshold("repetition", "rises at most", 0.01), Threshold("repetition", "at most", 0.01))
    loops = {"repetition": outcomes(30, 100)}
    assert verdict(loops, loops, thresholds=both).ok
    assert not verdict(loops, thresholds=both).ok


def test_a_star_stands_for_every_part() -> None:
    after = {"new_name": outcomes(190, 200), "new_name/en": outcomes(100, 100), "new_name/zh": outcomes(90, 100)}
    result = verdict(after, thresholds=[Threshold.read("new_name/* at least 0.98")])
    assert {name: check.ok for name, check in result.checks.items()} == {"new_name/en": True, "new_name/zh": False}


@pytest.mark.parametrize(("hits", "of", "ok"), [(99, 99, None), (0, 99, None), (100, 100, True), (0, 100, False)])
def test_fewer_than_100_answered_questions_give_neither_pass_nor_fail(hits: int, of: int, ok: bool | None) -> None:
    skipped = {f"skipped {number}": Skip("failed") for number in range(50)}
    check = Threshold.read("new_name at least 95%").check(Measured({"new_name": outcomes(hits, of) | skipped}))
    assert check and (check.ok, check.as_json()["ok"]) == (ok, ok)
    assert ("not judged" in check.words) == (ok is None)


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("new_name atleast 98%", "did you mean 'at least'"),
        ("new_name >= 98%", "write METRIC RULE LIMIT"),
        ("new_name at least -5%", "write e.g. 98%"),
        ("new_name at least 98,5%", "write e.g. 98%"),
        ("new_name at least much", "write e.g. 98%"),
        ("new_name at least 98", "write 98%"),
        ("general loses at most 150%", "from 0% to 100%"),
        ("leak at most 1", "write 1% or 0.01"),
    ],
)
def test_the_error_says_how_to_write_it(text: str, fix: str) -> None:
    with pytest.raises(InputError, match="--threshold") as caught:
        Threshold.read(text)
    assert fix in (caught.value.fix or "")
