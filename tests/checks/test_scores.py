"""Scores beside a pair: found under any usual name, compared as numbers, and never where less is better."""

from __future__ import annotations

from typing import Any

import pytest
from support import pair

from pairforge.api.validate import validate
from pairforge.checks.row import Sides
from pairforge.checks.scores import doubtful


def codes(**columns: Any) -> set[str]:
    return {one.code for one in validate([pair("Paris.", "Lyon!", **columns)], quiet=True)}


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("chosen_score", "rejected_score"), ("score_chosen", "score_rejected"), ("chosen-rating", "rejected-rating"),
        ("rating_chosen", "rating_rejected"), ("chosenReward", "rejectedReward"), ("Chosen Score", "Rejected Score"),
        ("chosen_avg_rating", "rejected_avg_rating"), ("reward.chosen", "reward.rejected"),
        ("chosen_overall_score", "rejected_overall_score"), ("quality_chosen", "quality_rejected"),
        ("chosen_elo", "rejected_elo"), ("chosen_upvotes", "rejected_upvotes"), ("overall_chosen", "overall_rejected"),
    ],
)  # fmt: skip
def test_names_of_scores(name: str, other: str) -> None:
    assert "PF114" in codes(**{name: 1, other: 2})
    assert "PF118" in codes(**{name: 2, other: 2.0})
    assert codes(**{name: 2, other: 1}) == set()


@pytest.mark.parametrize("name", ["{}_rank", "{}_loss", "{}_logps", "{}_model", "{}_tokens", "logps_{}", "{}_length"])
def test_less_is_better_or_means_nothing_elsewhere(name: str) -> None:
    assert codes(**{name.format("chosen"): 1, name.format("rejected"): 2}) == set()


def test_texts_are_compared_as_numbers() -> None:
    assert codes(score_chosen="3.0", score_rejected="8.5") == {"PF114", "PF120"}
    assert codes(score_chosen="10", score_rejected="9") == {"PF120"}
    assert codes(score_chosen="3/10", score_rejected="8/10") == {"PF114", "PF120"}
    assert codes(score_chosen="1,5", score_rejected="0,5") == {"PF120"}
    assert codes(chosen_quality="good", rejected_quality="bad") == set()
    assert codes(chosen_score=None, rejected_score=None) == set()


@pytest.mark.parametrize(("margin", "found"), [(-1.5, True), ("-0.1", True), (0, True), (2, False), (None, False)])
def test_margins(margin: Any, found: bool) -> None:
    assert ("PF119" in codes(margin=margin)) is found
    assert ("PF119" in codes(score_diff=margin)) is found


def test_another_score_may_be_the_reason() -> None:
    assert "PF118" not in codes(chosen_score=4, rejected_score=4, chosen_reward=2, rejected_reward=1)


def test_usual_rows_are_not_looked_at() -> None:
    assert not doubtful(Sides.of(pair("a", "b", chosen_score=1.0, rejected_score=0, id="x", model="m")))
