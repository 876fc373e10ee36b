"""Verdicts of people are events; what stands follows from them in any order, and scores follow from what stands."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import prompt

from pairforge import InputError, Skip
from pairforge.judges.human import HumanEvent, HumanJudge, item_key, standing
from pairforge.types import digest

QUESTION = prompt("Why?")
ANSWERS = ["one", "two", "three"]
ITEM = item_key(QUESTION, ANSWERS)


def verdict(name: str, who: str = "ann", choice: str = "picked", **more: Any) -> HumanEvent:
    sides = {"best": digest("one"), "worst": digest("two")} if choice == "picked" else {}
    return HumanEvent.read({"uuid": f"uuid-{name}", "who": who, "item": ITEM, "choice": choice, **sides, **more})


def undo(of: str, who: str = "ann") -> HumanEvent:
    return HumanEvent.read({"uuid": f"undo-{of}-{who}", "who": who, "kind": "undo", "undoes": f"uuid-{of}"})


def judge(*events: HumanEvent) -> HumanJudge:
    made = HumanJudge()
    made.take(events, {ITEM: QUESTION})
    return made


people = st.sampled_from(["ann", "bob"])
events = st.one_of(
    st.builds(
        lambda number, who, choice, item, at: HumanEvent(
            f"uuid-{number}", who, item, choice=choice, best="a", worst="b", at=str(at)
        ),
        st.integers(0, 12),
        people,
        st.sampled_from(["picked", "tie", "all_bad", "skip"]),
        st.sampled_from(["x", "y"]),
        st.integers(0, 3),
    ),
    st.builds(lambda number, who: undo(str(number), who), st.integers(0, 12), people),
)


@given(st.lists(events, unique_by=lambda event: event.uuid), st.randoms(use_true_random=False), st.data())
def test_what_stands_does_not_depend_on_the_order_in_which_events_arrive(
    sent: list[HumanEvent], random: Any, data: Any
) -> None:
    arrived = [*sent, *(data.draw(st.sampled_from(sent)) for _ in range(3 if sent else 0))]  # some come twice
    random.shuffle(arrived)
    assert standing(arrived) == standing(sent)
    undone = {(event.who, event.undoes) for event in sent if event.kind == "undo"}
    for (who, item, _), event in standing(arrived).items():
        assert (event.who, event.item) == (who, item) and (who, event.uuid) not in undone


def test_one_verdict_scores_the_best_one_and_the_worst_zero() -> None:
    assert judge(verdict("1")).score(QUESTION, ANSWERS) == [1.0, 0.0, 0.5]
    assert judge(verdict("1")).score(QUESTION, [*reversed(ANSWERS)]) == [0.5, 0.0, 1.0]


def test_the_mean_of_several_people_counts() -> None:
    other = {"best": digest("three"), "worst": digest("two")}
    assert judge(verdict("1"), verdict("2", "bob", **other)).score(QUESTION, ANSWERS) == [0.75, 0.0, 0.75]


def test_ties_score_alike_and_all_bad_and_skips_have_no_score() -> None:
    assert judge(verdict("1", choice="tie")).score(QUESTION, ANSWERS) == [0.5, 0.5, 0.5]
    for choice, reason in (("all_bad", "all_bad"), ("skip", "skipped")):
        scores = judge(verdict("1", choice=choice)).score(QUESTION, ANSWERS)
        assert [one.reason for one in scores if isinstance(one, Skip)] == [reason] * 3
    one_of_three = verdict("1"), verdict("2", "bob", "all_bad"), verdict("3", "eve")
    assert judge(*one_of_three).score(QUESTION, ANSWERS) == [1.0, 0.0, 0.5]
    assert isinstance(judge(*one_of_three[:2]).score(QUESTION, ANSWERS)[0], Skip)


def test_what_is_undone_and_what_is_of_other_answers_counts_for_nothing() -> None:
    for made in (
        judge(verdict("1"), undo("1")),
        judge(verdict("1", item="other")),
        judge(verdict("1", purpose="again")),
    ):
        [score, *_] = made.score(QUESTION, ANSWERS)
        assert isinstance(score, Skip) and score.reason == "not_asked"
    assert judge(verdict("1"), undo("1", "bob")).score(QUESTION, ANSWERS) == [1.0, 0.0, 0.5]


def test_the_settings_tell_verdicts_and_edits_apart() -> None:
    plain, edited = judge(verdict("1")), judge(verdict("1", edit="One!"))
    assert plain.settings() == judge(verdict("2")).settings()
    assert plain.settings() != judge(verdict("1", choice="tie")).settings()
    assert edited.settings()["edits"] == {QUESTION.id: "One!"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"uuid": "x"},
        {"who": ""},
        {"who": "a\nb"},
        {"who": 3},
        {"item": None},
        {"choice": "best"},
        {"best": None},
        {"worst": digest("one")},
        {"seconds": float("nan")},
        {"seconds": -1},
        {"seconds": "1"},
        {"edit": "x" * 300_000},
        {"purpose": "other"},
        {"kind": "undo"},
        {"kind": "redo"},
        {"order": "abc"},
    ],
    ids=str,
)
def test_what_is_no_verdict_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="not a verdict"):
        HumanEvent.read({**verdict("1").as_json(), **wrong})


def test_an_event_is_the_same_after_a_file() -> None:
    for event in (verdict("1", edit="x", seconds=2.5, at="2026", order=["a", "b"]), undo("1")):
        assert HumanEvent.read(event.as_json()) == event
