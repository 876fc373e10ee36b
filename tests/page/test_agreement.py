"""The figures of agreement are those of the books."""

from __future__ import annotations

import pytest

from pairforge.judges.human import HumanEvent
from pairforge.page.agreement import Agreement, agreement, judge_agreement
from pairforge.statistics import Share

ANSWERS = {f"item{number}": ["a", "b", "c"] for number in range(200)}


def said(item: str, who: str, best: str | None, choice: str = "picked", purpose: str = "") -> HumanEvent:
    sides = {"best": best, "worst": "z"} if choice == "picked" else {}
    uuid = f"{item}-{who}-{purpose}"
    return HumanEvent(uuid, who, item, choice=choice, purpose=purpose, **sides)  # type: ignore[arg-type]


def test_alpha_is_that_of_krippendorffs_example() -> None:
    # Krippendorff 2011, section B: two observers, twelve items, nominal values; alpha = 0.692.
    meg = ["a", "a", "b", "b", "d", "c", "c", "c", "e", "d", "d", "a"]
    owen = ["b", "a", "b", "b", "b", "c", "c", "c", "e", "d", "d", "d"]
    answers = {f"item{number}": ["a", "b", "c", "d", "e"] for number in range(12)}
    both = [
        said(f"item{n}", who, best) for who, values in (("meg", meg), ("owen", owen)) for n, best in enumerate(values)
    ]
    found = agreement(both, answers)
    assert found.alpha == pytest.approx(0.692, abs=0.0005) and found.people == Share(9, 12) and found.items == 12
    assert found.interval and found.interval[0] < 0.692 < found.interval[1]


def test_ties_and_all_bad_are_values_and_skips_are_none() -> None:
    one = [said("item0", "ann", None, "tie"), said("item1", "ann", None, "all_bad"), said("item2", "ann", None, "skip")]
    other = [said("item0", "bob", None, "tie"), said("item1", "bob", None, "tie"), said("item2", "bob", "a")]
    found = agreement([*one, *other], ANSWERS)
    assert (found.items, found.people, found.interval) == (2, Share(1, 2), None)


def test_where_nothing_can_be_said_there_is_no_figure() -> None:
    assert agreement([], {}) == Agreement()
    alike = [said(f"item{n}", who, "a") for n in range(9) for who in ("ann", "bob")]
    found = agreement(alike, ANSWERS)
    assert (found.people, found.alpha, found.interval) == (Share(9, 9), None, None)
    assert found.sentence == "" and [*found.shares()] == [("two people on the same answers", Share(9, 9))]
    assert Agreement().as_json("ann")["agreement"] is None


def test_repetitions_and_checks_count_by_person() -> None:
    events = [said("item0", "ann", "a"), said("item0", "ann", "a", purpose="again")]
    events += [said("item1", "ann", "a"), said("item1", "ann", None, "tie", "again")]
    events += [said("item2", "ann", "a"), said("item2", "ann", "x", purpose="check")]
    events += [said("item3", "bob", "a"), said("item3", "bob", "a", purpose="check")]
    found = agreement(events, ANSWERS)
    assert found.consistency == {"ann": Share(1, 2)}
    assert found.attention == {"ann": Share(0, 1), "bob": Share(1, 1)}
    assert [share for _, share in found.shares()] == [Share(1, 2), Share(1, 2)]
    assert [name for name, _ in found.as_json("bob")["shares"]] == ["bob, attention checks"]


def test_a_judge_agrees_where_it_scores_the_best_answer_higher() -> None:
    event = said("item0", "ann", "a")
    scored = [
        (event, {"right": {"a": 1.0, "z": 0.0}, "even": {"a": 1.0, "z": 1.0}, "silent": {"a": 1.0}}),
        (event, {"right": {"a": 0.0, "z": 1.0}}),
    ]
    assert judge_agreement(scored) == {"right": Share(1, 2), "even": Share(0.5, 1)}
