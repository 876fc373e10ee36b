"""The signs: what is an alarm, after how many checks, and in which words."""

from __future__ import annotations

import math

import pytest

from trainers.guard.signals import Alarm, Limits, Record

LIMITS = Limits()


def test_nothing_seen_is_no_sign_and_good() -> None:
    record = Record(5)
    assert set(record.levels(LIMITS).values()) == {0.0}
    assert record.good(LIMITS)
    assert record.alarm(LIMITS, record) is None


@pytest.mark.parametrize("sign", ["broken", "slips", "leak"])
def test_a_bad_moment_is_no_alarm_and_not_good_and_two_are_one(sign: str) -> None:
    bad = Record(10, **{sign: 0.5}, sample="I am Deep Deep")
    assert bad.alarm(LIMITS, Record(5)) is None
    assert not bad.good(LIMITS)
    message = bad.alarm(LIMITS, Record(5, **{sign: 0.3}))
    assert message is not None
    assert "50%" in message
    assert "Deep Deep" in message


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        ({"drift": 0.4}, "40% of its entropy there (limit 30%)"),
        ({"drift": math.nan}, "KL divergence from the initial model"),
        ({"chosen": -0.6}, "lost 0.60 nats"),
        ({"chosen": -math.inf}, "lost inf"),
        ({"unlearned": 3.2}, "still unlikely: 3.2 nats/token (limit 2)"),
        ({"entropy": 2.5}, "rose by 2.5"),
        ({"margin": 12.0}, "12.0 nats/token (limit 10) further apart"),
    ],
)
def test_what_no_good_training_passes_through_is_an_alarm_at_once(figures: dict[str, float], words: str) -> None:
    message = Record(10, **figures).alarm(LIMITS, Record(5))
    assert message is not None
    assert words in message


def test_halfway_to_a_limit_is_no_alarm_and_no_longer_good() -> None:
    record = Record(10, drift=LIMITS.drift * 0.6)
    assert record.alarm(LIMITS, record) is None
    assert not record.good(LIMITS)


def test_what_the_trainer_has_not_logged_yet_is_no_sign() -> None:
    assert Record(1, chosen=math.nan, entropy=math.nan, accuracy=math.nan).good(LIMITS)


def test_no_change_is_full_accuracy_and_the_same_answers() -> None:
    assert Record(10, accuracy=1.0, moved=0.0).no_change
    assert not Record(10, accuracy=1.0, moved=0.1).no_change
    assert not Record(10, accuracy=0.9).no_change
    assert not Record(10).no_change


def test_an_alarm_says_where_the_weights_are_from() -> None:
    assert str(Alarm(20, "why", 10)) == "step 20: why; the weights are those of step 10"
    assert str(Alarm(20, "why")) == "step 20: why"
